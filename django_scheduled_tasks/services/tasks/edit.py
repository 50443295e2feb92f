"""Create, change, pause, resume and delete tasks."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.exceptions import (
    AlreadyPaused,
    FieldError,
    InvalidInput,
    InvalidSchedule,
    InvalidTask,
    TaskChanged,
    TaskNotFound,
)
from django_scheduled_tasks.json_checks import same_json
from django_scheduled_tasks.lifecycle import BROKEN, Origin, PauseCode
from django_scheduled_tasks.models import (
    Execution,
    ScheduledTask,
    TaskDay,
    calendar_stamps,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.limits import EARLIEST, check_instant
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.secrets import tree_of, with_secrets_of, without_secrets
from django_scheduled_tasks.services.tasks import standstill
from django_scheduled_tasks.services.tasks.changes.record import record_change, record_deletion
from django_scheduled_tasks.services.tasks.fields import SCHEDULE_FIELDS, declared_fields
from django_scheduled_tasks.services.tasks.validation import name_is_taken, validate
from django_scheduled_tasks.users import User

logger = logging.getLogger(__name__)

_PROMISES = ("must_succeed_every", "must_finish_by", "retired_at")
"""What a task promises counts from when one of these changed."""


def create_task(
    *, user: User | None = None, origin: Origin = Origin.ADMIN, reason: str = "", **values: Any
) -> ScheduledTask:
    """Create a task; its schedule counts from now.

    Args:
        user: Who creates it; recorded.
        origin: Where it is defined.
        reason: Why, for people; recorded.
        values: Fields of :class:`ScheduledTask`; ``name`` and ``function`` at least.
    Raises:
        InvalidTask: One item for each wrong field.
    """
    now = read_now()
    values.setdefault("timezone", get_settings().time_zone)
    task = ScheduledTask(origin=origin, created_at=now, created_by=user, **values)
    return _store(task, now=now, reschedule=True, why=_Why(user, reason))


def version_of(task: ScheduledTask) -> str:
    """Return a short text that is another one as soon as somebody has changed, paused or resumed *task*."""
    return hashlib.sha256(f"{task.pk} {task.updated_at.timestamp():.6f}".encode()).hexdigest()[:16]


def update_task(
    task: ScheduledTask,
    *,
    user: User | None = None,
    by_hand: bool = True,
    versions: Collection[str] | None = None,
    reason: str = "",
    puts_back: int | None = None,
    **values: Any,
) -> ScheduledTask:
    """Change fields of *task*. A change of the schedule counts from now: nothing before now becomes due.

    Another function does not get the secrets of the present one: of parameters that are not given with it, those that
    are secret are dropped. A mask in given parameters stands for the stored secret, as long as the function stays.

    Args:
        task: Which.
        user: Who changes it; recorded.
        by_hand: Whether the fields then count as changed by staff, and stay so when the code changes.
        versions: Change it only if it is still in one of these, see :func:`version_of`; None: in whichever it is.
        reason: Why, for people; recorded.
        puts_back: The id of the :class:`Change` of which this puts fields back.
        values: Fields and their new values.
    Raises:
        InvalidTask: As for :func:`create_task`.
        TaskNotFound: It has been deleted meanwhile.
        TaskChanged: It is in another version.
    """
    with write_transaction():
        row = _locked(task, versions)
        before = copy.copy(row)
        changed = assign(row, values)
        if by_hand and row.origin == Origin.CODE:
            row.changed_fields = sorted(set(row.changed_fields) | changed & declared_fields(row.name))
        if not changed:
            if "params" in values:  # an answer that came only to what differs would tell that a secret was guessed
                validate(copy.copy(row))
            return row
        is_other = bool(changed & SCHEDULE_FIELDS)
        return _store(row, now=read_now(), reschedule=is_other, before=before, why=_Why(user, reason, puts_back))


def assign(row: ScheduledTask, values: Mapping[str, Any]) -> set[str]:
    """Give *row* these values, as :func:`update_task` says; return the names of the fields that are others now."""
    values = {**values, **_params_of(row, values)}
    changed = {name for name, value in values.items() if not is_same(name, getattr(row, name), value)}
    for name in changed:
        setattr(row, name, values[name])
    if row.pause_code in BROKEN and changed & SCHEDULE_FIELDS:
        row.paused_at = read_now()  # nothing before the change becomes due
    return changed


def changed_task(task: ScheduledTask, **values: Any) -> ScheduledTask:
    """Return *task* as :func:`update_task` would leave it, checked and not stored; for previews.

    Raises:
        InvalidTask: As for :func:`update_task`.
    """
    row = copy.copy(task)
    for name, value in (values | _params_of(row, values)).items():
        setattr(row, name, value)
    validate(row)
    return row


def is_same(name: str, one: Any, other: Any) -> bool:
    """Whether *one* and *other* are the same value of the field called *name*."""
    return same_json(one, other) if name == "params" else bool(one == other)


def _params_of(row: ScheduledTask, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that *row* gets, if *values* have a say in them."""
    if values.get("function", row.function) != row.function:
        kept = without_secrets(row)
        row.secret_params = None  # it says nothing of the parameters of another function
        return {} if "params" in values else {"params": kept}
    return {"params": with_secrets_of(row, values["params"])} if "params" in values else {}


def pause(
    task: ScheduledTask,
    *,
    reason: str = "",
    until: datetime | None = None,
    user: User | None = None,
    code: PauseCode | None = None,
) -> ScheduledTask:
    """Let the schedule of *task* stand still; Run once still works. Who has paused it may pause it anew.

    Args:
        task: Which.
        reason: Why; shown on the list.
        until: Aware; when it goes on by itself. None: when someone resumes it.
        user: Who; None: the scheduler.
        code: Why the scheduler has paused it.
    Raises:
        InvalidInput: *until* is an instant that not every database holds.
        AlreadyPaused: Somebody else has paused it.
    """
    try:
        check_instant(until or EARLIEST)
    except ValidationError as exc:
        raise InvalidInput([FieldError("until", exc.messages[0], exc.code or "invalid")]) from None
    with write_transaction():
        row, now = _locked(task), read_now()
        if row.paused_at is not None and row.is_paused(now) and row.paused_by != user:
            known = row.pause_reason if row.paused_by else in_words(row.pause_reason)
            raise AlreadyPaused(task=row.name, since=row.paused_at, by=str(row.paused_by or ""), reason=known)
        before = copy.copy(row)
        row.paused_at, row.pause_reason, row.paused_until = now, reason[:500], until
        row.pause_code = code or ""
        row.paused_by = row.updated_by = user
        return _reschedule(row, before, now=now, why=_Why(user, row.pause_reason))


def resume(task: ScheduledTask, *, user: User | None = None, reason: str = "") -> ScheduledTask:
    """Let the schedule of *task* go on, from now: what was due during the pause stays undone, and has a row.

    Whoever has paused it. The schedule of a task that is not paused, or not any more, stays as it is: what is due
    starts.

    Args:
        task: Which.
        user: Who; recorded.
        reason: Why, for people; recorded.
    """
    with write_transaction():
        row, now = _locked(task), read_now()
        if not row.is_paused(now):
            return row
        before = copy.copy(row)
        standstill.clear_pause(row)
        row.stands_since, row.updated_by = before.stands_since, user  # it may be switched off as well
        return _reschedule(row, before, now=now, why=_Why(user, reason))


def delete_task(
    task: ScheduledTask, *, user: User | None = None, versions: Collection[str] | None = None, reason: str = ""
) -> None:
    """Delete *task*. Its executions stay, with its name.

    Args:
        task: Which.
        user: Who deletes it; recorded.
        versions: Delete it only if it is still in one of these, see :func:`version_of`; None: in whichever it is.
        reason: Why, for people; recorded.
    Raises:
        TaskChanged: It is in another version.
    """
    with write_transaction():
        # Locked first of all: else somebody writes an execution of it while its history is let go.
        row = for_update(ScheduledTask.objects.filter(pk=task.pk), no_key=False).first()
        _check_version(row or task, versions)
        if row is not None:
            record_deletion(row, user=user, at=read_now(), reason=reason)
        if task.key is None:
            TaskDay.objects.using(write_alias()).filter(task=task.pk).delete()
        task.delete()


def _locked(task: ScheduledTask, versions: Collection[str] | None = None) -> ScheduledTask:
    row = for_update(ScheduledTask.objects.filter(pk=task.pk)).first()
    if row is None:
        raise TaskNotFound(task.name)
    _check_version(row, versions)
    return row


def _check_version(task: ScheduledTask, versions: Collection[str] | None) -> None:
    if versions is not None and version_of(task) not in versions:
        raise TaskChanged(task.name)


class _Why(NamedTuple):
    """What is recorded of a change beside the fields."""

    user: User | None = None
    reason: str = ""
    puts_back: int | None = None


_NOBODY = _Why()


def _reschedule(task: ScheduledTask, before: ScheduledTask, *, now: datetime, why: _Why = _NOBODY) -> ScheduledTask:
    standstill.follow(before, task, now=now)
    try:
        task.next_run_at = first_run_at(task.policy, now=now, run_count=task.run_count)
    except InvalidSchedule:
        task.next_run_at = None
    task.updated_at = now
    task.save(using=write_alias())
    record_change(task, before=before, at=now, **why._asdict())
    wake_schedulers()
    return task


def _store(
    task: ScheduledTask, *, now: datetime, reschedule: bool, why: _Why, before: ScheduledTask | None = None
) -> ScheduledTask:
    validate(task)
    try:
        with write_transaction():
            if task.calendars and (before is None or before.calendars != task.calendars):
                task.calendar_stamps = calendar_stamps(task.calendars, lock=True)
            row = settle(task, before=before, now=now, user=why.user, reschedule=reschedule)
            if row is not None:
                standstill.record([row])
            task.save(using=write_alias())
            record_change(task, before=before, at=now, **why._asdict())
            if task.next_run_at is not None:  # of another queue or with other tags it may not be held any longer
                wake_schedulers()
    except IntegrityError as exc:
        if violated_constraint(exc, ScheduledTask) == "name_key":  # another task got the name meanwhile
            raise InvalidTask([name_is_taken()]) from exc
        raise
    return task


def _first(task: ScheduledTask, now: datetime) -> datetime | None:
    return first_run_at(task.policy, now=now, run_count=task.run_count)


def settle(
    task: ScheduledTask,
    *,
    before: ScheduledTask | None,
    now: datetime,
    user: User | None,
    reschedule: bool,
    first: Callable[[ScheduledTask, datetime], datetime | None] = _first,
) -> Execution | None:
    """Set what follows from the fields of *task*, which is valid and about to be stored.

    Args:
        task: As it will be.
        before: As it was; None: it is new.
        now: The database's present instant.
        user: Who changes it.
        reschedule: Whether its schedule is another one and counts from now.
        first: Finds its first occurrence from now on.
    Returns:
        The row of what was due while it stood still, for :func:`~.standstill.record`; None if nothing was.
    """
    if before is None or any(getattr(before, name) != getattr(task, name) for name in _PROMISES):
        task.expected_since = now
    task.secret_params = tree_of(task.function, task.params, task.secret_params)
    task.updated_at, task.updated_by = now, user
    if not reschedule:
        return None
    row = standstill.settled(before, task, now=now)
    task.next_run_at = first(task, now)
    return row
