"""Metrics for Prometheus: ``path("metrics/", include("django_scheduled_tasks.metrics.urls"))``.

Needs the extra ``metrics`` (prometheus-client). Without that line nothing here is imported.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

MISSING = (
    "The metrics of django_scheduled_tasks need prometheus-client, which is not installed:"
    ' pip install "django-scheduled-tasks-q2[metrics]".'
)


def register(registry: Any = None) -> None:
    """Let another endpoint tell these metrics too, such as that of django-prometheus; one line in the URLs is enough.

    Nothing is read from the database before somebody scrapes. Call it once in a process; a second call changes nothing.

    Args:
        registry: A ``prometheus_client.CollectorRegistry``; None: the default one.
    Raises:
        ImproperlyConfigured: prometheus-client is not installed.
    """
    try:
        from prometheus_client import REGISTRY  # noqa: PLC0415  (it is optional)
    except ImportError as exc:
        raise ImproperlyConfigured(MISSING) from exc
    from django_scheduled_tasks.metrics.collector import register_in  # noqa: PLC0415  (the same)

    register_in(REGISTRY if registry is None else registry)
