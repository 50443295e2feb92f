"""The document: tasks by name, with what differs from the defaults, without ids, people, state and secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any

from django.db.models import Field
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidSchedule
from django_scheduled_tasks.instants import camel
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.schedules import format_duration, parse_duration
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS

FORMAT, VERSION = "scheduled tasks", 1
MOST_TASKS = 100_000
ALWAYS = ("name", "function", "schedule_kind", "timezone")
"""Columns that stand in the document even where they are the default: a task is told by its name and its key."""
_NAME_LENGTH = 300


@cache
def carried() -> dict[str, Field[Any, Any]]:
    """Return the columns that are carried, by their names in the document, in the order of the model."""
    return {
        camel(column.name): column
        for column in ScheduledTask._meta.concrete_fields
        if column.name in PUBLIC_FIELDS or column.name == "key"
    }


def export_document(tasks: Iterable[ScheduledTask]) -> dict[str, Any]:
    """Return the document about *tasks*, ordered by name; see :func:`exported` for what is left out."""
    rows = sorted(filter(is_carried, tasks), key=lambda row: row.name_key)
    return {"format": FORMAT, "version": VERSION, "tasks": [exported(row) for row in rows]}


def is_carried(row: ScheduledTask) -> bool:
    """Whether it belongs to another environment as well: not if it is an owner's, or as the code declares it."""
    return not row.owner_type and (row.origin != Origin.CODE or bool(row.changed_fields))


def exported(row: ScheduledTask) -> dict[str, Any]:
    """Return one task as the document has it.

    Columns that are as they are by default are left out. Secrets are masked, references to secrets are not. Durations
    are texts such as ``2h30m``, instants ISO 8601 in UTC.
    """
    found: dict[str, Any] = {}
    for name, column in carried().items():
        value = shown_params(row) if column.name == "params" else getattr(row, column.attname)
        if column.name in ALWAYS or value != _default(column):
            found[name] = _written(value)
    return found


def read_document(document: Any) -> list[dict[str, Any]]:
    """Return the columns of each task of *document*; those that it leaves out have their defaults.

    Raises:
        InvalidInput: It is no such document, or of a later version; the field says where: ``tasks.3.grace``.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise _refusal("document", _('This is no export of scheduled tasks: its "format" is not "%s".') % FORMAT)
    if document.get("version") != VERSION:
        text = _("This release reads version %(version)s of the format; the document is of version %(given)s.")
        raise _refusal("version", text % {"version": VERSION, "given": str(document.get("version"))[:20]})
    tasks = document.get("tasks")
    if not isinstance(tasks, list) or len(tasks) > MOST_TASKS:
        raise _refusal("tasks", _("It has to be a list of at most %s tasks.") % MOST_TASKS)
    errors: list[FieldError] = []
    rows = [_read(task, f"tasks.{number}", errors) for number, task in enumerate(tasks)]
    errors += _twice(rows)
    if errors:
        raise InvalidInput(errors)
    return rows


def _refusal(field: str, message: str) -> InvalidInput:
    return InvalidInput([FieldError(field, message)])


def _twice(rows: Collection[Mapping[str, Any]]) -> list[FieldError]:
    """Return an error for each name or key that two tasks of the document have."""
    seen: set[tuple[str, str]] = set()
    errors = []
    for number, row in enumerate(rows):
        for column in ("name", "key"):
            value = str(row.get(column) or "").casefold()
            if value and (column, value) in seen:
                errors.append(
                    FieldError(f"tasks.{number}.{column}", _("Another task of the document has it."), "unique")
                )
            seen.add((column, value))
    return errors


def _read(task: Any, place: str, errors: list[FieldError]) -> dict[str, Any]:
    if not isinstance(task, Mapping):
        errors.append(FieldError(place, _("It has to be an object.")))
        return {}
    values = {column.name: _default(column) for column in carried().values() if column.name not in {"name", "function"}}
    for name, value in task.items():
        column = carried().get(name)
        if column is None:
            errors.append(FieldError(f"{place}.{name}"[:_NAME_LENGTH], _("There is no such field."), "unknown"))
            continue
        try:
            values[column.name] = _value(column, value)
        except (InvalidSchedule, TypeError, ValueError) as exc:
            message = exc.message if isinstance(exc, InvalidSchedule) else _("This is no value for it.")
            errors.append(FieldError(f"{place}.{name}", message))
    errors += [
        FieldError(f"{place}.{name}", _("It is needed."), "required")
        for name in ("name", "function")
        if not values.get(name)
    ]
    return values


def _default(column: Field[Any, Any]) -> Any:
    return column.get_default() if column.has_default() or not column.null else None


def _written(value: Any) -> Any:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, time):
        return value.isoformat()
    return value


def _value(column: Field[Any, Any], value: Any) -> Any:
    """Return *value* as *column* takes it; what it must not be is said when the task is checked."""
    if value is None:
        return _default(column)
    if isinstance(default := _default(column), (list, dict)):
        if not isinstance(value, type(default)):
            raise TypeError(value)
        return value
    kind = column.get_internal_type()
    if kind == "DurationField":
        return parse_duration(_text(value))
    if kind == "TimeField":
        return time.fromisoformat(_text(value))
    if kind == "DateTimeField":
        found = parse_datetime(_text(value))
        if found is None or is_naive(found):
            raise ValueError(value)
        return found
    if kind == "BooleanField" and not isinstance(value, bool):
        raise TypeError(value)
    if kind in {"CharField", "TextField"}:
        return _text(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
