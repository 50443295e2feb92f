"""Whether a task is valid: its fields against one another, the registry and the database."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.timezone import get_default_timezone, is_aware, make_aware
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import (
    FieldError,
    FunctionNotRegistered,
    InvalidParameters,
    InvalidSchedule,
    InvalidTask,
)
from django_scheduled_tasks.lifecycle import CatchUp, LogLevel, OnExcluded, OnWorkerLost, Overlap
from django_scheduled_tasks.models import ScheduledTask, calendar_stamps, read_now, write_alias
from django_scheduled_tasks.models.limits import check_duration, check_instant, check_number, check_words
from django_scheduled_tasks.models.task import clean_name, name_key
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules.base import SECOND
from django_scheduled_tasks.services.tasks.tags import clean_tags

_KNOWN: dict[str, type[StrEnum]] = {
    "overlap": Overlap,
    "catch_up": CatchUp,
    "on_excluded": OnExcluded,
    "on_worker_lost": OnWorkerLost,
    "log_level": LogLevel,
}
"""Columns that take certain words only."""
MOST_CALENDARS = 8
MOST_MOVED_A_DAY = 48
"""Runs a day; of what is due more often, finding the next one that has moved would take long."""
_DOTTED = re.compile(r"[^\W\d]\w*(\.(<locals>|[^\W\d]\w*))*")


def validate(task: ScheduledTask) -> None:
    """Check all fields of *task* against one another, the registry and the database.

    Raises:
        InvalidTask: One item for each wrong field; those of the schedule and the parameters among them.
    """
    errors = name_errors(task) + field_errors(task)
    same = ScheduledTask.objects.using(write_alias()).filter(name_key=task.name_key).exclude(pk=task.pk)
    if task.name_key and same.exists():
        errors.append(name_is_taken())
    errors += schedule_errors(task) + parameter_errors(task)
    if errors:
        raise InvalidTask(errors)


def name_errors(task: ScheduledTask) -> list[FieldError]:
    """Bring the name of *task* into its canonical form; return what is wrong with it."""
    try:
        task.name = clean_name(task.name)
        task.name_key = name_key(task.name)
    except ValidationError as exc:
        return [FieldError("name", exc.messages[0], exc.code or "invalid")]
    return []


def field_errors(task: ScheduledTask) -> list[FieldError]:
    """Bring the fields of *task* into their canonical form; return what is wrong with them, each taken by itself.

    Not with its name, its schedule and its parameters. No statement.
    """
    errors: list[FieldError] = []
    try:
        task.clean_fields(exclude={"name", "name_key"})
    except ValidationError as exc:
        errors += [FieldError(name, " ".join(messages)) for name, messages in exc.message_dict.items()]
    try:
        task.tags = clean_tags(task.tags)
    except ValidationError as exc:
        errors.append(FieldError("tags", exc.messages[0], exc.code or "invalid"))
    task.log_level = str(task.log_level).upper()
    errors += _limit_errors(task, known={error.field for error in errors})
    return errors + _retry_errors(task)


def parameter_errors(task: ScheduledTask) -> list[FieldError]:
    """Bring the parameters of *task* into their canonical form; return what is wrong with them, or the function."""
    try:
        task.params = registry.get(task.function).parameters.clean(task.params)
    except FunctionNotRegistered as exc:
        return [FieldError("function", exc.message, exc.code)]
    except InvalidParameters as exc:
        return [
            FieldError(f"params.{wrong.field}", wrong.message, wrong.code)
            for wrong in exc.errors
            # A parameter that is missing can be given by Run once, but not by a schedule.
            if wrong.code != "missing" or task.schedule_kind != "manual"
        ]
    return []


def name_is_taken() -> FieldError:
    """Return what is wrong with a name that another task has."""
    return FieldError("name", _("There is a scheduled task of this name already."), "unique")


def _limit_errors(task: ScheduledTask, *, known: set[str]) -> list[FieldError]:
    """Return an error for each value that is out of the range that every database and the arithmetic of instants take,
    and for each name that would look like another line of a log.

    The one place for these rules: columns are filled by forms, the REST API and code.
    """
    errors = []
    for column in ScheduledTask._meta.concrete_fields:
        if column.name in known or not column.editable:
            continue
        try:
            _check_limits(column.name, getattr(task, column.attname))
        except ValidationError as exc:
            errors.append(FieldError(column.name, exc.messages[0], exc.code or "invalid"))
    return errors


def _check_limits(name: str, value: Any) -> None:
    """Raise ValidationError if *value* is beyond what the column called *name* takes."""
    if isinstance(value, timedelta):
        check_duration(value, name=name)
    elif isinstance(value, datetime):
        check_instant(value if is_aware(value) else make_aware(value, get_default_timezone()))
    elif name == "keep_last" and value is not None:
        check_number(value, least=1)
    elif name in _KNOWN and value not in set(_KNOWN[name]):
        raise ValidationError(_("Known are: %(names)s.") % {"names": ", ".join(_KNOWN[name])}, code="unknown")
    elif name in {"queue", "concurrency_group", "contact"}:
        check_words([value])
    elif name == "environments":
        check_words(value)


def _retry_errors(task: ScheduledTask) -> list[FieldError]:
    """Return an error for each name in ``retry_on`` that is none of an exception: it would never be retried.

    Nothing is imported for it, so of a module that this process has not imported any name is taken.
    """
    if not isinstance(task.retry_on, list):
        return [FieldError("retry_on", _("it has to be a list of names of exceptions."), "invalid")]
    text = _("There is no exception %(name)s.")
    return [
        FieldError("retry_on", text % {"name": name}, "unknown") for name in task.retry_on if not _names_exception(name)
    ]


def _names_exception(name: Any) -> bool:
    if not isinstance(name, str) or not _DOTTED.fullmatch(name):
        return False
    module, _dot, last = name.rpartition(".")
    if not module:
        module = "builtins"
    elif "<locals>" in name or module not in sys.modules:
        return True
    found = getattr(sys.modules[module], last, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def calendar_errors(task: ScheduledTask) -> list[FieldError]:
    """Note by which calendars, as they are now, *task* is planned; return what is wrong with them.

    One statement, if it has any.
    """
    task.calendars = list(dict.fromkeys(task.calendars))
    if not task.calendars:
        task.calendar_stamps = None
        return []
    if len(task.calendars) > MOST_CALENDARS:
        text = _("A task has at most %(most)s calendars.") % {"most": MOST_CALENDARS}
        return [FieldError("calendars", text, "too_many")]
    task.calendar_stamps = calendar_stamps(task.calendars)
    try:
        _schedule = task.schedule_with_calendars
    except InvalidSchedule as exc:
        return [FieldError("calendars", exc.message, exc.code)]
    moves = task.on_excluded in {OnExcluded.NEXT_ALLOWED, OnExcluded.PREVIOUS_ALLOWED}
    if moves and (count := _most_a_day(task)) > MOST_MOVED_A_DAY:
        text = _("It is due %(count)s times a day; runs can be moved by days if there are at most %(most)s.")
        values = {"count": count, "most": MOST_MOVED_A_DAY}
        return [FieldError("on_excluded", text % values, "too_many")]
    return []


def _most_a_day(task: ScheduledTask) -> int:
    """Return how often *task* is due within the day that follows its first occurrence from now on."""
    schedule, now = task.schedule, read_now()
    first = schedule.next_after(now)
    return 0 if first is None else schedule.count(first - SECOND, first - SECOND + timedelta(days=1))


def schedule_errors(task: ScheduledTask) -> list[FieldError]:
    """Bring the schedule of *task* into its canonical form; return what is wrong with it."""
    try:
        if not task.created_at:
            task.created_at = read_now()
        task.expression = task.schedule.expression
    except InvalidSchedule as exc:
        return [FieldError("timezone" if exc.field == "timezone" else "expression", exc.message, exc.code)]
    if errors := calendar_errors(task):
        return errors
    if task.starts_at and task.ends_at and task.ends_at <= task.starts_at:
        return [FieldError("ends_at", _("it has to be later than the start."), "order")]
    return []
