"""Putting back one field of a task to what it was before a recorded change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import JSONField

from django_scheduled_tasks.models import Change, ScheduledTask
from django_scheduled_tasks.parameters import has_mask
from django_scheduled_tasks.services.tasks.changes.record import LONGEST, field_text, parameter_text
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS

_TOGETHER = {"schedule_kind", "expression"}


@dataclass(frozen=True, slots=True)
class PutBack:
    """What would put a field back."""

    values: dict[str, Any]
    """As :func:`~django_scheduled_tasks.services.tasks.edit.update_task` takes them."""
    is_as_left: bool
    """Whether the task still has the value that the change gave the field; else it has been changed again since."""


def can_be_put_back(item: dict[str, Any]) -> bool:
    """Whether the record of a field says enough: nothing was masked, nothing was cut."""
    if item["field"] not in PUBLIC_FIELDS:
        return False
    old = item["old"]
    return old is None or (len(old) < LONGEST and not _is_masked(item))


def values_to_put_back(task: ScheduledTask, change: Change, field: str, name: str = "") -> PutBack | None:
    """Return what gives *task* the value that *field* had before *change*; None if the record does not say.

    Args:
        task: As it is now.
        change: A recorded change of it.
        field: One of its fields.
        name: Of ``params``, which parameter.
    """
    items = [one for one in change.fields if one["field"] == field and one.get("name", "") == name]
    if field in _TOGETHER:  # an expression means nothing without its kind
        items = [one for one in change.fields if one["field"] in _TOGETHER]
    if not items or not all(map(can_be_put_back, items)):
        return None
    try:
        if field == "params":
            (item,) = items
            params = {key: value for key, value in task.params.items() if key != name}
            if item["old"] is not None:
                params[name] = json.loads(item["old"])
            return PutBack({"params": params}, parameter_text(task, name) == item["new"])
        columns: dict[str, Any] = {item["field"]: ScheduledTask._meta.get_field(item["field"]) for item in items}
        values = {item["field"]: _read(columns[item["field"]], item["old"]) for item in items}
    except (ValueError, ValidationError):
        return None
    return PutBack(values, all(field_text(columns[item["field"]], task) == item["new"] for item in items))


def _read(column: Any, text: str | None) -> Any:
    if text is None:
        return None
    if isinstance(column, JSONField):
        return [word for part in text.split(",") if (word := part.strip())]
    return column.to_python(text)


def _is_masked(item: dict[str, Any]) -> bool:
    if item["field"] != "params":
        return False
    try:
        return bool(has_mask(json.loads(item["old"])))
    except ValueError:
        return True
