"""The same under django-simpleui, whose own pages need a looser policy."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import INSTALLED_APPS

INSTALLED_APPS = ["simpleui", *INSTALLED_APPS]
TEST_CONTENT_SECURITY_POLICY = ""
