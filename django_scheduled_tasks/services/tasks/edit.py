"""Create, change, pause, resume and delete tasks."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import (
    FieldError,
    InvalidInput,
    InvalidSchedule,
)
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import ScheduledTask, for_update, read_now, write_alias, write_transaction
from django_scheduled_tasks.models.limits import EARLIEST, check_instant
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.tasks.fields import SCHEDULE_FIELDS, declared_fields
from django_scheduled_tasks.services.tasks.validation import validate

logger = logging.getLogger(__name__)


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
    """Delete *task*. Its executions stay, with its name."""
    with write_transaction():
        # First of all, as everybody does: else somebody writes an execution of it while its history is let go.
        for_update(ScheduledTask.objects.filter(pk=task.pk), no_key=False).first()
        task.delete()


def _locked(task: ScheduledTask) -> ScheduledTask:
    return for_update(ScheduledTask.objects.all()).get(pk=task.pk)


def _reschedule(task: ScheduledTask, *, now: datetime) -> ScheduledTask:
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
            task.next_run_at = first_run_at(task.policy, now=now, run_count=task.run_count)
        task.save(using=write_alias())
        if reschedule and task.next_run_at is not None:
            wake_schedulers()
    return task


# --- code and rows side by side -----------------------------------------------------------------------------------
