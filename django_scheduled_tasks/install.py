"""Help for a project's settings module; nothing here asks Django for anything, so that settings may import it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

NEEDED_APPS = {
    "rest_framework": "the REST API",
    "django_filters": "the REST API",
    "django_htmx": "the admin's pages",
    "django_q": "the workers",
    "django_scheduled_tasks": "all of it",
}
"""The apps, in the order in which they are added, and what needs each."""
SOCKET_TIMEOUT = 10
"""Seconds after which a Redis that does not answer is given up; django-q2 itself waits a second for each message."""


def with_scheduled_tasks(installed_apps: Iterable[str]) -> list[str]:
    """Return *installed_apps* with the apps that django_scheduled_tasks needs added at the end.

    What is there already stays where it is, also if it is given by its configuration class
    (``rest_framework.apps.RestFrameworkConfig``). Calling it twice changes nothing.
    """
    apps = list(installed_apps)
    return [*apps, *(needed for needed in NEEDED_APPS if not any(_is(app, needed) for app in apps))]


def _is(app: str, name: str) -> bool:
    return app == name or app.startswith(f"{name}.apps.")


def q_cluster(*, redis: str | None = None, orm: str = "default", **options: Any) -> dict[str, Any]:
    """Return settings for django-q2: ``Q_CLUSTER = q_cluster()``.

    Args:
        redis: The URL of a Redis that carries the messages. Its connections get a timeout unless the URL has one.
        orm: Without Redis: the alias of the database that carries them.
        options: Anything else of django-q2's ``Q_CLUSTER``, or other values; ``timeout`` moves ``retry`` above it.
    """
    timeout = options.get("timeout", 3600)
    broker = {"redis": _with_timeouts(redis)} if redis else {"orm": orm, "poll": 0.2}
    return broker | {"timeout": timeout, "retry": (timeout or 3600) + 100, "scheduler": False} | options


def _with_timeouts(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss"}:
        return url  # a socket on this machine
    defaults = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT}
    query = defaults | dict(parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(query=urlencode(query)).geturl()
