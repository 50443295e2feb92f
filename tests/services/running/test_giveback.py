"""A worker of one release leaves executions to those of another."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from django_scheduled_tasks import signals
from django_scheduled_tasks.lifecycle import Outcome, Overlap, Status
from django_scheduled_tasks.models import Attempt, Execution, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.services.releases import own
from django_scheduled_tasks.services.running import giveback
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.running.claim import take
from django_scheduled_tasks.services.running.finish import succeed
from django_scheduled_tasks.services.scheduling.recovery import send_pending
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_release, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]
SECOND = timedelta(seconds=1)
GONE = giveback.FunctionNotRegistered("shop.new")


def waiting(function: str = "shop.new", params: dict[str, object] | None = None, **values: object) -> Execution:
    """Return a pending execution of a function that is not known here, or of one with these parameters."""
    execution = run_once(make_task(**values)).execution
    Execution.objects.filter(pk=execution.pk).update(function=function, params=params or {})
    execution.refresh_from_db()
    return execution


def run(execution: Execution) -> Execution:
    execute(str(execution.tracking_id))
    execution.refresh_from_db()
    return execution


def again(execution: Execution) -> Execution:
    """Run it at the instant at which it is to be sent again."""
    with frozen_at(execution.not_before):
        return run(execution)


def test_an_execution_of_a_function_that_is_not_known_here_is_given_back_with_growing_waits(engine):
    execution = waiting()
    waits = []
    for _ in range(9):
        before = execution.not_before or read_now()
        with frozen_at(before):
            run(execution)
        waits.append((execution.not_before - before).total_seconds())
        assert (execution.status, execution.attempt, execution.outcome) == (Status.PENDING, 1, "")
        assert execution.send_at == execution.not_before
        assert (execution.worker_host, execution.exclusive_key, execution.lease_until) == ("", None, None)
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert execution.given_back == 9
    assert not Attempt.objects.exists()
    with frozen_at(execution.send_at):
        assert send_pending(limit=10) == 1
    assert engine.submitted[-1].tracking_id == execution.tracking_id


def test_after_ten_minutes_in_which_nobody_has_known_it_it_ends(engine):
    execution = waiting()
    began = read_now()
    while execution.is_open:
        with frozen_at(execution.not_before or began):
            run(execution)
    assert (execution.outcome, execution.error_code) == (Outcome.FAILED, "function_not_registered")
    assert timedelta(minutes=10) <= execution.completed_at - began < timedelta(minutes=11)
    assert Attempt.objects.get().release == own.own_key()


def test_as_long_as_another_release_knows_it_it_does_not_end(engine):
    execution = waiting()
    Execution.objects.update(given_back=500)
    make_release(functions=["shop.new"])
    before = read_now()
    assert run(execution).given_back == 501
    assert execution.not_before - before < timedelta(seconds=15), "a worker of it need only be quicker"
    with frozen_at(read_now() + timedelta(minutes=11)):
        assert run(execution).error_code == "function_not_registered"


def test_its_messages_keep_no_beat_in_which_the_same_worker_is_always_the_quicker_one(engine):
    execution = waiting()
    make_release(functions=["shop.new"])
    waits = set()
    for _ in range(12):
        before, began = execution.not_before or read_now(), time.monotonic()
        with frozen_at(before):
            run(execution)
        took = timedelta(seconds=time.monotonic() - began)  # the attempt's own clock goes on
        wait = execution.not_before - before
        assert SECOND / 2 <= wait <= 5 * SECOND + took
        waits.add(wait)
    assert len(waits) == 12


def test_it_expires_while_it_waits(engine):
    execution = waiting(expires_after=timedelta(seconds=90))
    expires_at = execution.expires_at
    while execution.status == Status.PENDING and (execution.not_before or read_now()) < expires_at:
        with frozen_at(execution.not_before or read_now()):
            run(execution)
        assert execution.send_at <= expires_at
    with frozen_at(expires_at):
        send_pending(limit=10)
    execution.refresh_from_db()
    assert execution.outcome == Outcome.EXPIRED


SIGNATURE = {"digest": "other", "required": ["a", "c"], "optional": [], "more": False}


def test_parameters_of_another_signature_are_given_back_only_if_they_fit_there(engine):
    execution = waiting("testapp.add", {"a": 1, "c": 3})
    unfit = waiting("testapp.add", {"a": 1, "d": 3})
    make_release(functions={"testapp.add": SIGNATURE})
    assert run(execution).status == Status.PENDING
    assert run(unfit).error_code == "invalid_parameters"


def test_parameters_that_fit_nowhere_end_it_at_once(engine):
    execution = waiting("testapp.add", {"a": 1, "c": 3})
    make_release(functions=["shop.new"])
    assert run(execution).error_code == "invalid_parameters"


def test_what_a_function_raises_itself_is_its_own(engine, monkeypatch):
    def asks_for_another() -> None:
        raise GONE

    monkeypatch.setitem(registry._former, "shop.asks", type(registry.get("testapp.noop"))(asks_for_another))
    assert run(waiting("shop.asks")).error_code == "function_not_registered"


def test_once_a_worker_knows_it_it_runs_and_counts_as_one_attempt(engine):
    execution = run(waiting())
    Execution.objects.update(function="testapp.noop")
    again(execution)
    assert (execution.status, execution.attempt, execution.given_back) == (Status.COMPLETED, 1, 1)
    assert execution.release == own.own_key()


def test_no_start_is_announced_of_what_is_given_back(engine):
    heard: list[str] = []

    def listen(execution, **_options):
        heard.append(execution.function)

    signals.execution_started.connect(listen)
    try:
        execution = run(waiting())
        Execution.objects.update(function="testapp.noop")
        again(execution)
    finally:
        signals.execution_started.disconnect(listen)
    assert heard == ["testapp.noop"]


# --- races --------------------------------------------------------------------------------------------------------


def claimed(execution: Execution) -> Execution:
    found, is_ours = take(str(execution.tracking_id))
    assert found is not None
    assert is_ours
    return found


def test_a_second_try_to_give_it_back_takes_it_from_nobody(engine):
    """The answer to the first try was lost with the connection, and another worker has claimed it in between."""
    mine = claimed(waiting())
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    with frozen_at(mine.database_now + timedelta(seconds=2)):
        theirs = claimed(mine)
    assert (theirs.attempt, theirs.given_back) == (mine.attempt, 1)
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    row = Execution.objects.get()
    assert (row.status, row.given_back) == (Status.PROCESSING, 1)
    assert succeed(theirs, completed_at=theirs.database_now, result=None, result_format="")
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    assert Execution.objects.get().status == Status.COMPLETED


def test_a_stale_message_does_not_start_it_before_its_time_and_of_two_in_time_one_does(engine):
    mine = claimed(waiting())
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    assert not take(str(mine.tracking_id))[1]
    with frozen_at(mine.database_now + timedelta(seconds=2)):
        assert [take(str(mine.tracking_id))[1] for _ in range(2)] == [True, False]


def test_one_whose_lease_is_lost_is_not_given_back(engine):
    mine = claimed(waiting())
    Execution.objects.update(status=Status.PENDING, lease_until=None, exclusive_key=None, attempt=2)
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    row = Execution.objects.get()
    assert (row.given_back, row.attempt) == (0, 2)


def test_a_cancel_that_comes_in_between_is_heard(engine):
    mine = claimed(waiting())
    cancel(mine.tracking_id)
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    assert Execution.objects.get().outcome == Outcome.CANCELLED


def test_the_mutex_is_released_for_others(engine):
    task = make_task(overlap=Overlap.QUEUE_ALL)
    first = run_once(task).execution
    Execution.objects.filter(pk=first.pk).update(function="shop.new")
    second = run_once(task).execution
    mine = claimed(first)
    assert not take(str(second.tracking_id))[1]
    sent = len(engine.submitted)
    giveback.give_back(mine, GONE, again_at=mine.database_now + SECOND)
    assert [item.tracking_id for item in engine.submitted[sent:]] == [second.tracking_id]
    assert take(str(second.tracking_id))[1]
    assert ScheduledTask.objects.count() == 1
