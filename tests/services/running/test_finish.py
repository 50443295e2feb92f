"""Claiming, finishing and retrying: compare-and-swap, in every order in which two may come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.backoff import retry_wait
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Attempt, Execution, ScheduledTask, database_now, frozen_at, read_now
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.running import finish, lease, mutex
from django_scheduled_tasks.services.running.claim import claim
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.store.claim import OVERTIME
from django_scheduled_tasks.store.executions import load
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

FAILED = Failure(outcome=Outcome.FAILED, code="failed", message="No.", kinds=("ValueError", "Exception"))
LOST = Failure(outcome=Outcome.WORKER_LOST, code="worker_lost", message="Gone.")
TIMED_OUT = Failure(outcome=Outcome.TIMED_OUT, code="timed_out", message="Late.")
CANCELLED = Failure(outcome=Outcome.CANCELLED, code="cancelled", message="Stopped.")


def loaded(execution: Execution) -> Execution:
    found = load(str(execution.tracking_id))
    assert found is not None
    return found


def claimed(execution: Execution) -> Execution:
    row = loaded(execution)
    assert claim(row, now=row.database_now)
    return row


def again(execution: Execution) -> Execution:
    execution.refresh_from_db()
    return execution


# --- claim --------------------------------------------------------------------------------------------------------


def test_of_two_that_claim_one_wins():
    execution = make_execution()
    first, second = loaded(execution), loaded(execution)
    assert claim(first, now=first.database_now)
    assert not claim(second, now=second.database_now)
    assert again(execution).status == Status.PROCESSING
    assert execution.lease_until - execution.started_at == timedelta(seconds=60)


def test_a_lease_ends_soon_after_the_time_limit():
    row = claimed(make_execution(make_task(timeout=timedelta(seconds=7))))
    assert row.lease_until - row.started_at == timedelta(seconds=7) + OVERTIME
    row = claimed(make_execution(make_task(timeout=timedelta(hours=7))))
    assert row.lease_until - row.started_at == timedelta(seconds=60)


def test_one_that_was_asked_to_stop_does_not_start_any_more():
    execution = make_execution()
    before = loaded(execution)
    Execution.objects.update(cancel_requested_at=database_now())  # the process that asked dies here
    assert not claim(before, now=before.database_now)
    assert (again(execution).status, execution.outcome) == (Status.ERRORS, Outcome.CANCELLED)


def test_the_next_attempt_begins_without_the_error_and_progress_of_the_last_one(engine):
    execution = run_once(make_task(function="testapp.fail_until", params={"attempt": 2}, max_attempts=2)).execution
    execute(str(execution.tracking_id))
    assert (again(execution).status, execution.attempt) == (Status.PENDING, 2)
    assert execution.error_message == "failed 1"
    assert execution.not_before > read_now()
    Execution.objects.update(not_before=database_now())
    row = claimed(execution)
    assert (again(execution).error_message, execution.traceback, execution.progress_current) == ("", "", None)
    assert row.attempt == 2


# --- turns --------------------------------------------------------------------------------------------------------


def test_one_that_finds_its_key_held_is_started_by_the_holders_end(engine):
    task = make_task(overlap="queue_all")
    first, second = (run_once(task).execution for _ in range(2))
    holder = claimed(first)
    execute(str(second.tracking_id))
    assert again(second).status == Status.PENDING
    assert again(first).has_waiting
    engine.submitted.clear()
    assert finish.succeed(holder, completed_at=read_now(), result=None, result_format="")
    assert [one.tracking_id for one in engine.submitted] == [second.tracking_id]
    engine.run_all()
    assert again(second).outcome == Outcome.SUCCEEDED


def test_messages_in_the_wrong_order_do_not_change_the_order(engine):
    task = make_task(overlap="queue_all")
    executions = [run_once(task).execution for _ in range(5)]
    engine.submitted.clear()
    for late in reversed(executions[1:]):
        execute(str(late.tracking_id))
        assert again(late).status == Status.PENDING
    execute(str(executions[0].tracking_id))
    engine.run_all()
    ended = list(Execution.objects.order_by("completed_at").values_list("pk", "outcome"))
    assert ended == [(one.pk, Outcome.SUCCEEDED) for one in executions]


@pytest.mark.parametrize("way", ["cancel", "expire"])
def test_one_whose_turn_has_come_and_that_never_starts_passes_it_on(engine, way):
    group = {"concurrency_group": "g", "overlap": "queue_all"}
    holder, second, third = (run_once(make_task(**group)).execution for _ in range(3))
    row = claimed(holder)
    for waiting in (second, third):  # of different tasks: both set has_waiting on the holder
        execute(str(waiting.tracking_id))
    engine.submitted.clear()
    finish.succeed(row, completed_at=read_now(), result=None, result_format="")
    assert [one.tracking_id for one in engine.submitted] == [second.tracking_id]
    if way == "cancel":
        assert finish.cancel_pending(loaded(second))
    else:
        assert finish.expire(loaded(second))
    assert [one.tracking_id for one in engine.submitted] == [second.tracking_id, third.tracking_id]
    engine.run_all()
    assert again(third).outcome == Outcome.SUCCEEDED


def test_a_queue_without_workers_stops_nobody_else_of_the_group(engine):
    group = {"concurrency_group": "g", "overlap": "queue_all"}
    holder = run_once(make_task(**group)).execution
    nobody = run_once(make_task(queue="nobody", **group)).execution
    third = run_once(make_task(**group)).execution
    row = claimed(holder)
    execute(str(third.tracking_id))
    engine.submitted.clear()
    finish.succeed(row, completed_at=read_now(), result=None, result_format="")
    assert {one.tracking_id for one in engine.submitted} == {nobody.tracking_id, third.tracking_id}
    execute(str(third.tracking_id))
    assert again(third).outcome == Outcome.SUCCEEDED
    assert again(nobody).status == Status.PENDING


def test_one_that_waits_for_its_retry_does_not_hold_up_others(engine):
    task = make_task(overlap="queue_all")
    first, second = (run_once(task).execution for _ in range(2))
    Execution.objects.filter(pk=first.pk).update(not_before=read_now() + timedelta(hours=1))
    execute(str(second.tracking_id))
    assert again(second).outcome == Outcome.SUCCEEDED
    assert again(first).status == Status.PENDING


def test_a_key_that_is_free_again_is_taken_at_the_second_try(engine, monkeypatch):
    task = make_task(overlap="queue_all")
    first, second = (run_once(task).execution for _ in range(2))
    holder = claimed(first)
    leave_word = mutex.wait_for_holder

    def end_before(execution):
        finish.succeed(holder, completed_at=read_now(), result=None, result_format="")
        return leave_word(execution)

    monkeypatch.setattr(mutex, "wait_for_holder", end_before)
    claimed(second)


def test_nobody_is_looked_for_where_no_key_is_needed(engine):
    mutex.start_waiters("")
    assert engine.submitted == []


# --- the end ------------------------------------------------------------------------------------------------------


def test_an_end_that_nobody_waits_for_is_one_statement():
    row = claimed(make_execution(make_task(overlap="queue_all"), lock_key="task:x"))
    with CaptureQueriesContext(connection) as queries:
        assert finish.succeed(row, completed_at=read_now(), result=1, result_format="json")
    assert len([query for query in queries if query["sql"].startswith("UPDATE")]) == 1


def test_only_the_present_attempt_may_end_renew_or_report():
    execution = make_execution(make_task(max_attempts=3, on_worker_lost="retry"))
    old = claimed(execution)
    assert lease.read_signals(old).is_owned
    assert finish.fail(loaded(execution), LOST, ended_at=read_now())
    Execution.objects.update(not_before=None)
    new = claimed(execution)
    assert (old.attempt, new.attempt) == (1, 2)
    assert not finish.succeed(old, completed_at=read_now(), result=1, result_format="json")
    assert not finish.fail(old, FAILED, ended_at=read_now())
    assert not lease.renew(old)
    assert not lease.report_progress(old, current=1, total=2, message="")
    assert not lease.read_signals(old).is_owned
    assert lease.renew(new)
    assert lease.report_progress(new, current=1, total=2, message="x")
    assert finish.succeed(new, completed_at=read_now(), result=2, result_format="json")
    assert again(execution).result == 2
    assert Attempt.objects.values_list("number", "outcome").get() == (1, "worker_lost")


def test_a_renewed_lease_counts_from_now_or_ends_where_it_must():
    execution = make_execution()
    row = claimed(execution)
    Execution.objects.update(lease_until=read_now())
    assert lease.renew(row)
    assert timedelta(seconds=55) < again(execution).lease_until - read_now() <= timedelta(seconds=60)
    end = read_now() + timedelta(seconds=3)
    assert lease.renew(row, not_after=end)
    assert abs(again(execution).lease_until - end) < timedelta(milliseconds=1)


def test_a_request_to_cancel_is_read_by_the_attempt():
    execution = make_execution()
    row = claimed(execution)
    assert lease.read_signals(row) == lease.Signals(is_owned=True)
    Execution.objects.update(cancel_requested_at=database_now(), cancel_force_at=read_now() + timedelta(seconds=9))
    request = lease.read_signals(row).cancel
    assert request is not None
    assert timedelta(seconds=7) < request.force_in <= timedelta(seconds=9)


# --- retries ------------------------------------------------------------------------------------------------------


def test_the_waits_are_those_of_the_formula():
    waits = [
        retry_wait(n, least=timedelta(seconds=10), most=timedelta(seconds=300), doublings=3).total_seconds()
        for n in range(1, 9)
    ]
    assert waits == [10, 20, 40, 80, 160, 240, 300, 300]


@pytest.mark.parametrize("doublings", [62, 1_000, 32_767])
@pytest.mark.parametrize("attempt", [63, 1_000, 32_767])
def test_however_often_a_wait_doubles_it_stays_a_wait(attempt, doublings):
    longest = timedelta(days=36_525)
    for least in (timedelta(microseconds=1), timedelta(seconds=10)):
        wait = retry_wait(attempt, least=least, most=longest, doublings=doublings)
        assert wait == longest
    assert retry_wait(attempt, least=timedelta(0), most=longest, doublings=doublings) == timedelta(0)


def test_an_attempt_whose_next_one_has_no_date_ends_with_its_own_failure(engine, monkeypatch, caplog):
    row = claimed(run_once(make_task(max_attempts=5)).execution)
    ScheduledTask.objects.update(min_backoff=timedelta(days=9_999_999), max_backoff=timedelta(days=9_999_999))
    row.task.refresh_from_db()
    assert finish.fail(row, FAILED, ended_at=read_now())
    row.refresh_from_db()
    assert (row.status, row.error_message) == (Status.ERRORS, "No.")
    assert "is not tried again" in caplog.text


def test_an_execution_that_started_in_time_is_tried_again_after_it_would_have_expired(engine):
    row = claimed(run_once(make_task(max_attempts=2, expires_after=timedelta(minutes=5))).execution)
    assert row.expires_at is not None
    assert finish.fail(row, FAILED, ended_at=row.expires_at + timedelta(minutes=1))
    with frozen_at(row.expires_at + timedelta(hours=1)):
        execute(str(row.tracking_id))
    row.refresh_from_db()
    assert (row.attempt, row.outcome) == (2, Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("values", "failure", "retried"),
    [
        ({}, FAILED, True),
        ({}, TIMED_OUT, True),
        ({}, CANCELLED, False),
        ({}, LOST, False),
        ({"on_worker_lost": "retry"}, LOST, True),
        ({"max_attempts": 1}, FAILED, False),
        ({"retry_on": ["ValueError"]}, FAILED, True),
        ({"retry_on": ["Exception"]}, FAILED, True),
        ({"retry_on": ["KeyError", "OSError"]}, FAILED, False),
        ({"retry_on": ["KeyError"]}, TIMED_OUT, True),
        ({"max_age": timedelta(seconds=9)}, FAILED, False),
        ({"max_age": timedelta(seconds=60)}, FAILED, True),
        ({}, Failure(outcome=Outcome.FAILED, code="function_not_registered", message="?"), False),
        ({}, Failure(outcome=Outcome.FAILED, code="invalid_parameters", message="?"), False),
    ],
)
def test_which_failures_are_followed_by_another_attempt(values, failure, retried):
    execution = make_execution(make_task(**{"max_attempts": 2} | values))
    row = claimed(execution)
    now = read_now()
    assert finish.fail(row, failure, ended_at=now)
    again(execution)
    if retried:
        assert (execution.status, execution.outcome, execution.attempt) == (Status.PENDING, "", 2)
        assert abs(execution.not_before - now - timedelta(seconds=10)) < timedelta(milliseconds=1)
        assert (execution.send_at, execution.lease_until) == (execution.not_before, None)
    else:
        assert (execution.status, execution.outcome) == (Status.ERRORS, failure.outcome)
    assert execution.error_message == failure.message
    assert Attempt.objects.values_list("number", "outcome").get() == (1, failure.outcome)


@pytest.mark.parametrize(
    ("seconds", "trigger", "retried"), [(9, "schedule", False), (11, "schedule", True), (9, "api", True)]
)
def test_a_retry_never_runs_into_the_next_occurrence(seconds, trigger, retried):
    task = make_task(max_attempts=2)
    now = read_now()
    ScheduledTask.objects.update(next_run_at=now + timedelta(seconds=seconds))
    execution = make_execution(task, trigger=Trigger(trigger), scheduled_for=now)
    assert finish.fail(claimed(execution), FAILED, ended_at=now)
    assert (again(execution).status == Status.PENDING) is retried


def test_one_that_was_asked_to_stop_is_never_tried_again_and_keeps_its_real_end():
    execution = make_execution(make_task(max_attempts=3))
    row = claimed(execution)
    Execution.objects.update(cancel_requested_at=database_now())  # the attempt has not seen it
    assert finish.fail(row, FAILED, ended_at=read_now())
    assert (again(execution).status, execution.outcome) == (Status.ERRORS, Outcome.FAILED)


def test_a_retry_frees_the_key_and_lets_the_next_one_start(engine):
    task = make_task(overlap="queue_all", max_attempts=2)
    first, second = (run_once(task).execution for _ in range(2))
    row = claimed(first)
    execute(str(second.tracking_id))
    engine.submitted.clear()
    assert finish.fail(row, FAILED, ended_at=read_now())
    assert again(first).exclusive_key is None
    engine.run_all()
    assert again(second).outcome == Outcome.SUCCEEDED


def test_the_attempt_of_a_deleted_task_ends_without_a_retry():
    execution = make_execution(make_task(max_attempts=3))
    claimed(execution)
    ScheduledTask.objects.all().delete()
    assert finish.fail(loaded(execution), FAILED, ended_at=read_now())
    assert again(execution).status == Status.ERRORS
