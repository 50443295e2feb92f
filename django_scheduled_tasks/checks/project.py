"""What in a project's settings and URLs keeps django_scheduled_tasks from working; none of these asks the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  (Django's own name)
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, Resolver404, URLResolver, get_resolver, resolve, reverse

from django_scheduled_tasks.conf import ScheduledTasksSettings, get_settings
from django_scheduled_tasks.install import NEEDED_APPS
from django_scheduled_tasks.registry import registry

_API = "scheduled-tasks"
"""The application namespace of the REST API's URLs."""
_BROKERS = ("broker_class", "iron_mq", "sqs", "orm", "mongo", "redis", "django_redis")
"""The keys of Q_CLUSTER that name a broker; django-q2 takes the first of them that is set."""


@register(Tags.urls)  # it reads them, and with them all that serves pages, which a scheduler has no use for
def check_apps(**_options: Any) -> list[CheckMessage]:
    """E003: an app that the workers, the admin's pages or the REST API need is not in INSTALLED_APPS."""
    is_needed = {
        "django_q": _uses_django_q(),
        "django_htmx": apps.is_installed("django.contrib.admin"),
        **dict.fromkeys(("rest_framework", "django_filters"), bool(namespaces_of(_API))),
    }
    return [
        Error(
            f'"{app}" is not in INSTALLED_APPS; it is needed for {NEEDED_APPS[app]} of django_scheduled_tasks.',
            hint="Write INSTALLED_APPS = with_scheduled_tasks([…]) in the settings, or add the app;"
            " its package is installed already.",
            id="scheduled_tasks.E003",
        )
        for app, needed in is_needed.items()
        if needed and not apps.is_installed(app)
    ]


@register(Tags.compatibility)
def check_cluster(**_options: Any) -> list[CheckMessage]:
    """E006: the broker that Q_CLUSTER names is not there: a database that is not in DATABASES, or no Redis client."""
    cluster = _cluster()
    named = next((key for key in _BROKERS if cluster and cluster.get(key)), None)
    if cluster is None or named is None:
        return []
    if named == "orm" and cluster["orm"] not in settings.DATABASES:
        return [
            Error(
                f'Q_CLUSTER["orm"] is "{cluster["orm"]}", which is not in DATABASES.',
                hint=f"It is the alias of a database; there is {', '.join(settings.DATABASES)}.",
                id="scheduled_tasks.E006",
            )
        ]
    if named in {"redis", "django_redis"} and find_spec("redis") is None:
        return [
            Error(
                f'Q_CLUSTER["{named}"] is set, but the package redis is not installed.',
                hint='Install it: pip install "django-scheduled-tasks-q2[redis]".',
                id="scheduled_tasks.E006",
            )
        ]
    return []


@register(Tags.compatibility)
def check_broker_is_named(**_options: Any) -> list[CheckMessage]:
    """W004: Q_CLUSTER is missing or names no broker; django-q2 then looks for a Redis on the same host."""
    cluster = _cluster()
    if cluster is None or any(cluster.get(key) for key in _BROKERS):
        return []
    said = "Q_CLUSTER names no broker" if cluster else "Q_CLUSTER is not set"
    return [
        Warning(
            f"{said}, so django-q2 looks for a Redis on port 6379 of this host.",
            hint='Write Q_CLUSTER = q_cluster() to use the database, or q_cluster(redis="redis://…").',
            id="scheduled_tasks.W004",
        )
    ]


@register(Tags.compatibility)
def check_sync(**_options: Any) -> list[CheckMessage]:
    """W005: Q_CLUSTER["sync"] makes each task run in the process that starts it, web server and scheduler included."""
    if not (_cluster() or {}).get("sync"):
        return []
    return [
        Warning(
            'Q_CLUSTER["sync"] is set: a task runs in the web request or the scheduler that starts it, and blocks it.',
            hint="Remove it; for tests there is django_scheduled_tasks.engines.immediate.ImmediateEngine.",
            id="scheduled_tasks.W005",
        )
    ]


@register(Tags.compatibility)
def check_queues(**_options: Any) -> list[CheckMessage]:
    """W006: a task declares a queue that no cluster of Q_CLUSTER serves, so it waits for ever."""
    cluster = _cluster()
    if cluster is None:
        return []
    default = cluster.get("cluster_name") or cluster.get("name", "default")
    served = {"", default, *(cluster.get("ALT_CLUSTERS") or {})}
    return [
        Warning(
            f'The queue "{declaration.fields["queue"]}" of the task {declaration.name} is no cluster of Q_CLUSTER.',
            hint='Add it to Q_CLUSTER["ALT_CLUSTERS"], and start qcluster with Q_CLUSTER_NAME set to it.',
            obj=declaration.name,
            id="scheduled_tasks.W006",
        )
        for declaration in registry.declarations()
        if declaration.fields.get("queue", "") not in served
    ]


@register(Tags.compatibility)
def check_monitors(**_options: Any) -> list[CheckMessage]:
    """W016: a monitor outside cannot be told: its URL is in no setting and no variable, or sentry-sdk is missing."""
    try:
        found = get_settings()
    except ImproperlyConfigured:  # E001
        return []
    names = sorted({*found.PINGS.values(), *filter(None, [found.SCHEDULER_PING])})
    absent = [name for name in names if not getattr(settings, name, None) and not os.environ.get(name)]
    messages = [
        (f"PINGS or SCHEDULER_PING names {name}, which is no setting and no environment variable here.", "Set it.")
        for name in absent
    ]
    if found.SENTRY_MONITORS and find_spec("sentry_sdk") is None:
        install = 'pip install "django-scheduled-tasks-q2[sentry]"'
        messages.append(("SENTRY_MONITORS is set, but sentry-sdk is not installed.", install))
    return [Warning(message, hint=hint, id="scheduled_tasks.W016") for message, hint in messages]


@register(Tags.urls)
def check_urls(**_options: Any) -> list[CheckMessage]:
    """W007: a URL pattern before those of the REST API, such as a catch-all one, takes their requests."""
    return [
        Warning(
            f"{path} does not reach the REST API of django_scheduled_tasks: a pattern before it matches.",
            hint="Put the include of django_scheduled_tasks.api.urls before patterns that match everything.",
            id="scheduled_tasks.W007",
        )
        for path in map(_path_of_the_api, namespaces_of(_API))
        if path and not _reaches_the_api(path)
    ]


def _uses_django_q() -> bool:
    try:
        return get_settings().ENGINE == ScheduledTasksSettings().ENGINE
    except ImproperlyConfigured:  # E001 says so
        return False


def _cluster() -> dict[str, Any] | None:
    """Return the settings of django-q2, ``None`` if it is not used."""
    return getattr(settings, "Q_CLUSTER", {}) if _uses_django_q() else None


def namespaces_of(app_name: str) -> list[str]:
    """Return the namespaces under which the project mounts URLs of ours, with those around them.

    Args:
        app_name: Their application namespace.
    """
    try:
        return list(_namespaces(app_name, get_resolver(), []))
    except (ImproperlyConfigured, ImportError):  # Django's own checks of URLs say so
        return []


def _namespaces(app_name: str, resolver: URLResolver, around: list[str]) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inside = [*around, pattern.namespace] if pattern.namespace else around
            if pattern.app_name == app_name:
                yield ":".join(inside)
            else:
                yield from _namespaces(app_name, pattern, inside)


def _path_of_the_api(namespace: str) -> str:
    try:
        return reverse(f"{namespace}:health-list")
    except NoReverseMatch:  # mounted below a parameter
        return ""


def _reaches_the_api(path: str) -> bool:
    try:
        return _API in resolve(path).app_names
    except Resolver404:
        return True  # no pattern takes it away; a script prefix may stand before it
