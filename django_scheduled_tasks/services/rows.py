"""The row of an execution, not saved: what Run once, an occurrence and a backfill have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django_scheduled_tasks.db.rows import blank
from django_scheduled_tasks.lifecycle import Outcome, Overlap, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.planner import STARTS, Decision, DecisionKind
from django_scheduled_tasks.services.delivery.dispatch import schedule_sending

_OUTCOMES = {
    DecisionKind.SKIP: Outcome.SKIPPED,
    DecisionKind.MISS: Outcome.MISSED,
    DecisionKind.MISS_SUMMARY: Outcome.MISSED,
}


def new_row(task: ScheduledTask, *, trigger: Trigger, params: Mapping[str, Any], now: datetime) -> Execution:
    """Return a pending execution of *task*, triggered at *now*; :func:`let_start` says when it starts."""
    execution: Execution = blank(Execution)
    execution.task = task
    execution.task_name = task.name
    execution.function = task.function
    execution.trigger = trigger
    execution.params = params
    execution.triggered_at = now
    return execution


def let_start(
    execution: Execution, task: ScheduledTask, *, not_before: datetime | None, overlap: Overlap, now: datetime
) -> None:
    """Set what decides when *execution* starts: its key, from when and until when it may, and when it is sent."""
    execution.lock_key = task.lock_key_for(overlap)
    execution.not_before = not_before
    if task.expires_after:
        execution.expires_at = (not_before or now) + task.expires_after
    schedule_sending(execution, now=now)


def row_of(
    task: ScheduledTask,
    decision: Decision,
    *,
    now: datetime,
    trigger: Trigger = Trigger.SCHEDULE,
    overlap: Overlap | None = None,
) -> Execution:
    """Return the row that records *decision* about *task*, under its overlap policy or another one."""
    execution = new_row(task, trigger=trigger, params=task.params, now=now)
    execution.scheduled_for, execution.occurrences = decision.scheduled_for, decision.count
    if decision.kind in STARTS:
        is_later = decision.not_before is not None and decision.not_before > now
        not_before = decision.not_before if is_later else None
        let_start(execution, task, not_before=not_before, overlap=Overlap(overlap or task.overlap), now=now)
        return execution
    execution.status, execution.outcome = Status.ERRORS, _OUTCOMES[decision.kind]
    execution.completed_at = now
    execution.error_code = str(execution.outcome)
    execution.error_message = decision.reason
    execution.blocked_by_id = decision.blocked_by
    return execution
