"""The row of an execution, not saved: what an occurrence, a backfill and Run once have in common."""

from __future__ import annotations

from datetime import datetime

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.planner import STARTS, Decision, DecisionKind
from django_scheduled_tasks.services.delivery.dispatch import schedule_sending

_OUTCOMES = {
    DecisionKind.SKIP: Outcome.SKIPPED,
    DecisionKind.MISS: Outcome.MISSED,
    DecisionKind.MISS_SUMMARY: Outcome.MISSED,
}


def row_of(task: ScheduledTask, decision: Decision, *, now: datetime, trigger: Trigger = Trigger.SCHEDULE) -> Execution:
    """Return the row, not saved, that records *decision* about *task*."""
    execution = Execution(
        task=task,
        task_name=task.name,
        function=task.function,
        trigger=trigger,
        params=task.params,
        triggered_at=now,
        scheduled_for=decision.scheduled_for,
        not_before=decision.not_before if decision.not_before and decision.not_before > now else None,
        occurrences=decision.count,
    )
    if decision.kind in STARTS:
        execution.lock_key = task.lock_key
        if task.expires_after is not None:
            execution.expires_at = (execution.not_before or now) + task.expires_after
        schedule_sending(execution, now=now)
        return execution
    execution.status, execution.outcome = Status.ERRORS, _OUTCOMES[decision.kind]
    execution.completed_at = now
    execution.error_code = str(execution.outcome)
    execution.error_message = decision.reason
    execution.blocked_by_id = decision.blocked_by
    return execution
