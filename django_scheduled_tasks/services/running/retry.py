"""Whether, and when, an attempt that did not succeed is followed by another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_scheduled_tasks.backoff import retry_wait
from django_scheduled_tasks.lifecycle import OnWorkerLost, Outcome, Trigger
from django_scheduled_tasks.models import Execution

NOT_WORTH_TRYING = frozenset({"function_not_registered", "invalid_parameters"})
"""Codes of failures that would be the same the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt ended that did not succeed."""

    outcome: Outcome
    code: str
    message: str
    type: str = ""
    traceback: str = ""
    kinds: tuple[str, ...] = field(default=())
    """Names of the exception's type and its base types, for ``retry_on``."""

    def columns(self) -> dict[str, Any]:
        """Return the columns that keep it."""
        return {
            "error_code": self.code,
            "error_type": self.type,
            "error_message": self.message,
            "traceback": self.traceback,
        }


NO_FAILURE = {"error_code": "", "error_type": "", "error_message": "", "traceback": ""}
"""The columns as they are without a failure."""


def next_attempt_at(execution: Execution, failure: Failure, *, now: datetime) -> datetime | None:
    """Return when the next attempt starts, or None if there is none.

    Args:
        execution: Its task with it.
        failure: How the present attempt ended.
        now: The database's present instant.
    Source:
        The waits are those of Google Cloud Scheduler's retry settings; the stop rules those of Amazon EventBridge
        Scheduler (attempts and age), and a retry never runs into the next occurrence.
    """
    task = execution.task
    if task is None or execution.attempt >= task.max_attempts or not _is_worth_trying(execution, failure):
        return None
    again_at = now + retry_wait(
        execution.attempt, least=task.min_backoff, most=task.max_backoff, doublings=task.max_doublings
    )
    if task.max_age is not None and again_at - execution.triggered_at > task.max_age:
        return None
    if execution.trigger == Trigger.SCHEDULE and task.next_run_at is not None and again_at >= task.next_run_at:
        return None
    return again_at


def _is_worth_trying(execution: Execution, failure: Failure) -> bool:
    task = execution.task
    if task is None or failure.outcome == Outcome.CANCELLED or execution.cancel_requested_at is not None:
        return False
    if failure.outcome == Outcome.WORKER_LOST:
        return task.on_worker_lost == OnWorkerLost.RETRY
    if failure.outcome == Outcome.FAILED and task.retry_on and not set(task.retry_on) & set(failure.kinds):
        return False
    return failure.code not in NOT_WORTH_TRYING
