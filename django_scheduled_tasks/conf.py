"""Settings: ``SCHEDULED_TASKS = {"LEASE": timedelta(minutes=2), …}`` in the project's settings module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_network
from types import UnionType
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

SETTING = "SCHEDULED_TASKS"
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=36_525)
"""A hundred years: with more, there are no instants to compute with."""
_LONGEST_NAME = 100
_MAY_BE_ZERO = frozenset({"MAX_WAITING_CALLS", "MAX_STREAMS", "MAX_STREAMS_IN_THREADS"})
_TYPES: dict[str, type | UnionType] = {
    "str": str,
    "bool": bool,
    "int": int,
    "int | None": int | None,
    "timedelta": timedelta,
    "timedelta | None": timedelta | None,
    "tuple[str, ...]": tuple,
    "Mapping[str, str]": dict,
}
"""With postponed annotations a field's type is its name."""


class _Frozen(dict[str, Any]):
    """A dictionary that nobody changes, so that settings with one can be kept."""

    def __hash__(self) -> int:  # type: ignore[override]  # of a dictionary it is None
        return hash(frozenset(self.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledTasksSettings:
    """All settings with their defaults; durations are ``timedelta``, sizes are bytes."""

    ENGINE: str = "django_scheduled_tasks.engines.django_q.DjangoQEngine"
    """Dotted path of the engine that carries executions to workers."""
    ENGINE_TIMEOUT: timedelta = timedelta(seconds=2)
    """How long a trigger waits for the engine to take its message; after that the scheduler sends it."""
    FUNCTIONS: tuple[str, ...] = ()
    """Functions that may run without a line in their module, as dotted paths of functions, or of tasks of Celery or of
    Django's Tasks framework, such as ``"shop.tasks.send_invoices"``; ``"shop.tasks.*"`` is each such task of that
    module."""
    ENVIRONMENT: str = ""
    """The name of this environment, such as ``production`` or ``staging``. A database that was adopted under another
    name is held as a copy: nothing runs by schedule. Empty: copies are told by other signs."""
    HOLD_AFTER_GAP: timedelta | None = None
    """A scheduler that starts after none was seen for so long, as after a restored backup, asks before it goes on. With
    None it goes on and catches up."""
    DATABASE_TIMEOUT: timedelta = timedelta(seconds=30)
    """How long a scheduler or a heartbeat waits for an answer of the database before it ends the connection."""
    STOP_TIMEOUT: timedelta = timedelta(seconds=30)
    """How long functions get to end when ``runscheduler --with-cluster`` stops; then the workers are killed."""
    RELEASE: str = ""
    """The name of the release of the project that this process runs; empty means that it is found out, from the
    environment, the installed distribution or git."""
    TIME_ZONE: str = ""
    """Time zone, by its IANA name, of schedules that name none; empty means Django's ``TIME_ZONE``."""
    LEASE: timedelta = timedelta(seconds=60)
    """How long a worker owns an attempt before it has to renew; a dead one is noticed within twice this."""
    POLL_INTERVAL: timedelta = timedelta(seconds=1)
    """The longest time the scheduler sleeps before it looks at the database again. Where it hears of changes, as on
    PostgreSQL without a pooler that shares connections, it is five seconds. It is never longer than
    ``PRESENCE_INTERVAL``, in which the scheduler says that it is there."""
    BATCH_SIZE: int = 500
    """How many due tasks one scheduler pass claims, and how many rows one statement of recovery or pruning touches."""
    RESEND_AFTER: timedelta = timedelta(seconds=30)
    """An execution still pending this long after it was sent is sent again; the wait doubles each time."""
    RESEND_AFTER_MAX: timedelta = timedelta(minutes=10)
    """The longest such wait."""
    PRESENCE_INTERVAL: timedelta = timedelta(seconds=10)
    """How often a scheduler or a worker host says that it is there; well below ``PRESENCE_TIMEOUT``."""
    PRESENCE_TIMEOUT: timedelta = timedelta(seconds=30)
    """A scheduler or worker not seen for this long counts as gone."""
    PARAMS_MAX_BYTES: int = 65_536
    """The largest parameters of one execution, as JSON."""
    RESULT_MAX_BYTES: int = 65_536
    """The largest result that is kept whole; a longer one is cut and marked."""
    ERROR_MAX_BYTES: int = 65_536
    """The longest error message and traceback kept, each."""
    LOG_MAX_LINES: int = 5_000
    """The most log lines kept for one execution."""
    LOG_MAX_BYTES: int = 1_048_576
    """The most bytes of log kept for one execution."""
    LOG_MAX_LINE_LENGTH: int = 4_096
    """The longest log line, in characters; a longer one is cut and marked."""
    KEEP_LAST: int = 1_000
    """How many ended executions of a task are kept, those that succeeded and the others counted apart."""
    KEEP_AT_LEAST: timedelta = timedelta(days=7)
    """Nothing younger is deleted because of KEEP_LAST, so that a status can be looked up for so long; a task's own
    ``keep_last`` holds at once."""
    KEEP_FOR: timedelta = timedelta(days=30)
    """For how long ended executions are kept."""
    KEEP_CHANGES_FOR: timedelta = timedelta(days=400)
    """For how long it is kept who changed what of a task."""
    PRUNE_INTERVAL: timedelta = timedelta(minutes=10)
    """How often the scheduler looks for executions that need not be kept any longer."""
    MAX_NOT_BEFORE: timedelta = timedelta(days=366)
    """How far ahead a run may be asked for."""
    ON_TIME: timedelta = timedelta(seconds=10)
    """Under ``catch_up="none"`` an occurrence still starts if it is found at most this late; no scheduler is early."""
    OPEN_HEALTH: bool = False
    """Whether ``GET health/ok/`` says "ok" or "not ok", and nothing else, without a login: for load balancers."""
    SITE_URL: str = ""
    """Where people reach the site, such as ``https://example.com``, for links in notices of alerts; empty: no links."""
    ALERT_TIMEOUT: timedelta = timedelta(seconds=10)
    """How long a channel gets to take a notice; then it is sent again later."""
    ALERT_NETWORKS: tuple[str, ...] = ()
    """Networks into which webhooks of alerts may go beside public addresses, such as ``("10.0.0.0/8",)``."""
    PINGS: Mapping[str, str] = field(default_factory=_Frozen)
    """By the name of a task, or a pattern such as ``"report-*"``, the name of the setting or environment variable that
    holds the URL which is told, as Healthchecks has it, how its executions begin and end. In the URL ``{slug}`` stands
    for the task's name."""
    SCHEDULER_PING: str = ""
    """The name of the setting or environment variable that holds the URL to which each scheduler says once a minute
    that it is alive; empty: to none."""
    SENTRY_MONITORS: tuple[str, ...] = ()
    """Names of tasks, or patterns, of which Sentry is told how their executions begin and end; ``("*",)``: of all."""
    METRICS_TOKEN: str = ""
    """The name of the setting or environment variable that holds the token with which Prometheus reads the metrics, as
    ``Authorization: Bearer …``; empty: only users with the permissions may."""
    METRICS_MAX_TASKS: int = 500
    """How many tasks have a name of their own in the metrics; those that come later count by their function."""
    MAX_WAITING_CALLS: int | None = None
    """How many REST calls with ``?wait=`` may hold a thread of one WSGI server process; others are answered at once.
    None: two, but none in a process with a single thread; 0: none."""
    MAX_STREAMS: int = 500
    """How many listeners to executions, as of ``events/``, one ASGI server process serves. With 0 it serves none."""
    MAX_STREAMS_IN_THREADS: int = 0
    """How many of them may hold a thread of one WSGI server process. With 0 streams are refused there."""
    STREAM_FOR: timedelta = timedelta(minutes=5)
    """How long a stream lasts; then the client connects again and goes on where it was, if it may still sign in."""

    VISIBLE_TASKS: str = ""
    """Dotted path of ``get_visible_tasks(user, queryset)``, which returns those tasks of a queryset that a user may see
    at all, in the admin and over REST, whatever permissions they have; empty: all."""
    SECRETS: tuple[str, ...] = ()
    """Names of settings or environment variables that parameters may refer to, as ``{"$secret": "STRIPE_KEY"}``; the
    worker looks them up just before it calls the function."""
    SECRET_NAMES: tuple[str, ...] = ()
    """Names of parameters and of keys in results that are secret, beside ``password``, ``token``, ``key`` and the like:
    ``("iban", "webhook_url")``. Whole words count, in ``snake_case`` as in ``camelCase``."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind = getattr(self, one.name), _TYPES[str(one.type)]
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise ImproperlyConfigured(f'{SETTING}["{one.name}"] must be a {one.type}, not {type(value).__name__}.')
            if isinstance(value, timedelta) and value > _LONGEST:
                raise ImproperlyConfigured(f'{SETTING}["{one.name}"] must not be longer than {_LONGEST.days} days.')
            if isinstance(value, timedelta) and value < _SHORTEST:
                raise ImproperlyConfigured(f'{SETTING}["{one.name}"] must be at least 1 second, not {value}.')
            texts = value if isinstance(value, tuple) else (*value, *value.values()) if isinstance(value, dict) else ()
            if not all(isinstance(text, str) for text in texts):
                raise ImproperlyConfigured(f'{SETTING}["{one.name}"] must have nothing but texts in it.')
            may_be_zero = one.name in _MAY_BE_ZERO
            if isinstance(value, int) and kind is not bool and value < (0 if may_be_zero else 1):
                raise ImproperlyConfigured(f'{SETTING}["{one.name}"] must be greater than zero, not {value}.')

        for network in self.ALERT_NETWORKS:
            try:
                ip_network(network)
            except ValueError as exc:
                raise ImproperlyConfigured(f'{SETTING}["ALERT_NETWORKS"]: {exc}.') from None
        name = self.ENVIRONMENT
        if "," in name or name != name.strip() or len(name) > _LONGEST_NAME:
            raise ImproperlyConfigured(
                f'{SETTING}["ENVIRONMENT"] has at most {_LONGEST_NAME} characters, no comma and no outer spaces.'
            )

    @property
    def time_zone(self) -> str:
        """The IANA name of the zone for schedules that name none."""
        return self.TIME_ZONE or django_settings.TIME_ZONE or "UTC"


def get_settings() -> ScheduledTasksSettings:
    """Return the settings. ``override_settings`` and changes of the dictionary take effect at the next call.

    Raises:
        ImproperlyConfigured: An unknown key, or a value of the wrong type.
    """
    given = getattr(django_settings, SETTING, {})
    try:
        return _build(**given)
    except TypeError:  # it has a value that cannot be hashed
        frozen = {name: _Frozen(value) if type(value) is dict else value for name, value in given.items()}
    try:
        return _build(**frozen)
    except TypeError:  # which no setting takes: say which
        return _build.__wrapped__(**given)


@lru_cache(maxsize=8, typed=True)
def _build(**given: Any) -> ScheduledTasksSettings:
    known = {one.name for one in fields(ScheduledTasksSettings)}
    if unknown := sorted(given.keys() - known):
        raise ImproperlyConfigured(
            f"{SETTING} has unknown keys: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
        )
    return ScheduledTasksSettings(**given)
