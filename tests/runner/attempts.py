"""Attempts that run in the test's own process."""

from __future__ import annotations

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.services.running.claim import take
from tests.factories import make_execution, make_task


def attempt_of(**values) -> RunningAttempt:
    """Return the running attempt of a task with these values."""
    return attempt_at(make_execution(make_task(**values)))


def attempt_at(execution: Execution) -> RunningAttempt:
    """Return the running attempt of *execution*, claimed unless it was before."""
    row, _is_ours = take(str(execution.tracking_id))
    assert row is not None
    return RunningAttempt(row, loaded_at=row.database_now)


def long_ago(attempt: RunningAttempt, seconds: float = 100) -> RunningAttempt:
    """Let *attempt* have begun so long ago; return it."""
    attempt.clock.started_at -= seconds
    attempt.clock.signals_read_at -= seconds
    attempt.clock.renewed_at -= seconds
    return attempt
