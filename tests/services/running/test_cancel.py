"""Cancelling, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from django_scheduled_tasks.exceptions import ExecutionNotFound, NotCancellable, PermissionDenied
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Attempt, Execution, read_now
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.cancel import cancel, cancel_open, request_cancel
from django_scheduled_tasks.services.running.claim import claim
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.signals import execution_finished
from django_scheduled_tasks.store.executions import load
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

FAILED = Failure(outcome=Outcome.FAILED, code="failed", message="No.")


def test_a_pending_one_ends_at_once():
    execution, user, seen = make_execution(), make_user(), []
    execution_finished.connect(listener := lambda execution, **_signal: seen.append(execution.outcome))
    try:
        cancelled = cancel(execution.tracking_id, user=user)
    finally:
        execution_finished.disconnect(listener)
    assert (cancelled.status, cancelled.outcome) == (Status.ERRORS, Outcome.CANCELLED)
    assert (cancelled.cancel_requested_by, cancelled.started_at) == (user, None)
    assert cancelled.cancel_requested_at <= cancelled.completed_at
    assert cancelled.error_message == "It was cancelled before it started."
    assert seen == [Outcome.CANCELLED]
    assert not Attempt.objects.exists()


def test_a_running_one_is_asked():
    execution = make_execution(status=Status.PROCESSING)
    asked = cancel(execution.tracking_id, force_after=timedelta(seconds=9))
    assert asked.status == Status.PROCESSING
    assert asked.cancel_force_at - asked.cancel_requested_at == pytest.approx(
        timedelta(seconds=9), abs=timedelta(seconds=1)
    )


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED])
def test_one_that_has_ended_cannot_be_cancelled(outcome):
    status = Status.COMPLETED if outcome == Outcome.SUCCEEDED else Status.ERRORS
    execution = make_execution(status=status, outcome=outcome)
    with pytest.raises(NotCancellable) as caught:
        cancel(execution.tracking_id)
    assert caught.value.details == {"outcome": outcome}


def test_a_second_request_is_as_good_as_the_first():
    execution = make_execution()
    assert cancel(execution.tracking_id).outcome == Outcome.CANCELLED
    assert cancel(execution.tracking_id).outcome == Outcome.CANCELLED


def test_one_that_is_not_there_or_not_allowed():
    with pytest.raises(ExecutionNotFound):
        cancel(uuid4())
    execution = make_execution()

    def refuse(_execution: Execution) -> None:
        raise PermissionDenied

    with pytest.raises(PermissionDenied):
        cancel(execution.tracking_id, authorize=refuse)
    execution.refresh_from_db()
    assert execution.cancel_requested_at is None


def test_one_that_is_claimed_in_between_is_asked():
    execution = make_execution()
    row = load(str(execution.tracking_id))
    assert claim(row, now=row.database_now)
    request_cancel(execution)  # it believes that the execution is pending
    execution.refresh_from_db()
    assert execution.status == Status.PROCESSING
    assert execution.cancel_requested_at is not None


def test_one_that_goes_back_to_wait_for_its_retry_in_between_ends():
    execution = make_execution(make_task(max_attempts=2))
    row = load(str(execution.tracking_id))
    assert claim(row, now=row.database_now)
    execution.refresh_from_db()
    assert finish.fail(row, FAILED, ended_at=read_now())
    request_cancel(execution)  # it believes that the execution is running
    execution.refresh_from_db()
    assert (execution.status, execution.outcome) == (Status.ERRORS, Outcome.CANCELLED)
    assert Attempt.objects.count() == 1


def test_one_that_ends_in_between_is_left_alone():
    execution = make_execution(status=Status.PROCESSING)
    Execution.objects.update(
        status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, completed_at=read_now(), lease_until=None
    )
    request_cancel(execution)
    execution.refresh_from_db()
    assert execution.cancel_requested_at is None


def test_all_that_are_open_are_cancelled():
    task = make_task(overlap="queue_all")
    running, waiting = make_execution(task, status=Status.PROCESSING), make_execution(task)
    other = make_execution()
    cancel_open(task)
    for one in (running, waiting, other):
        one.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert waiting.outcome == Outcome.CANCELLED
    assert other.status == Status.PENDING
