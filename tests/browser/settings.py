"""Settings for pages that are looked at: those of the tests, with a broker that keeps what is sent."""

from __future__ import annotations

import os

os.environ.setdefault("SCHEDULED_TASKS_TEST_ENGINE", "django_scheduled_tasks.engines.immediate.DeferredEngine")

from tests.settings import *  # noqa: F403

TIME_ZONE = "Europe/Berlin"
TEST_CONTENT_SECURITY_POLICY = "default-src 'self'"
