"""What settings and code alone show to be wrong; none of these asks the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)
from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidParameters
from django_scheduled_tasks.models import write_alias
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
def check_declarations(**_options: Any) -> list[CheckMessage]:
    """E004: a task declared in code lacks a parameter, has a wrong one, or a field that is not valid."""
    return list(_declaration_errors())


def _declaration_errors() -> Iterator[CheckMessage]:
    for declaration in registry.declarations():
        try:
            declaration.function.parameters.clean(dict(declaration.fields.get("params", {})))
        except InvalidParameters as exc:
            wrong = [error for error in exc.errors if error.code != "missing" or declaration.schedule.kind != "manual"]
            if not wrong:
                continue  # whoever runs it by hand gives them
            yield Error(
                f"The scheduled task {declaration.name}: " + " ".join(f"{one.field}: {one.message}" for one in wrong),
                hint="Give params=… in @scheduled_task, or give the function's parameters defaults.",
                obj=declaration.function.name,
                id="scheduled_tasks.E004",
            )
        except ImproperlyConfigured:
            continue  # E002 says so


@register(Tags.compatibility)
def check_django_q(**_options: Any) -> list[CheckMessage]:
    """W001: django-q2 delivers a message again before the longest time limit has passed."""
    cluster = getattr(settings, "Q_CLUSTER", {})
    limits = [(timedelta(seconds=cluster.get("timeout") or 0), 'Q_CLUSTER["timeout"]')]
    limits += [
        (declaration.fields["timeout"], f"the time limit of the task {declaration.name}")
        for declaration in registry.declarations()
        if declaration.fields.get("timeout")
    ]
    longest, whose = max(limits, key=lambda item: item[0])
    retry = timedelta(seconds=cluster.get("retry", 60))
    if not longest or retry > longest:
        return []
    return [
        Warning(
            f'Q_CLUSTER["retry"] is {retry.total_seconds():g} s and not above {whose}, {longest.total_seconds():g} s.',
            hint="django-q2 sends a message again after retry seconds. No execution is run twice by that, but"
            " messages pile up; set retry above the longest time limit.",
            id="scheduled_tasks.W001",
        )
    ]


@register(Tags.compatibility)
def check_broker(**_options: Any) -> list[CheckMessage]:
    """W002: the ORM broker of django-q2 keeps its messages in another database than ours."""
    alias = getattr(settings, "Q_CLUSTER", {}).get("orm")
    if not alias or alias == write_alias():
        return []
    return [
        Warning(
            f'Q_CLUSTER["orm"] is "{alias}", but executions are kept in "{write_alias()}".',
            hint="It works, since a message that is lost is sent again, but a trigger then commits in two databases."
            f' Set Q_CLUSTER["orm"] to "{write_alias()}".',
            id="scheduled_tasks.W002",
        )
    ]


@register(Tags.compatibility)
def check_tenants(**_options: Any) -> list[CheckMessage]:
    """E005: django-tenants makes our tables in each schema, so that it depends on the tenant which ones are used."""
    tenant_apps = getattr(settings, "TENANT_APPS", ())
    if not apps.is_installed("django_tenants") or not any(
        name.startswith("django_scheduled_tasks") for name in tenant_apps
    ):
        return []
    return [
        Error(
            "django_scheduled_tasks is in TENANT_APPS, so that each tenant has tables of scheduled tasks of its own.",
            hint="The scheduler and the workers use those of the public schema only. List it in SHARED_APPS alone, and"
            " let functions set the tenant that they work for.",
            id="scheduled_tasks.E005",
        )
    ]
