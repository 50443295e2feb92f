"""Help for a project's settings module; nothing here asks Django for anything, so that settings may import it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

_API, _ADMIN = "the REST API", "the admin's pages"
NEEDED_APPS = {
    "rest_framework": _API,
    "django_filters": _API,
    "django_htmx": _ADMIN,
    "django_q": "the workers",
    "django_scheduled_tasks": "all of it",
}
"""The apps, in the order in which they are added, and what needs each."""
_BROKERS = frozenset({"orm", "redis", "django_redis", "sqs", "iron_mq", "mongo", "broker_class"})
"""The keys by which a ``Q_CLUSTER`` says what carries the messages."""
SOCKET_TIMEOUT = 10
"""Seconds after which a Redis that does not answer is given up; django-q2 itself waits a second for each message."""


def with_scheduled_tasks(installed_apps: Iterable[str], *, api: bool = True) -> list[str]:
    """Return *installed_apps* with the apps that django_scheduled_tasks needs added at the end.

    What is there already stays where it is, also if it is given by its configuration class
    (``rest_framework.apps.RestFrameworkConfig``). Calling it twice changes nothing. Where no admin is installed, what
    only its pages need is left out.

    Args:
        installed_apps: The project's.
        api: Whether the project includes the URLs of the REST API.
    """
    apps = list(installed_apps)
    unused = set() if api else {name for name, use in NEEDED_APPS.items() if use == _API}
    if not any("admin" in app for app in apps):
        unused |= {name for name, use in NEEDED_APPS.items() if use == _ADMIN}
    needed = [name for name in NEEDED_APPS if name not in unused]
    return [*apps, *(name for name in needed if not any(_is(app, name) for app in apps))]


def _is(app: str, name: str) -> bool:
    return app == name or app.startswith(f"{name}.apps.")


def q_cluster(
    present: Mapping[str, Any] | None = None,
    /,
    *,
    redis: str | Mapping[str, Any] | None = None,
    orm: str = "default",
    **options: Any,
) -> dict[str, Any]:
    """Return settings for django-q2: ``Q_CLUSTER = q_cluster()``.

    Args:
        present: A ``Q_CLUSTER`` that the project has already: all of it is kept, its schedules go on, and only what is
            missing is added.
        redis: The URL of a Redis that carries the messages, or its connection as a dictionary. Its connections get a
            timeout unless it has one.
        orm: Without another broker: the alias of the database that carries them.
        options: Anything else of django-q2's ``Q_CLUSTER``, or other values; ``timeout`` moves ``retry`` above it.
    """
    given = {**(present or {}), **({"redis": redis} if redis else {}), **options}
    if given.get("redis"):
        given["redis"] = _with_timeouts(given["redis"])
    timeout = given.get("timeout", None if present else 3600)
    found: dict[str, Any] = {} if _BROKERS & given.keys() else {"orm": orm, "poll": 0.2}
    found |= {"timeout": timeout, "retry": (timeout or 3600) + 100}
    if present is None:
        found["scheduler"] = False
    return found | given


def _with_timeouts(redis: Any) -> Any:
    defaults = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT}
    if isinstance(redis, Mapping):
        return defaults | dict(redis)
    parts = urlsplit(redis)
    if parts.scheme not in {"redis", "rediss"}:
        return redis  # a socket on this machine
    query = defaults | dict(parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(query=urlencode(query)).geturl()
