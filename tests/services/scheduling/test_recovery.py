"""What keeps the promises when something died."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.exceptions import AlreadyRunning, EngineUnavailable
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, frozen_at, read_now
from django_scheduled_tasks.scheduler.tick import tick
from django_scheduled_tasks.services.delivery.dispatch import ENGINE_RETRY
from django_scheduled_tasks.services.scheduling import recovery
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.store.reading.outlook import Outlook, look
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MINUTE = timedelta(minutes=1)


def submitted(engine) -> list[object]:
    return [item.tracking_id for item in engine.submitted]


def test_an_idle_look_is_one_statement_whatever_the_number_of_tasks(django_assert_num_queries):
    for _ in range(3):
        make_task(schedule_kind="cron", expression="0 3 * * *")
    with django_assert_num_queries(1):
        outlook = look()
    assert outlook.next_at() == outlook.next_run_at
    assert outlook.next_run_at.hour == 3


def test_the_look_names_the_earliest_of_what_is_to_come():
    now = read_now()
    for number in (3, 1, 2):
        make_execution(send_at=now + number * MINUTE)
        make_execution(status=Status.PROCESSING, lease_until=now + 2 * number * MINUTE)
    outlook = look()
    assert (outlook.send_at, outlook.lease_until) == (now + MINUTE, now + 2 * MINUTE)
    assert outlook.next_at() == now + MINUTE
    assert Outlook(now, None, None, None).next_at() is None


def test_what_stays_pending_is_sent_again_with_growing_intervals(engine, django_capture_on_commit_callbacks):
    execution = run_once(make_task()).execution
    waits = []
    for _ in range(6):
        execution.refresh_from_db()
        at = execution.send_at
        with frozen_at(at), django_capture_on_commit_callbacks(execute=True):
            assert recovery.send_pending(limit=10) == 1
            assert recovery.send_pending(limit=10) == 0
        execution.refresh_from_db()
        waits.append((execution.send_at - at).total_seconds())
    assert waits == [60, 120, 240, 480, 600, 600]
    assert submitted(engine) == [execution.tracking_id] * 6


@pytest.mark.parametrize("submissions", [42, 32_767])
def test_what_has_waited_for_days_is_still_sent_again_and_stops_nobody(
    engine, django_capture_on_commit_callbacks, submissions
):
    old = make_execution(send_at=read_now() - MINUTE, submissions=submissions)
    other = make_execution(send_at=read_now())
    with django_capture_on_commit_callbacks(execute=True):
        assert recovery.send_pending(limit=10) == 2
    assert submitted(engine) == [old.tracking_id, other.tracking_id]
    old.refresh_from_db()
    assert timedelta(minutes=9) < old.send_at - read_now() <= timedelta(minutes=10)
    assert old.submissions >= 42


def test_while_the_engine_takes_nothing_a_scheduler_has_time_for_everything_else(
    engine, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(_submissions):
        raise EngineUnavailable("Redis is away.", sent=0)

    execution = make_execution(send_at=read_now())
    monkeypatch.setattr(engine, "submit", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        assert recovery.send_pending(limit=10) == 1
    execution.refresh_from_db()
    with frozen_at(execution.send_at - ENGINE_RETRY / 2):
        assert not tick()
    monkeypatch.undo()
    with frozen_at(execution.send_at), django_capture_on_commit_callbacks(execute=True):
        assert tick().sent == 1
    assert submitted(engine) == [execution.tracking_id]


def test_what_waited_for_its_time_is_sent_when_it_comes(engine, django_capture_on_commit_callbacks):
    at = read_now() + timedelta(hours=1)
    execution = run_once(make_task(), not_before=at).execution
    with frozen_at(at - MINUTE), django_capture_on_commit_callbacks(execute=True):
        assert recovery.send_pending(limit=10) == 0
    with frozen_at(at), django_capture_on_commit_callbacks(execute=True):
        assert recovery.send_pending(limit=10) == 1
    assert submitted(engine) == [execution.tracking_id]


def test_what_waited_too_long_expires_and_never_starts(engine, django_capture_on_commit_callbacks):
    execution = run_once(make_task(expires_after=timedelta(seconds=10))).execution
    assert execution.send_at == execution.expires_at
    with frozen_at(execution.expires_at), django_capture_on_commit_callbacks(execute=True):
        recovery.send_pending(limit=10)
    execution.refresh_from_db()
    assert (execution.outcome, execution.started_at) == (Outcome.EXPIRED, None)
    assert not engine.submitted


def test_when_the_broker_is_empty_what_is_pending_is_sent_at_once(engine):
    execution = run_once(make_task()).execution
    assert recovery.send_lost(limit=10) == 0  # it was triggered only a moment ago
    with frozen_at(read_now() + timedelta(seconds=3)):
        assert recovery.send_lost(limit=10) == 1
        assert submitted(engine) == [execution.tracking_id]
        assert recovery.send_lost(limit=10) == 0  # now it is in the queue


def test_what_waits_for_its_turn_is_not_taken_for_lost(engine):
    task = make_task(overlap="queue_all")
    make_execution(task, status=Status.PROCESSING, lock_key=task.lock_key, exclusive_key=task.lock_key)
    run_once(task)
    with frozen_at(read_now() + MINUTE):
        assert recovery.send_lost(limit=10) == 0


@pytest.mark.parametrize(
    ("policy", "attempts", "expected"),
    [
        ("fail", 3, (Status.ERRORS, Outcome.WORKER_LOST, 1)),
        ("retry", 1, (Status.ERRORS, Outcome.WORKER_LOST, 1)),
        ("retry", 3, (Status.PENDING, "", 2)),
    ],
)
def test_a_lost_worker_is_recorded_and_the_task_says_what_follows(engine, policy, attempts, expected):
    task = make_task(on_worker_lost=policy, max_attempts=attempts)
    now = read_now()
    execution = make_execution(
        task, status=Status.PROCESSING, lease_until=now, worker_host="web-1", worker_pid=4121, exclusive_key="k"
    )
    with frozen_at(now):
        assert recovery.end_lost(limit=10) == 0
    with frozen_at(now + timedelta(seconds=1)):
        assert recovery.end_lost(limit=10) == 1
    execution.refresh_from_db()
    assert (execution.status, execution.outcome, execution.attempt) == expected
    assert execution.exclusive_key is None
    attempt = execution.attempts.get()
    assert (attempt.number, attempt.outcome, attempt.worker_host, attempt.worker_pid) == (
        *(1, Outcome.WORKER_LOST, "web-1"),
        4121,
    )
    assert "web-1, process 4121" in attempt.error_message


def test_a_worker_that_did_not_stop_at_its_limit_is_told_from_one_that_was_lost(engine):
    now = read_now()
    task = make_task(timeout=MINUTE)
    execution = make_execution(task, status=Status.PROCESSING, started_at=now - 2 * MINUTE, lease_until=now)
    with frozen_at(now + MINUTE):
        recovery.end_lost(limit=10)
    execution.refresh_from_db()
    assert execution.outcome == Outcome.TIMED_OUT


def test_a_lease_that_was_renewed_in_between_is_left_alone(engine, monkeypatch):
    now = read_now()
    execution = make_execution(status=Status.PROCESSING, lease_until=now)
    real = recovery._lost_failure

    def renew_meanwhile(row, at):
        Execution.objects.filter(pk=execution.pk).update(lease_until=at + MINUTE)
        return real(row, at)

    monkeypatch.setattr(recovery, "_lost_failure", renew_meanwhile)
    with frozen_at(now + MINUTE):
        recovery.end_lost(limit=10)
    execution.refresh_from_db()
    assert execution.status == Status.PROCESSING


def test_one_that_cannot_be_ended_keeps_nobody_else_from_being_ended(engine, monkeypatch, caplog):
    at = read_now() - MINUTE
    stuck, other = (make_execution(status=Status.PROCESSING, started_at=at, lease_until=at) for _ in range(2))
    real = recovery.finish.fail

    def fail(execution, *args, **values):
        if execution.pk == stuck.pk:
            raise RuntimeError("a bug")
        return real(execution, *args, **values)

    monkeypatch.setattr(recovery.finish, "fail", fail)
    assert recovery.end_lost(limit=10) == 1
    other.refresh_from_db()
    assert other.outcome == Outcome.WORKER_LOST
    assert f"#{stuck.pk} " in caplog.text


def test_what_is_dead_is_not_in_the_way_of_a_run_by_hand(engine):
    at = read_now() - MINUTE
    task = make_task(overlap="skip")
    make_execution(task, status=Status.PROCESSING, started_at=at, lease_until=at)
    make_execution(task, expires_at=at)
    assert run_once(task).execution.status == Status.PENDING
    with pytest.raises(AlreadyRunning):
        run_once(task)
