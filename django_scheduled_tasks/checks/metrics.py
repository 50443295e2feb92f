"""What keeps metrics from being read, if the project includes them; none of it asks the database."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)
from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.checks.project import namespaces_of
from django_scheduled_tasks.conf import get_settings

_METRICS = "scheduled-tasks-metrics"
"""The application namespace of their URL."""


@register(Tags.urls)
def check_prometheus_client(**_options: Any) -> list[CheckMessage]:
    """E007: the project includes the URL of the metrics, and prometheus-client is not installed."""
    if find_spec("prometheus_client") is not None or not namespaces_of(_METRICS):
        return []
    return [
        Error(
            "django_scheduled_tasks.metrics.urls is in the project's URLs, but prometheus-client is not installed.",
            hint='pip install "django-scheduled-tasks-q2[metrics]", or remove the line.',
            id="scheduled_tasks.E007",
        )
    ]


@register(Tags.security)
def check_token(**_options: Any) -> list[CheckMessage]:
    """W018: METRICS_TOKEN names no setting and no environment variable, so that no token opens the metrics."""
    try:
        name = get_settings().METRICS_TOKEN
    except ImproperlyConfigured:  # E001
        return []
    if not name or getattr(settings, name, None) or os.environ.get(name):
        return []
    return [
        Warning(
            f"METRICS_TOKEN names {name}, which is no setting and no environment variable here.",
            hint="Set it to a long random text, and let Prometheus send it.",
            id="scheduled_tasks.W018",
        )
    ]
