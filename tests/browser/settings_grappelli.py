"""The same under django-grappelli, whose own pages need a looser policy."""

from __future__ import annotations

from tests.browser.settings import *  # noqa: F403
from tests.browser.settings import INSTALLED_APPS

INSTALLED_APPS = ["grappelli", *INSTALLED_APPS]
TEST_CONTENT_SECURITY_POLICY = ""
ROOT_URLCONF = "tests.browser.urls_grappelli"
