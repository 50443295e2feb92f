"""Who changed what of a task: a row for each deed, written in the transaction of the deed itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django_scheduled_tasks.json_checks import same_json
from django_scheduled_tasks.models import Change, Deed, ScheduledTask, write_alias
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS
from django_scheduled_tasks.users import User

LONGEST = 2_000
"""How many characters of a value are kept."""
_COMPARED = tuple(
    field
    for field in ScheduledTask._meta.concrete_fields
    if field.name in PUBLIC_FIELDS - {"params"} | {"paused_until", "pause_reason", "skips"}
)


def record_change(task: ScheduledTask, *, before: ScheduledTask | None, user: User | None, at: datetime) -> None:
    """Record what makes *task* differ from what it was; one statement, or none if nothing does.

    Args:
        task: As it is stored now.
        before: As it was; None: it has been created.
        user: Who did it; None: a program, or the scheduler.
        at: When.
    """
    if before is None:
        _write(task, Deed.CREATED, [], user, at)
        return
    fields = [*_of_fields(before, task), *_of_parameters(before, task)]
    if (before.paused_at is None) != (task.paused_at is None):
        _write(task, Deed.RESUMED if task.paused_at is None else Deed.PAUSED, fields, user, at)
    elif fields:
        _write(task, Deed.CHANGED, fields, user, at)


def record_deletion(task: ScheduledTask, *, user: User | None, at: datetime) -> None:
    """Record that *task* is deleted; one statement."""
    _write(task, Deed.DELETED, [], user, at)


def _write(task: ScheduledTask, deed: Deed, fields: list[dict[str, Any]], user: User | None, at: datetime) -> None:
    Change.objects.using(write_alias()).create(
        task=task.pk,
        task_name=task.name,
        at=at,
        deed=deed,
        user=user,
        user_name="" if user is None else str(user)[:255],
        fields=fields,
    )


def _of_fields(before: ScheduledTask, after: ScheduledTask) -> Iterator[dict[str, Any]]:
    loaded = before.__dict__.keys() & after.__dict__.keys()  # the scheduler does not read all columns
    for field in (field for field in _COMPARED if field.attname in loaded):
        old, new = getattr(before, field.attname), getattr(after, field.attname)
        if old != new:
            yield {"field": field.name, "old": _text(field, before), "new": _text(field, after)}


def _text(field: Any, row: ScheduledTask) -> str | None:
    if field.name == "skips":
        return "; ".join(f"{one['from']} – {one['to']}" for one in row.skips or ()) or None
    return None if field.value_from_object(row) is None else str(field.value_to_string(row))[:LONGEST]


def _of_parameters(before: ScheduledTask, after: ScheduledTask) -> Iterator[dict[str, Any]]:
    """Yield the parameters that differ: that a secret is another one now is told, but not which."""
    if "params" not in before.__dict__ or same_json(before.params, after.params):
        return
    old, new = shown_params(before), shown_params(after)
    for name in sorted(before.params.keys() | after.params.keys()):
        if not same_json(before.params.get(name, ...), after.params.get(name, ...)):
            yield {"field": "params", "name": name, "old": _json(old, name), "new": _json(new, name)}


def _json(params: dict[str, Any], name: str) -> str | None:
    return json.dumps(params[name], ensure_ascii=False, sort_keys=True)[:LONGEST] if name in params else None
