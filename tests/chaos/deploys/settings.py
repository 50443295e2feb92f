"""Settings of the processes of a release: two apps whose code the runner has written."""

from __future__ import annotations

import os
from datetime import timedelta

from tests.settings import *  # noqa: F403
from tests.settings import Q_CLUSTER, SCHEDULED_TASKS

# Nothing that only pages need: a process starts in half the time.
INSTALLED_APPS = [
    *("django.contrib.contenttypes", "django.contrib.auth", "django_q", "django_scheduled_tasks"),
    *("shop", "stock"),
]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "tests.chaos.deploys.settings"
urlpatterns: list[object] = []
Q_CLUSTER |= {"workers": 1, "guard_cycle": 0.3, "poll": 0.1}
SCHEDULED_TASKS |= {
    "RELEASE": os.environ.get("DEPLOYS_RELEASE", ""),
    "LEASE": timedelta(seconds=3),
    "RESEND_AFTER": timedelta(seconds=5),
    "RESEND_AFTER_MAX": timedelta(seconds=60),
    "PRESENCE_INTERVAL": timedelta(seconds=1),
    "PRESENCE_TIMEOUT": timedelta(seconds=5),  # see tempo.GONE_FOR
}
