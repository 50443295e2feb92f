"""Settings of ``benchmarks.admin``: the admin, and django-celery-results where it is installed."""

from __future__ import annotations

import importlib.util

from benchmarks.settings import *  # noqa: F403
from benchmarks.settings import INSTALLED_APPS

if importlib.util.find_spec("django_celery_results"):
    INSTALLED_APPS = [*INSTALLED_APPS, "django_celery_results"]
