"""What only the database shows to be wrong; run by ``manage.py check --deploy``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Info, Tags, Warning, register  # noqa: A004  (Django's own name)
from django.db import DatabaseError, connections

from django_scheduled_tasks.conf import ScheduledTasksSettings, get_settings
from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidParameters, InvalidSchedule
from django_scheduled_tasks.models import PresenceKind, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.moving.sources.django_q2 import look_at_schedules
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.installation.state import look
from django_scheduled_tasks.services.installation.words import why
from django_scheduled_tasks.services.scheduling.presence import is_alive, last_seen, was_seen
from django_scheduled_tasks.services.tasks.calendars.horizon import endings
from django_scheduled_tasks.store.reading.system import read_isolation

_START = {
    PresenceKind.SCHEDULER: "Start one: python manage.py runscheduler.",
    PresenceKind.WORKER: "Start one: python manage.py qcluster.",
}
_SHOWN = 5
_HTMX = ("htmx.js", "htmx.min.js", "js/htmx.js", "js/htmx.min.js", "htmx/htmx.js", "htmx/htmx.min.js")
"""Where apps put the file, besides django-htmx's own ``django_htmx/htmx.min.js``."""


@register(Tags.compatibility, deploy=True)
def check_presence(**_options: Any) -> list[CheckMessage]:
    """W010: no scheduler or no worker has been seen lately, so nothing starts. I011: none has been started yet."""
    try:
        if not was_seen():
            return [
                Info(
                    "No scheduler and no worker has been started yet.",
                    hint="Start both with one command: python manage.py runscheduler --with-cluster.",
                    id="scheduled_tasks.I011",
                )
            ]
        return [_not_seen(kind) for kind in _START if not is_alive(kind)]
    except DatabaseError as exc:
        return [_not_looked_at(exc)]


def _not_seen(kind: PresenceKind) -> CheckMessage:
    seen = last_seen(kind)
    when = f"since {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "yet"
    return Warning(f"No {kind} has been seen {when}.", hint=_START[kind], id="scheduled_tasks.W010")


@register(Tags.compatibility, deploy=True)
def check_tasks(**_options: Any) -> list[CheckMessage]:
    """W011: a task can never run: its function is gone, its schedule is not valid, or it lacks a parameter."""
    try:
        return list(_task_warnings())
    except DatabaseError as exc:
        return [_not_looked_at(exc)]


def _task_warnings() -> Iterator[CheckMessage]:
    for task in ScheduledTask.objects.filter(enabled=True).iterator():
        try:
            _ = task.schedule_with_calendars
            registry.get(task.function).parameters.clean(task.params)
        except InvalidSchedule as exc:
            yield _cannot_run(task, f"its schedule is not valid: {exc.message}", "Correct the schedule.")
        except FunctionNotRegistered:
            hint = "Was it renamed? Choose the new function in the admin, or delete the task."
            yield _cannot_run(task, f"its function {task.function} is not in the code", hint)
        except InvalidParameters as exc:
            wrong = [error for error in exc.errors if error.code != "missing" or task.schedule_kind != "manual"]
            if wrong:
                said = " ".join(f"{error.field}: {error.message}" for error in wrong)
                yield _cannot_run(task, f"its parameters are not valid: {said}", "Correct the parameters.")


def _cannot_run(task: ScheduledTask, why: str, hint: str) -> CheckMessage:
    return Warning(f"The scheduled task {task.name} cannot run: {why}", hint=hint, id="scheduled_tasks.W011")


@register(Tags.compatibility, deploy=True)
def check_schedules_of_django_q(**_options: Any) -> list[CheckMessage]:
    """W017: django-q2's own schedules never run, since its scheduler is off; or they run twice, there and here."""
    cluster = getattr(settings, "Q_CLUSTER", {})
    if not apps.is_installed("django_q") or get_settings().ENGINE != ScheduledTasksSettings().ENGINE:
        return []
    try:
        found = look_at_schedules()
    except DatabaseError as exc:
        return [_not_looked_at(exc)]
    if cluster.get("scheduler") is False and found.only_there:
        return [
            Warning(
                f'Q_CLUSTER["scheduler"] is False, so schedules of django-q2 never run: {_some(found.only_there)}.',
                hint='Move them in: python manage.py import_tasks django-q2. Or set "scheduler": True.',
                id="scheduled_tasks.W017",
            )
        ]
    if cluster.get("scheduler") is not False and found.in_both:
        return [
            Warning(
                f"These run twice, as schedules of django-q2 and as tasks here: {_some(found.in_both)}.",
                hint='Delete the rows of Schedule, or set "scheduler": False in Q_CLUSTER.',
                id="scheduled_tasks.W017",
            )
        ]
    return []


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


@register(Tags.compatibility, deploy=True)
def check_htmx(**_options: Any) -> list[CheckMessage]:
    """W012: a second copy of htmx is among the static files; two on one page send each request twice."""
    copies = sorted({str(path) for name in _HTMX for path in finders.find(name, find_all=True)})
    if not copies:
        return []
    return [
        Warning(
            f"There is another copy of htmx besides that of django-htmx: {', '.join(copies)}.",
            hint="Do not load it on pages of the admin: ours load django-htmx's own.",
            id="scheduled_tasks.W012",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_installation(**_options: Any) -> list[CheckMessage]:
    """W013: the database is taken for a copy, so that nothing runs by schedule. I014: it has moved."""
    try:
        found = look()
    except DatabaseError as exc:
        return [_not_looked_at(exc)]
    row = found.installation
    if found.is_held:
        hint = "If this is where it is at home: python manage.py adopt_database."
        return [Warning(f"Nothing runs by schedule. {why(found)}", hint=hint, id="scheduled_tasks.W013")]
    if row is None or row.moved_at is None:
        return []
    return [
        Info(
            f"The database moved from {row.moved_from} to {row.address} on {row.moved_at:%Y-%m-%d}; it was taken as the"
            " same installation.",
            hint='If it is a copy, set SCHEDULED_TASKS["ENVIRONMENT"] to another name there.',
            id="scheduled_tasks.I014",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_environments(**_options: Any) -> list[CheckMessage]:
    """W014: tasks are limited to environments, but the setting ENVIRONMENT is empty, so that they run nowhere."""
    if get_settings().ENVIRONMENT:
        return []
    try:
        names = list(ScheduledTask.objects.exclude(environments=[]).order_by("name").values_list("name", flat=True)[:5])
    except DatabaseError as exc:
        return [_not_looked_at(exc)]
    if not names:
        return []
    return [
        Warning(
            f"These tasks are for some environments only, and this one has no name: {', '.join(names)}.",
            hint='Set SCHEDULED_TASKS["ENVIRONMENT"], such as "production".',
            id="scheduled_tasks.W014",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_isolation(**_options: Any) -> list[CheckMessage]:
    """W015: PostgreSQL begins transactions at another isolation level than the one that Django knows of."""
    connection: Any = connections[write_alias()]
    if connection.vendor != "postgresql" or "isolation_level" in connection.settings_dict["OPTIONS"]:
        return []
    try:
        level = read_isolation()
    except DatabaseError as exc:
        return [_not_looked_at(exc)]
    if level == "read committed":  # what Django takes for granted
        return []
    return [
        Warning(
            f"The server begins transactions at {level}, while Django takes them for read committed: of two"
            " starts of one task at the same instant the second may not see the first.",
            hint='Say so in DATABASES: "OPTIONS": {"isolation_level": IsolationLevel.…} (psycopg); or take it back with'
            " ALTER ROLE … RESET default_transaction_isolation.",
            id="scheduled_tasks.W015",
        )
    ]


@register(Tags.compatibility, deploy=True)
def check_calendars(**_options: Any) -> list[CheckMessage]:
    """W019: public holidays of a calendar are not known for long; after that each would be a working day."""
    try:
        found = endings(read_now())
    except DatabaseError as exc:
        return [_not_looked_at(exc)]
    hint = "Update the library: pip install --upgrade holidays."
    return [Warning(one.sentence, hint=hint, id="scheduled_tasks.W019") for one in found]


def _not_looked_at(exc: DatabaseError) -> CheckMessage:
    return Info(
        f"The database could not be asked about scheduled tasks: {exc}",
        hint="Run migrate first; then check --deploy looks at tasks, schedulers and workers as well.",
        id="scheduled_tasks.I010",
    )
