"""The ledger has no holes: what was due while a task stood still gets one row, written when it goes on.

A task stands still while it is switched off or paused, by somebody or because it is broken. ``stands_since`` is the
instant after which no occurrence has a row yet. Unlike a hold it forgets: what was due meanwhile is not caught up.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.planner import INSTANT, Stretch, left_out_until, occurrences_between
from django_scheduled_tasks.services.delivery.dispatch import new_row, row_of
from django_scheduled_tasks.services.queries.explain.standing import CHANGED, Why, sentence, stands, why
from django_scheduled_tasks.services.tasks.fields import SCHEDULE_FIELDS
from django_scheduled_tasks.signals import occurrence_skipped, send
from django_scheduled_tasks.store.insert import insert_missing


def follow(before: ScheduledTask | None, task: ScheduledTask, *, now: datetime) -> None:
    """Record what was due while the task stood still if that is over now; note it if it stands still from now on.

    Args:
        before: The row as it was; None: it is new.
        task: As it is about to be saved; its ``stands_since`` is set.
        now: The database's present instant.
    """
    if (row := settled(before, task, now=now)) is not None:
        record([row])


def settled(before: ScheduledTask | None, task: ScheduledTask, *, now: datetime) -> Execution | None:
    """Do the same, but return the row of what was due, for :func:`record`, instead of writing it."""
    row = None if before is None else _ended(before, task, now)
    task.calendars_since = now if task.calendars else None
    if task.paused_at is not None and not task.is_paused(now):  # it was over by itself
        since = task.stands_since
        clear_pause(task)
        task.stands_since = since
    if not stands(task, now):
        task.stands_since = None
    elif task.stands_since is None:
        task.stands_since = beginning(before, now)
    return row


def record(rows: Sequence[Execution]) -> None:
    """Write *rows* of what was left undone, and send a signal of each when that is committed."""
    insert_missing(rows)
    for row in rows:
        transaction.on_commit(partial(send, occurrence_skipped, Execution, execution=row), write_alias(), robust=True)


def beginning(task: ScheduledTask | None, now: datetime) -> datetime:
    """Return after which instant the occurrences of *task* have no row, if it stands still from *now* on."""
    due = task.next_run_at if task is not None else None
    return now if due is None or due > now else due - INSTANT


def clear_pause(task: ScheduledTask) -> None:
    """Let *task*, which is not saved here, be paused no longer."""
    task.paused_at = task.paused_until = task.paused_by = task.stands_since = None
    task.pause_reason = task.pause_code = ""


def resumed(task: ScheduledTask) -> ScheduledTask:
    """Return *task* as it would be without its pause; not to be stored."""
    found = copy.copy(task)
    clear_pause(found)
    return found


def _ended(before: ScheduledTask, task: ScheduledTask, now: datetime) -> Execution | None:
    """Return the row of what *before* left undone, if it is to be written now; *task* then begins anew."""
    found = why(before, now)
    is_changed = any(getattr(before, name) != getattr(task, name) for name in SCHEDULE_FIELDS - {"enabled"})
    if found is None:
        if before.next_run_at is not None and before.next_run_at > now:
            return left_out_row(before, now)
        if stands(task, now) or before.next_run_at is None:
            return None
        return skipped_row(before, Why(CHANGED, before.next_run_at - INSTANT, now, "", ""), now)
    if stands(before, now) and stands(task, now) and not is_changed:
        return None
    task.stands_since = None
    return skipped_row(before, found, now)


def skipped_row(task: ScheduledTask, reason: Why, now: datetime) -> Execution | None:
    """Return the row, not saved, of what was due of *task* between the instants of *reason*; None if nothing was."""
    try:
        due = occurrences_between(task.policy, after=reason.since, until=reason.until, run_count=task.run_count)
    except InvalidSchedule:  # nobody can say what was due
        return None
    if due is None:
        return None
    return _row(task, due, reason, now)


def left_out_row(task: ScheduledTask, now: datetime) -> Execution | None:
    """Return the row, not saved, of what calendars have left out since the last occurrence of *task*; None if nothing.

    Written before its schedule or a calendar becomes another one: it was decided by the present ones.
    """
    if not task.calendars:
        return None
    try:
        policy = task.policy
    except InvalidSchedule:
        return None
    found = left_out_until(policy, now + INSTANT)
    return row_of(task, found, now=now) if found is not None else None


def _row(task: ScheduledTask, due: Stretch, reason: Why, now: datetime) -> Execution:
    execution = new_row(task, trigger=Trigger.SCHEDULE, params=task.params, now=now)
    execution.scheduled_for, execution.occurrences, execution.completed_at = due.last, due.count, now
    execution.status, execution.outcome = Status.ERRORS, Outcome.SKIPPED
    execution.error_code, execution.error_message = reason.code, sentence(task, reason)
    return execution
