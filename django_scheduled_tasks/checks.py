"""System checks ``scheduled_tasks.E001…`` and ``scheduled_tasks.W001…``, each with a hint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)
from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.registry import registry


@register(Tags.compatibility)
def check_settings(**_options: Any) -> list[CheckMessage]:
    """E001: SCHEDULED_TASKS has an unknown key or a value of the wrong type."""
    try:
        get_settings()
    except ImproperlyConfigured as exc:
        return [Error(str(exc), hint="See the reference of settings.", id="scheduled_tasks.E001")]
    return []


@register(Tags.compatibility)
def check_functions(**_options: Any) -> list[CheckMessage]:
    """E002: two functions have one name, or a parameter cannot be given as JSON."""
    return list(_function_errors())


def _function_errors() -> Iterator[CheckMessage]:
    try:
        functions = registry.functions()
    except ImproperlyConfigured as exc:
        yield Error(str(exc), id="scheduled_tasks.E002")
        return
    for function in functions.values():
        try:
            _ = function.parameters.json_schema
        except ImproperlyConfigured as exc:
            yield Error(
                str(exc),
                hint="Annotate the parameters of scheduled functions with types that pydantic can read from JSON.",
                obj=function.name,
                id="scheduled_tasks.E002",
            )


@register(Tags.compatibility)
def check_django_q(**_options: Any) -> list[CheckMessage]:
    """W001: django-q2 delivers a message again before its own time limit has passed."""
    cluster = getattr(settings, "Q_CLUSTER", {})
    timeout, retry = cluster.get("timeout"), cluster.get("retry", 60)
    if timeout is not None and retry <= timeout:
        return [
            Warning(
                f'Q_CLUSTER["retry"] is {retry} and not above Q_CLUSTER["timeout"], {timeout}.',
                hint="django-q2 sends a task again after retry seconds. Executions are not run twice by that, but"
                " messages pile up; set retry above timeout.",
                id="scheduled_tasks.W001",
            )
        ]
    return []
