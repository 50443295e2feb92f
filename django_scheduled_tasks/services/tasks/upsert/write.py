"""Write what an upsert wants: what is as it shall be is not touched, what is new is inserted, the rest is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import OperationalError, connections
from uuid_utils.compat import uuid7

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.errors import gave_way
from django_scheduled_tasks.db.loaders import bare_row
from django_scheduled_tasks.db.rows import blank
from django_scheduled_tasks.exceptions import FieldError, InvalidTask, ScheduledTasksError, TaskChanged
from django_scheduled_tasks.models import (
    Change,
    ScheduledTask,
    calendar_stamps,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.services.tasks import standstill
from django_scheduled_tasks.services.tasks.changes.record import change_of
from django_scheduled_tasks.services.tasks.edit import assign, is_same, settle
from django_scheduled_tasks.services.tasks.fields import SCHEDULE_FIELDS
from django_scheduled_tasks.services.tasks.upsert.wanted import Wanted, made_name
from django_scheduled_tasks.services.tasks.validation import name_is_taken, parameter_errors, schedule_errors
from django_scheduled_tasks.store.keys import insert_changes, insert_tasks, lock_by_id, read_by_key, replace_tasks
from django_scheduled_tasks.users import User

_TRIES = 20
"""So often a key is looked for that another process has just taken, or let go."""
_BEGUN_AGAIN = 5
"""So often a batch is written anew that the database has ended in favour of another transaction."""


class DoneKind(StrEnum):
    """What came of one row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(slots=True)
class Done:
    """What came of one row: a task, or an error."""

    index: int
    key: str
    kind: DoneKind | None = None
    task: ScheduledTask | None = None
    error: ScheduledTasksError | None = None


Authorize = Callable[["ScheduledTask | None", ScheduledTask], None]
"""Called with a task as it is, None for a new one, and as it would be; raises if the caller may not do that."""


@dataclass
class _Write:
    """One batch that is being written."""

    user: User | None
    reason: str
    authorize: Authorize | None
    done: dict[str, Done] = field(default_factory=dict)
    """By key."""
    schedules: dict[tuple[Any, ...], tuple[str, dict[str, str] | None, list[FieldError]]] = field(default_factory=dict)
    firsts: dict[tuple[Any, ...], datetime | None] = field(default_factory=dict)

    def end(self, wanted: Wanted, kind: DoneKind, task: ScheduledTask) -> None:
        """Note what came of a row."""
        self.done[wanted.key] = Done(wanted.index, wanted.key, kind, task)

    def refuse(self, wanted: Wanted, error: ScheduledTasksError) -> None:
        """Note why nothing came of it."""
        self.done[wanted.key] = Done(wanted.index, wanted.key, error=error)

    def schedule_errors(self, task: ScheduledTask) -> list[FieldError]:
        """Do what the function of this name does, once for all tasks that have the same schedule."""
        key = _when(task)
        if key not in self.schedules:
            errors = schedule_errors(task)
            if task.calendars and not errors:
                task.calendar_stamps = calendar_stamps(task.calendars, lock=True)
            self.schedules[key] = task.expression, task.calendar_stamps, errors
        task.expression, task.calendar_stamps, errors = self.schedules[key]
        return errors

    def first(self, task: ScheduledTask, now: datetime) -> datetime | None:
        """Return the first occurrence of a task from *now* on, found once for all that have the same schedule."""
        pause = task.paused_at, task.paused_until
        anchor = None if task.schedule_kind == "cron" else task.created_at
        runs = task.max_runs, task.run_count if task.max_runs else 0
        key = (*_when(task), *runs, *pause, anchor, task.enabled, *task.environments)
        if key not in self.firsts:
            self.firsts[key] = first_run_at(task.policy, now=now, run_count=task.run_count)
        return self.firsts[key]


def _when(task: ScheduledTask) -> tuple[Any, ...]:
    calendars = tuple(task.calendars), str(task.on_excluded)
    return (task.schedule_kind, task.expression, task.timezone, task.starts_at, task.ends_at, *calendars)


def write_rows(
    rows: Sequence[Wanted], *, user: User | None = None, reason: str = "", authorize: Authorize | None = None
) -> list[Done]:
    """Write *rows*, whose keys all differ, in one transaction; those that are wrong are left out.

    1. Read what there is; a row that is there as it shall be costs nothing more.
    2. Insert what is missing; of two at once the database lets one.
    3. Lock what shall become another one, and what somebody else has just inserted; replace it.

    Args:
        rows: As read, without errors.
        user: Who; recorded.
        reason: Why; recorded.
        authorize: See :data:`Authorize`.
    Returns:
        What came of each, in order. The schedulers have not been told yet.
    """
    write = _Write(user, reason, authorize)
    known = read_by_key(wanted.key for wanted in rows)
    rest = [wanted for wanted in rows if not _is_unchanged(write, known, wanted)]
    if rest:
        _insist(write, rest, known)
    return [write.done[wanted.key] for wanted in rows]


def _insist(write: _Write, rest: list[Wanted], known: dict[str, ScheduledTask]) -> None:
    """Write *rest* in one transaction, and begin again if a deadlock ended it; not within one of the caller's."""
    done = dict(write.done)
    for number in range(_BEGUN_AGAIN):
        try:
            with write_transaction():
                _write_rest(write, list(rest), known)
        except OperationalError as exc:
            is_last = number == _BEGUN_AGAIN - 1
            if is_last or connections[write_alias()].in_atomic_block or not gave_way(exc):
                raise
            write.done = dict(done)
            known = read_by_key(wanted.key for wanted in rest)
        else:
            return


def _is_unchanged(write: _Write, known: dict[str, ScheduledTask], wanted: Wanted) -> bool:
    """Note it if *wanted* is there as it shall be, or cannot be; return False if something is to be written."""
    row = known.get(wanted.key)
    if row is None:
        return False
    try:
        changed = _change(write, _copy(row), row, wanted)
    except ScheduledTasksError as exc:
        write.refuse(wanted, exc)
        return True
    if not changed:
        write.end(wanted, DoneKind.UNCHANGED, row)
    return not changed


def _change(write: _Write, row: ScheduledTask, before: ScheduledTask, wanted: Wanted) -> set[str]:
    """Make *row* as *wanted*, not saved; return the names of the fields that are others than *before*.

    Raises:
        InvalidTask: It would not be valid.
        PermissionDenied: The caller may not do that.
    """
    changed = assign(row, wanted.values)
    if write.authorize is not None:
        write.authorize(before, row)
    errors = [*write.schedule_errors(row)] if changed & SCHEDULE_FIELDS else []
    if "name" in changed:
        row.name_key = name_key(row.name)
    if "params" in wanted.values or "function" in changed:
        errors += parameter_errors(row)
    if errors:
        raise InvalidTask(errors)
    return {name for name in changed if not is_same(name, getattr(before, name), getattr(row, name))}


def _write_rest(write: _Write, rest: list[Wanted], known: dict[str, ScheduledTask]) -> None:
    rest.sort(key=lambda wanted: wanted.key)  # two at once go the same way, so that none waits for the other crosswise
    now = read_now()
    changes: list[Change | None] = []
    for number in range(_TRIES):
        missing = [wanted for wanted in rest if wanted.key not in known]
        changes += _insert(write, missing, now, surely_own=number > 0)
        changes += _replace(write, [wanted for wanted in rest if wanted.key in known], known, now)
        rest = [wanted for wanted in rest if wanted.key not in write.done]
        if not rest:
            break
        known = read_by_key(wanted.key for wanted in rest)
        rest = _refuse_taken(write, rest, known)
    for wanted in rest:
        write.refuse(wanted, TaskChanged(wanted.key))
    insert_changes([change for change in changes if change is not None])


def _refuse_taken(write: _Write, rest: list[Wanted], known: dict[str, ScheduledTask]) -> list[Wanted]:
    """Refuse those that shall be made under a name that another task has; return the others."""
    named = {name_key(wanted.values["name"]): wanted for wanted in rest if "name" in wanted.values}
    if not named:
        return rest
    rows = ScheduledTask.objects.using(write_alias()).filter(name_key__in=list(named))
    taken = {name for name, key in rows.values_list("name_key", "key") if key != named[name].key}
    for name in taken:
        if named[name].key not in known:
            write.refuse(named[name], InvalidTask([name_is_taken()]))
    return [wanted for wanted in rest if wanted.key not in write.done]


def _insert(write: _Write, missing: Iterable[Wanted], now: datetime, *, surely_own: bool) -> list[Change | None]:
    """Insert the tasks of *missing*; those of which somebody else was quicker are not done yet."""
    made: dict[str, tuple[Wanted, ScheduledTask]] = {}
    for wanted in missing:
        try:
            made[wanted.key] = wanted, _new_task(write, wanted, now, surely_own=surely_own)
        except ScheduledTasksError as exc:
            write.refuse(wanted, exc)
    changes = []
    for task in insert_tasks([task for _wanted, task in made.values()]):
        write.end(made[str(task.key)][0], DoneKind.CREATED, task)
        changes.append(change_of(task, before=None, user=write.user, at=now, reason=write.reason))
    return changes


def _new_task(write: _Write, wanted: Wanted, now: datetime, *, surely_own: bool) -> ScheduledTask:
    """Return a task as *wanted*, not saved.

    Raises:
        InvalidTask: It would not be valid.
        PermissionDenied: The caller may not make it.
    """
    task: ScheduledTask = blank(ScheduledTask)
    values = task.__dict__
    values |= {"timezone": get_settings().time_zone, "created_at": now, **wanted.values}
    values |= {"id": uuid7(), "key": wanted.key, "params": dict(task.params)}
    if "name" not in wanted.values:
        values["name"] = made_name(task.function, wanted.key, surely_own=surely_own)
    values["name_key"] = name_key(task.name)
    if write.user is not None:
        task.created_by = write.user
    errors = write.schedule_errors(task) + parameter_errors(task)
    if errors:
        raise InvalidTask(errors)
    if write.authorize is not None:
        write.authorize(None, task)
    settle(task, before=None, now=now, user=write.user, reschedule=True, first=write.first)
    return task


def _replace(write: _Write, there: list[Wanted], known: dict[str, ScheduledTask], now: datetime) -> list[Change | None]:
    """Lock the tasks of *there*, and change what is to be changed; those that are gone are not done yet."""
    locked = lock_by_id(known[wanted.key].pk for wanted in there)
    replaced: list[tuple[Wanted, ScheduledTask, ScheduledTask, set[str]]] = []
    for wanted in there:
        row = locked.get(known[wanted.key].pk)
        if row is None or row.key != wanted.key:
            continue
        before = _copy(row)
        try:
            changed = _change(write, row, before, wanted)
        except ScheduledTasksError as exc:
            write.refuse(wanted, exc)
            continue
        if changed:
            replaced.append((wanted, row, before, changed))
        else:
            write.end(wanted, DoneKind.UNCHANGED, row)
    taken = _taken_names([row for _wanted, row, _before, changed in replaced if "name" in changed])
    undone, written, changes = [], [], []
    for wanted, row, before, changed in replaced:
        if "name" in changed and row.name_key in taken:
            write.refuse(wanted, InvalidTask([name_is_taken()]))
            continue
        is_other = bool(changed & SCHEDULE_FIELDS)
        undone.append(settle(row, before=before, now=now, user=write.user, reschedule=is_other, first=write.first))
        written.append(row)
        changes.append(change_of(row, before=before, user=write.user, at=now, reason=write.reason))
        write.end(wanted, DoneKind.UPDATED, row)
    if rows := [row for row in undone if row is not None]:
        standstill.record(rows)
    replace_tasks(written)
    return changes


def _taken_names(renamed: Sequence[ScheduledTask]) -> set[str]:
    """Return those of the new names of *renamed* that other tasks have, or that are in it twice."""
    if not renamed:
        return set()
    names = [row.name_key for row in renamed]
    rows = ScheduledTask.objects.using(write_alias()).filter(name_key__in=names).exclude(pk__in=[r.pk for r in renamed])
    return set(rows.values_list("name_key", flat=True)) | {name for name in names if names.count(name) > 1}


def _copy(row: ScheduledTask) -> ScheduledTask:
    """Return a copy; its values are shared, since they are set and never changed."""
    found: ScheduledTask = bare_row(ScheduledTask)
    found.__dict__.update({name: value for name, value in row.__dict__.items() if name != "_state"})
    found._state.adding, found._state.db = row._state.adding, row._state.db
    return found
