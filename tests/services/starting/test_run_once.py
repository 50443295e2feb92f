"""Starting executions outside the schedule."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from django_scheduled_tasks.exceptions import (
    AlreadyRunning,
    EngineUnavailable,
    IdempotencyMismatch,
    InvalidInput,
    InvalidParameters,
    PermissionDenied,
    TaskNotFound,
)
from django_scheduled_tasks.lifecycle import Overlap, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now
from django_scheduled_tasks.services.delivery.dispatch import ENGINE_RETRY
from django_scheduled_tasks.services.starting import overlap as overlap_module
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.edit import pause, update_task
from django_scheduled_tasks.signals import execution_finished, execution_queued, execution_started
from tests.database import connection
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_the_row_says_who_why_and_with_what(engine):
    user = make_user()
    task = make_task(function="testapp.add", params={"a": 1, "b": 2})
    execution = run_once(task, params={"b": 3}, reason=" month end ", user=user, trigger=Trigger.ADMIN).execution
    execution.refresh_from_db()
    assert execution.params == {"a": 1, "b": 3}
    assert (execution.reason, execution.triggered_by, execution.trigger) == ("month end", user, "admin")
    assert (execution.status, execution.attempt, execution.scheduled_for) == (Status.PENDING, 1, None)
    assert (execution.task_name, execution.function) == (task.name, "testapp.add")


def test_a_manual_run_never_touches_the_schedule(engine):
    task = make_task(schedule_kind="cron", expression="0 3 * * *", max_runs=5)
    before = ScheduledTask.objects.values().get(pk=task.pk)
    run_once(task)
    assert ScheduledTask.objects.values().get(pk=task.pk) == before


def test_a_task_that_is_off_or_paused_still_runs_once(engine):
    off = make_task(enabled=False)
    paused = pause(make_task())
    for task in (off, paused):
        assert run_once(task).execution.status == Status.PENDING


@pytest.mark.parametrize("open_status", [Status.PENDING, Status.PROCESSING])
def test_skip_answers_with_the_open_execution(engine, open_status):
    task = make_task()
    blocker = make_execution(task, status=open_status)
    with pytest.raises(AlreadyRunning) as caught:
        run_once(task)
    assert caught.value.tracking_id == blocker.tracking_id
    assert caught.value.details == {"tracking_id": str(blocker.tracking_id)}
    assert Execution.objects.count() == 1


def test_an_execution_of_another_task_or_an_ended_one_does_not_block(engine):
    task = make_task()
    make_execution(make_task())
    make_execution(task, status=Status.ERRORS)
    assert run_once(task)


@pytest.mark.parametrize("running", [0, 1, 2])
def test_queue_one_keeps_one_waiting(engine, running):
    task = make_task(overlap=Overlap.QUEUE_ONE)
    for _ in range(running):
        make_execution(task, status=Status.PROCESSING)
    waiting = run_once(task).execution
    with pytest.raises(AlreadyRunning) as caught:
        run_once(task)
    assert caught.value.tracking_id == waiting.tracking_id


def test_queue_all_counts_what_waits(engine, monkeypatch):
    monkeypatch.setitem(overlap_module._MOST, Overlap.QUEUE_ALL, 2)
    task = make_task(overlap=Overlap.QUEUE_ALL)
    for _ in range(3):
        make_execution(task, status=Status.PROCESSING)
    first, _second = run_once(task).execution, run_once(task).execution
    with pytest.raises(AlreadyRunning) as caught:
        run_once(task)
    assert caught.value.tracking_id == first.tracking_id


def test_the_request_may_override_the_policy_for_one_run(engine):
    task = make_task()
    make_execution(task, status=Status.PROCESSING)
    queued = run_once(task, overlap=Overlap.QUEUE_ONE).execution
    beside = run_once(task, overlap=Overlap.ALLOW).execution
    assert queued.lock_key == task.lock_key
    assert beside.lock_key is None
    task.refresh_from_db()
    assert task.overlap == Overlap.SKIP


def test_cancel_running_asks_the_open_one_to_stop(engine):
    task = make_task(overlap=Overlap.CANCEL_RUNNING)
    running = make_execution(task, status=Status.PROCESSING)
    waiting = make_execution(task)
    assert run_once(task).execution.status == Status.PENDING
    running.refresh_from_db()
    waiting.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert waiting.outcome == "cancelled"


def test_not_before_waits_for_the_scheduler(engine):
    at = read_now() + timedelta(hours=1)
    execution = run_once(make_task(expires_after=timedelta(minutes=5)), not_before=at).execution
    assert (execution.send_at, execution.expires_at) == (at, at + timedelta(minutes=5))
    assert not engine.submitted


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"not_before": timedelta(seconds=-1)}, "not_before"),
        ({"not_before": timedelta(days=400)}, "not_before"),
        ({"reason": "x" * 501}, "reason"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "x" * 256}, "idempotency_key"),
    ],
)
def test_bad_input_names_its_field(arguments, field):
    if "not_before" in arguments:
        arguments = {"not_before": read_now() + arguments["not_before"]}
    with pytest.raises(InvalidInput) as caught:
        run_once(make_task(), **arguments)
    assert [error.field for error in caught.value.errors] == [field]
    assert not Execution.objects.exists()


def test_a_naive_not_before_is_refused():
    with pytest.raises(InvalidInput, match="time zone"):
        run_once(make_task(), not_before=read_now().replace(tzinfo=None))


def test_parameters_have_a_largest_size(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"PARAMS_MAX_BYTES": 100}
    with pytest.raises(InvalidParameters, match="at most 100"):
        run_once(make_task(function="testapp.give"), params={"value": "x" * 100})


def test_authorize_is_asked_before_anything_is_decided():
    task = make_task()
    make_execution(task, status=Status.PROCESSING)

    def refuse(asked: ScheduledTask) -> None:
        assert asked == task
        raise PermissionDenied

    with pytest.raises(PermissionDenied):
        run_once(task, authorize=refuse)


def test_an_unknown_task_is_named():
    with pytest.raises(TaskNotFound, match='"nope"'):
        run_once("nope")


def test_the_same_key_answers_with_the_first_execution(engine):
    task, user = make_task(function="testapp.add", params={"a": 1}), make_user()
    first = run_once(task, params={"b": 1}, user=user, idempotency_key="k")
    again = run_once(task, params={"b": 1}, user=user, idempotency_key="k")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.execution == again.execution
    assert Execution.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(engine):
    task = make_task(function="testapp.add", params={"a": 1})
    first = run_once(task, params={"b": 1}, idempotency_key="k")
    with pytest.raises(IdempotencyMismatch) as caught:
        run_once(task, params={"b": 2}, idempotency_key="k")
    assert caught.value.tracking_id == first.execution.tracking_id


def test_a_key_belongs_to_one_task_and_one_caller(engine):
    task, other = make_task(overlap="allow"), make_task()
    for arguments in ({"user": make_user()}, {"user": make_user()}, {}):
        assert not run_once(task, idempotency_key="k", **arguments).replayed
    assert not run_once(other, idempotency_key="k").replayed


def test_a_key_is_free_again_after_a_day(engine):
    task = make_task(overlap="allow")
    first = run_once(task, idempotency_key="k").execution
    Execution.objects.filter(pk=first.pk).update(triggered_at=read_now() - timedelta(hours=24, seconds=1))
    second = run_once(task, idempotency_key="k")
    assert not second.replayed
    assert second.execution != first


def test_an_engine_that_fails_loses_nothing(settings, monkeypatch, django_capture_on_commit_callbacks, caplog):
    from django_scheduled_tasks.engines.immediate import ImmediateEngine

    def unavailable(*_arguments: object) -> None:
        raise EngineUnavailable("Redis is away.", sent=0)

    monkeypatch.setattr(ImmediateEngine, "submit", unavailable)
    with django_capture_on_commit_callbacks(execute=True):
        execution = run_once(make_task()).execution
    execution.refresh_from_db()
    assert execution.status == Status.PENDING
    # Soon, but not at once: a scheduler that fails with the same again and again would do nothing else.
    assert timedelta(0) < execution.send_at - execution.triggered_at <= ENGINE_RETRY + timedelta(seconds=5)
    assert execution.submissions == 0
    assert "Redis is away" in caplog.text


def test_signals_are_sent_and_a_receiver_that_fails_does_no_harm(engine, django_capture_on_commit_callbacks, caplog):
    heard = []

    def listen(signal, execution, **_options):
        heard.append((signal, execution.status))
        raise RuntimeError("receiver")

    signals = (execution_queued, execution_started, execution_finished)
    for signal in signals:
        signal.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            execution = run_once(make_task()).execution
        with django_capture_on_commit_callbacks(execute=True):
            engine.run_all()
    finally:
        for signal in signals:
            signal.disconnect(listen)
    assert heard == list(zip(signals, (Status.PENDING, Status.PROCESSING, Status.COMPLETED), strict=True))
    execution.refresh_from_db()
    assert execution.status == Status.COMPLETED
    assert caplog.text.count("RuntimeError: receiver") == 3


def _at_once(number: int, act) -> list[object]:
    """Call *act* in *number* threads at the same moment and return what each returned or raised."""
    barrier, results = threading.Barrier(number), []

    def run():
        try:
            barrier.wait(timeout=30)
            results.append(act())
        except Exception as exc:
            results.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.mark.django_db(transaction=True)
def test_of_many_triggers_at_once_under_skip_exactly_one_is_accepted(engine):
    task = make_task()
    results = _at_once(12, lambda: run_once(task.pk).execution.tracking_id)
    assert Execution.objects.count() == 1
    refused = [result for result in results if isinstance(result, AlreadyRunning)]
    assert len(refused) == 11, results
    assert {error.tracking_id for error in refused} == {Execution.objects.get().tracking_id}


@pytest.mark.django_db(transaction=True)
def test_of_many_triggers_at_once_with_one_key_all_get_the_same_execution(engine):
    task = make_task(overlap="allow")
    results = _at_once(12, lambda: run_once(task.pk, idempotency_key="k"))
    assert Execution.objects.count() == 1
    assert {result.execution.pk for result in results} == {Execution.objects.get().pk}, results
    assert sorted(result.replayed for result in results) == [False] + [True] * 11


def test_an_edit_during_the_pending_time_does_not_change_the_execution(engine):
    task = make_task(function="testapp.add", params={"a": 1})
    execution = run_once(task).execution
    update_task(task, params={"a": 100})
    execution.refresh_from_db()
    assert execution.params == {"a": 1}


def test_a_reason_is_stored_as_every_database_takes_it(engine):
    execution = run_once(make_task(), reason=" caf\udce9\x00 ").execution
    execution.refresh_from_db()
    assert execution.reason == "caf?"
