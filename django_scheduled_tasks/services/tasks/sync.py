"""Bring the rows of tasks in step with what the code declares."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError
from django.db.models import Q

from django_scheduled_tasks.declarations import Declaration
from django_scheduled_tasks.exceptions import InvalidSchedule, ScheduledTasksError, TaskChanged, TaskNotFound
from django_scheduled_tasks.lifecycle import Origin, PauseCode
from django_scheduled_tasks.models import ScheduledTask, Way, read_now, write_alias, write_transaction
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.releases.own import own
from django_scheduled_tasks.services.tasks.broken import resume_known
from django_scheduled_tasks.services.tasks.declared.calendars import follow_declared_calendars
from django_scheduled_tasks.services.tasks.declared.precedence import Precedence
from django_scheduled_tasks.services.tasks.declared.rules import follow_declared_rules
from django_scheduled_tasks.services.tasks.edit import (
    _locked,
    _reschedule,
    create_task,
    is_same,
    resume,
    update_task,
    version_of,
)
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS, schedule_columns
from django_scheduled_tasks.services.tasks.tags import clean_tags
from django_scheduled_tasks.users import User

logger = logging.getLogger(__name__)


@dataclass
class SyncResult:
    """What :func:`sync_declared_tasks` did, by name of task."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    """What another release, which runs or has run until a moment ago, has a say in; to be tried again."""
    failed: dict[str, str] = field(default_factory=dict)


def declared_values(declaration: Declaration) -> dict[str, Any]:
    """Return the fields of *declaration* with defaults for the rest: a policy removed from the code is reset."""
    defaults = {
        column.name: column.get_default()
        for column in ScheduledTask._meta.concrete_fields
        if column.name in PUBLIC_FIELDS - {"name", "function", "schedule_kind", "expression", "timezone"}
    }
    fields = dict(declaration.fields)
    with suppress(ValidationError):  # else what stores it says what is wrong
        fields["tags"] = clean_tags(fields.get("tags", ()))
    return {
        **defaults,
        "description": declaration.function.description,
        **fields,
        "name": declaration.name,
        "function": declaration.function.name,
        **schedule_columns(declaration.schedule),
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
                if name in declared and not is_same(name, getattr(task, name), declared[name])
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
    """Create, update, rename and retire rows as the code declares; several processes may do so at once.

    A field changed by staff stays as it is. One wrong declaration does not stop the others. A task that is no longer
    declared is switched off and says so; its history stays, and it is switched on again if it comes back. While another
    release runs, :class:`~django_scheduled_tasks.services.tasks.declared.precedence.Precedence` says who has its
    way; what has to wait is in ``postponed``.
    """
    with through(Way.CODE, own().name):
        return _sync()


def _sync() -> SyncResult:
    result = SyncResult()
    result.failed |= {f"calendar:{name}": why for name, why in follow_declared_calendars().items()}
    declarations = registry.declarations()
    declared = {name_key(declaration.name) for declaration in declarations}
    rows = _concerned_rows(declarations)
    precedence = Precedence(rows.values())
    for declaration in declarations:
        try:
            _sync_one(declaration, rows, precedence, result)
        except TaskChanged:  # another process was quicker
            result.postponed.append(declaration.name)
        except ScheduledTasksError as exc:
            result.failed[declaration.name] = exc.message
            logger.error(
                "The task %s, declared in code, is not valid: %s",
                declaration.name,
                exc.message,
                extra={"task": declaration.name, "event": "not_valid"},
            )
        except (DatabaseError, InterfaceError):
            raise
        except Exception as exc:  # one declaration must not stop the others
            result.failed[declaration.name] = str(exc)
            logger.exception(
                "The task %s, declared in code, could not be stored",
                declaration.name,
                extra={"task": declaration.name, "event": "not_stored"},
            )
    for key, row in rows.items():
        if row.origin == Origin.CODE and key not in declared and row.retired_at is None:
            is_retired = precedence.may_retire(row) and _retire(row, precedence)
            (result.retired if is_retired else result.postponed).append(row.name)
        elif row.environments and _is_planned_wrongly(row):
            with write_transaction():
                found = _locked(row)
                _reschedule(found, copy.copy(found), now=read_now())
            result.updated.append(row.name)
    result.updated += resume_known().names
    follow_declared_rules(but=result.postponed)
    return result


def _concerned_rows(declarations: Iterable[Declaration]) -> dict[str, ScheduledTask]:
    """Return the rows that may have to change, by the key of their name; there may be many others."""
    names = {name_key(name) for one in declarations for name in (one.name, *one.formerly)}
    concerned = Q(name_key__in=names) | Q(origin=Origin.CODE) | ~Q(environments=[])
    return {row.name_key: row for row in ScheduledTask.objects.using(write_alias()).filter(concerned)}


def _is_planned_wrongly(row: ScheduledTask) -> bool:
    """Whether *row*, which is for some environments only, was planned in another environment than this one."""
    if not row.runs_here:
        return row.next_run_at is not None
    try:
        return row.next_run_at is None and first_run_at(row.policy, now=read_now(), run_count=row.run_count) is not None
    except InvalidSchedule:
        return False


def make_room_for_loaded(task: ScheduledTask, *, using: str) -> None:
    """Delete the row that ``migrate`` has made for a declared task which ``loaddata`` is about to load, unless it ran.

    Args:
        task: As it is in the fixture, with an id of its own.
        using: Into which database.
    """
    rows = ScheduledTask.objects.using(using).named(task.name).exclude(pk=task.pk)
    rows.filter(origin=Origin.CODE, executions=None).delete()


def _sync_one(
    declaration: Declaration, rows: dict[str, ScheduledTask], precedence: Precedence, result: SyncResult
) -> None:
    key = name_key(declaration.name)
    row = rows.get(key)
    if row is None:
        row = _renamed(declaration, rows, precedence)
    if row is None:
        if precedence.may_create(key):
            _create(declaration, precedence, result)
        else:
            result.postponed.append(declaration.name)
        return
    values = declared_values(declaration)
    wanted = {name: value for name, value in values.items() if name not in row.changed_fields}
    if row.name_key != key:
        wanted["name"] = declaration.name
    if row.retired_at is not None:
        wanted["retired_at"] = None
        wanted.setdefault("enabled", values["enabled"])
    if all(is_same(name, getattr(row, name), value) for name, value in wanted.items()) and row.origin == Origin.CODE:
        return
    if not precedence.may_write(row):
        result.postponed.append(declaration.name)
        return
    written_by, versions = precedence.written_by(), {version_of(row)}
    update_task(row, by_hand=False, versions=versions, origin=Origin.CODE, **written_by, **wanted)
    if row.retired_at is not None and row.pause_reason == messages.NOT_IN_CODE:
        resume(row)
    if row.name_key != key:
        rows[key] = rows.pop(row.name_key)
    result.updated.append(declaration.name)


def _renamed(declaration: Declaration, rows: dict[str, ScheduledTask], precedence: Precedence) -> ScheduledTask | None:
    """Return the row of the task that is now called otherwise: renamed here, or by the release that is rolled back."""
    declared = {name_key(one.name) for one in registry.declarations()}
    found = (rows.get(former) for former in map(name_key, declaration.formerly) if former not in declared)
    former = next((row for row in found if row is not None and row.origin == Origin.CODE), None)
    if former is not None:
        return former
    key = name_key(declaration.name)
    return next((row for row in rows.values() if precedence.was_renamed(row, key)), None)


def _create(declaration: Declaration, precedence: Precedence, result: SyncResult) -> None:
    with write_transaction():
        # Two processes may start at once: the lock on the name lets one of them create it.
        if not ScheduledTask.objects.using(write_alias()).named(declaration.name).exists():
            create_task(origin=Origin.CODE, **precedence.written_by(), **declared_values(declaration))
            result.created.append(declaration.name)


def _retire(found: ScheduledTask, precedence: Precedence) -> bool:
    """Switch *found* off; False if somebody has changed it meanwhile.

    Not through :func:`update_task`: its function is gone, so it would not be valid.
    """
    with write_transaction():
        try:
            row, now = _locked(found, {version_of(found)}), read_now()
        except (TaskChanged, TaskNotFound):
            return False
        before = copy.copy(row)
        row.enabled, row.retired_at = False, now
        if row.paused_by is None or not row.is_paused(now):  # a person's pause stays when the task comes back
            row.paused_at, row.paused_until, row.paused_by = now, None, None
            row.pause_reason, row.pause_code = messages.NOT_IN_CODE, PauseCode.NOT_IN_CODE
        for name, value in precedence.written_by().items():
            setattr(row, name, value)
        _reschedule(row, before, now=now)
    return True
