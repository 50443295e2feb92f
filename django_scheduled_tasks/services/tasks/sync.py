"""Bring the rows of tasks in step with what the code declares."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError
from django.db.models import Q

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import (
    FunctionNotRegistered,
    ScheduledTasksError,
)
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import ScheduledTask, read_now, write_alias, write_transaction
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.registry import Declaration, registry
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.tasks.edit import _locked, _reschedule, create_task, resume, update_task
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS
from django_scheduled_tasks.services.tasks.tags import clean_tags
from django_scheduled_tasks.users import User

logger = logging.getLogger(__name__)


@dataclass
class SyncResult:
    """What :func:`sync_declared_tasks` did, by name of task."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def declared_values(declaration: Declaration) -> dict[str, Any]:
    """Return the fields of *declaration* with defaults for the rest: a policy removed from the code is reset."""
    defaults = {
        column.name: column.get_default()
        for column in ScheduledTask._meta.concrete_fields
        if column.name in PUBLIC_FIELDS - {"name", "function", "schedule_kind", "expression", "timezone"}
    }
    schedule, fields = declaration.schedule, dict(declaration.fields)
    with suppress(ValidationError):  # else what stores it says what is wrong
        fields["tags"] = clean_tags(fields.get("tags", ()))
    zone = getattr(schedule, "timezone", None)
    return {
        **defaults,
        "description": declaration.function.description,
        **fields,
        "name": declaration.name,
        "function": declaration.function.name,
        "schedule_kind": schedule.kind,
        "expression": schedule.expression,
        "timezone": zone.key if isinstance(zone, ZoneInfo) else get_settings().time_zone,
    }


def differences(task: ScheduledTask) -> dict[str, tuple[Any, Any]]:
    """Return the fields that staff changed, each with (value in the row, value in the code)."""
    key = name_key(task.name)
    for declaration in registry.declarations():
        if name_key(declaration.name) == key:
            declared = declared_values(declaration)
            return {
                name: (getattr(task, name), declared[name])
                for name in task.changed_fields
                if name in declared and getattr(task, name) != declared[name]
            }
    return {}


def put_back(task: ScheduledTask, fields: Iterable[str], *, user: User | None = None) -> ScheduledTask:
    """Reset *fields* of *task* to the values in the code."""
    wanted = differences(task)
    values = {name: wanted[name][1] for name in fields if name in wanted}
    with write_transaction():
        row = update_task(task, user=user, by_hand=False, **values)
        row.changed_fields = [name for name in row.changed_fields if name not in values]
        row.save(using=write_alias(), update_fields=["changed_fields"])
    return row


def sync_declared_tasks() -> SyncResult:
    """Create, update and retire rows as the code declares; several processes may do so at once.

    A field changed by staff stays as it is. One wrong declaration does not stop the others. A task that is no longer
    declared is switched off and says so; its history stays, and it is switched on again if it comes back.
    """
    result = SyncResult()
    declared: set[str] = set()
    declarations = registry.declarations()
    # Only rows that may have to change are read; there may be many others.
    concerned = Q(name_key__in=[name_key(one.name) for one in declarations]) | Q(origin=Origin.CODE)
    concerned |= Q(paused_at__isnull=False)
    rows = {row.name_key: row for row in ScheduledTask.objects.using(write_alias()).filter(concerned)}
    for declaration in declarations:
        key = name_key(declaration.name)
        declared.add(key)
        try:
            _sync_one(declaration, rows.get(key), result)
        except ScheduledTasksError as exc:
            result.failed[declaration.name] = exc.message
            logger.error("The task %s, declared in code, is not valid: %s", declaration.name, exc.message)
        except (DatabaseError, InterfaceError):
            raise
        except Exception as exc:  # one declaration must not stop the others
            result.failed[declaration.name] = str(exc)
            logger.exception("The task %s, declared in code, could not be stored", declaration.name)
    for key, row in rows.items():
        if row.origin == Origin.CODE and key not in declared and row.retired_at is None:
            _retire(row)
            result.retired.append(row.name)
        elif row.pause_reason == FunctionNotRegistered(row.function).message and row.function in registry.functions():
            resume(row)  # the scheduler paused it when the function was gone; it is back
            result.updated.append(row.name)
    return result


def make_room_for_loaded(task: ScheduledTask, *, using: str) -> None:
    """Delete the row that ``migrate`` has made for a declared task which ``loaddata`` is about to load, unless it ran.

    Args:
        task: As it is in the fixture, with an id of its own.
        using: Into which database.
    """
    rows = ScheduledTask.objects.using(using).named(task.name).exclude(pk=task.pk)
    rows.filter(origin=Origin.CODE, executions=None).delete()


def _sync_one(declaration: Declaration, row: ScheduledTask | None, result: SyncResult) -> None:
    values = declared_values(declaration)
    if row is None:
        using = write_alias()
        with write_transaction():
            # Two processes may start at once: the lock on the name lets one of them create it.
            if not ScheduledTask.objects.using(using).named(declaration.name).exists():
                create_task(origin=Origin.CODE, **values)
                result.created.append(declaration.name)
        return
    wanted = {name: value for name, value in values.items() if name not in row.changed_fields}
    if row.retired_at is not None:
        wanted["retired_at"] = None
        wanted.setdefault("enabled", values["enabled"])
    if any(getattr(row, name) != value for name, value in wanted.items()) or row.origin != Origin.CODE:
        update_task(row, by_hand=False, origin=Origin.CODE, **wanted)
        if row.retired_at is not None:
            resume(row)
        result.updated.append(declaration.name)


def _retire(row: ScheduledTask) -> None:
    """Switch *row* off. Not through :func:`update_task`: its function is gone, so it would not be valid."""
    with write_transaction():
        row, now = _locked(row), read_now()
        before = copy.copy(row)
        row.enabled, row.retired_at, row.paused_at, row.pause_reason = False, now, now, messages.NOT_IN_CODE
        row.pause_code = "not_in_code"
        _reschedule(row, before, now=now)
