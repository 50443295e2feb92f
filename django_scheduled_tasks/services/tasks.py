"""Creating, changing, pausing and removing tasks, and keeping rows and code in step."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError
from django.db.models import Q

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import (
    FieldError,
    FunctionNotRegistered,
    InvalidInput,
    InvalidSchedule,
    ScheduledTasksError,
)
from django_scheduled_tasks.lifecycle import Origin, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, for_update, read_now, write_alias, write_transaction
from django_scheduled_tasks.models.fields import EARLIEST, check_instant
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.registry import Declaration, registry
from django_scheduled_tasks.services import recorded
from django_scheduled_tasks.services.validation import validate
from django_scheduled_tasks.services.wakeup import wake_schedulers

logger = logging.getLogger("django_scheduled_tasks")

SCHEDULE_FIELDS = frozenset(
    {"schedule_kind", "expression", "timezone", "starts_at", "ends_at", "max_runs", "enabled", "spread"}
)
"""Fields whose change makes the schedule be computed anew, from now."""
PUBLIC_FIELDS = frozenset(
    field.name
    for field in ScheduledTask._meta.concrete_fields
    if field.editable and field.name not in {"id", "name_key"}
)
"""Fields that people and programs may set."""


def create_task(*, user: AbstractBaseUser | None = None, origin: Origin = Origin.ADMIN, **values: Any) -> ScheduledTask:
    """Create a task; its schedule counts from now.

    Args:
        user: Who creates it; recorded.
        origin: Where it is defined.
        values: Fields of :class:`ScheduledTask`; ``name`` and ``function`` at least.
    Raises:
        InvalidTask: One item for each wrong field.
        InvalidSchedule, FunctionNotRegistered, InvalidParameters: As their names say.
    """
    now = read_now()
    values.setdefault("timezone", get_settings().time_zone)
    task = ScheduledTask(origin=origin, created_at=now, created_by=user, **values)  # type: ignore[misc]
    return _store(task, user=user, now=now, reschedule=True)


def update_task(
    task: ScheduledTask, *, user: AbstractBaseUser | None = None, by_hand: bool = True, **values: Any
) -> ScheduledTask:
    """Change fields of *task*. A change of the schedule counts from now: nothing before now becomes due.

    Args:
        task: Which.
        user: Who changes it; recorded.
        by_hand: Whether the fields then count as changed by staff, and stay so when the code changes.
        values: Fields and their new values.
    Raises:
        InvalidTask, InvalidSchedule, FunctionNotRegistered, InvalidParameters: As for :func:`create_task`.
    """
    with write_transaction():
        row = _locked(task)
        changed = {name for name, value in values.items() if getattr(row, name) != value}
        for name in changed:
            setattr(row, name, values[name])
        if by_hand and row.origin == Origin.CODE:
            row.changed_fields = sorted(set(row.changed_fields) | changed & declared_fields(row.name))
        if not changed:
            return row
        return _store(row, user=user, now=read_now(), reschedule=bool(changed & SCHEDULE_FIELDS))


def pause(
    task: ScheduledTask, *, reason: str = "", until: datetime | None = None, user: AbstractBaseUser | None = None
) -> ScheduledTask:
    """Let the schedule of *task* stand still; Run once still works.

    Args:
        task: Which.
        reason: Why; shown on the list.
        until: Aware; when it goes on by itself. None: when someone resumes it.
        user: Who; None: the scheduler.
    Raises:
        InvalidInput: *until* is an instant that not every database holds.
    """
    try:
        check_instant(until or EARLIEST)
    except ValidationError as exc:
        raise InvalidInput([FieldError("until", exc.messages[0], exc.code or "invalid")]) from None
    with write_transaction():
        row, now = _locked(task), read_now()
        row.paused_at, row.pause_reason, row.paused_until = now, reason[:500], until
        row.paused_by = row.updated_by = user  # type: ignore[assignment]  # whatever AUTH_USER_MODEL is
        return _reschedule(row, now=now)


def resume(task: ScheduledTask, *, user: AbstractBaseUser | None = None) -> ScheduledTask:
    """Let the schedule of *task* go on, from now: what was due during the pause stays undone."""
    with write_transaction():
        row = _locked(task)
        row.paused_at, row.pause_reason, row.paused_until, row.paused_by = None, "", None, None
        row.updated_by = user  # type: ignore[assignment]
        return _reschedule(row, now=read_now())


def delete_task(task: ScheduledTask) -> None:
    """Delete *task*. Its executions stay, with its name; those that were prepared but are not due go with it."""
    with write_transaction():
        # First of all, as everybody does: else somebody writes an execution of it while its history is let go.
        for_update(ScheduledTask.objects.filter(pk=task.pk), no_key=False).first()
        withdraw_prepared(task)
        task.delete()


def withdraw_prepared(task: ScheduledTask) -> None:
    """Take back executions that the scheduler wrote ahead of their time and that are not due yet."""
    Execution.objects.using(write_alias()).filter(
        task=task, trigger=Trigger.SCHEDULE, status=Status.PENDING, attempt=1, scheduled_for__gt=read_now()
    ).delete()


def _locked(task: ScheduledTask) -> ScheduledTask:
    return for_update(ScheduledTask.objects.all()).get(pk=task.pk)


def _reschedule(task: ScheduledTask, *, now: datetime) -> ScheduledTask:
    withdraw_prepared(task)
    try:
        task.next_run_at = first_run_at(task.policy, now=now, run_count=task.run_count)
    except InvalidSchedule:
        task.next_run_at = None
    task.updated_at = now
    task.save(using=write_alias())
    wake_schedulers()
    return task


def _store(task: ScheduledTask, *, user: AbstractBaseUser | None, now: datetime, reschedule: bool) -> ScheduledTask:
    validate(task)
    task.updated_at, task.updated_by = now, user  # type: ignore[assignment]
    with write_transaction():
        if reschedule:
            if task._state.db is not None:
                withdraw_prepared(task)
            task.next_run_at = first_run_at(task.policy, now=now, run_count=task.run_count)
        task.save(using=write_alias())
        if reschedule and task.next_run_at is not None:
            wake_schedulers()
    return task


# --- code and rows side by side -----------------------------------------------------------------------------------


@dataclass
class SyncResult:
    """What :func:`sync_declared_tasks` did, by name of task."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def declared_values(declaration: Declaration) -> dict[str, Any]:
    """Return the columns that *declaration* says, defaults included, so that a policy taken out of code goes back."""
    defaults = {
        column.name: column.get_default()
        for column in ScheduledTask._meta.concrete_fields
        if column.name in PUBLIC_FIELDS - {"name", "function", "schedule_kind", "expression", "timezone"}
    }
    schedule = declaration.schedule
    zone = getattr(schedule, "timezone", None)
    return {
        **defaults,
        "description": declaration.function.description,
        **declaration.fields,
        "name": declaration.name,
        "function": declaration.function.name,
        "schedule_kind": schedule.kind,
        "expression": schedule.expression,
        "timezone": zone.key if isinstance(zone, ZoneInfo) else get_settings().time_zone,
    }


def declared_fields(name: str) -> set[str]:
    """Return the fields that the code decides for the task called *name*; none if it is not declared there."""
    key = name_key(name)
    return set(PUBLIC_FIELDS) if any(name_key(item.name) == key for item in registry.declarations()) else set()


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


def put_back(task: ScheduledTask, fields: Iterable[str], *, user: AbstractBaseUser | None = None) -> ScheduledTask:
    """Give *fields* of *task* the values that the code says."""
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
    # Those that may have to change; there may be many others.
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
        except Exception as exc:  # whatever is wrong with it, the others go on
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
        row.enabled, row.retired_at, row.paused_at, row.pause_reason = False, now, now, recorded.NOT_IN_CODE
        _reschedule(row, now=now)
