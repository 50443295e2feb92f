"""A message that carries several executions: they run one after the other, and do not wait for one that takes long."""

from __future__ import annotations

import signal
import time

import pytest

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.runner import process as process_module
from django_scheduled_tasks.runner.execute import _in_turn, execute
from django_scheduled_tasks.runner.heartbeat import Heart, hand_back_waiting
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_task
from tests.runner.attempts import attempt_at

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


def recorded(function: str, **values) -> Execution:
    return run_once(make_task(function=f"testapp.{function}", **values)).execution


def outcomes(executions: list[Execution]) -> list[str | None]:
    return [Execution.objects.get(pk=execution.pk).outcome for execution in executions]


def identifiers(executions: list[Execution]) -> list[str]:
    return [str(execution.tracking_id) for execution in executions]


def test_all_of_a_message_run_whatever_becomes_of_one(engine):
    executions = [recorded("noop"), recorded("fail"), recorded("noop"), recorded("noop")]
    executions[2].task.delete()
    execute(*identifiers(executions))
    assert outcomes([executions[0], executions[1], executions[3]]) == [
        Outcome.SUCCEEDED,
        Outcome.FAILED,
        Outcome.SUCCEEDED,
    ]


def test_what_another_has_run_already_is_passed_over(engine):
    executions = [recorded("noop"), recorded("noop")]
    execute(*identifiers(executions[1:]))
    began = Execution.objects.get(pk=executions[1].pk).started_at
    execute(*identifiers(executions))
    assert outcomes(executions) == [Outcome.SUCCEEDED] * 2
    assert Execution.objects.get(pk=executions[1].pk).started_at == began


def ids_of(submitted) -> list[object]:
    return [item.tracking_id for item in submitted]


def test_what_cannot_begin_in_time_is_sent_again_with_a_message_each(engine, monkeypatch):
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", 0.05)
    first, done, *others = executions = [recorded("sleep", params={"seconds": 0.1}), *(recorded("noop") for _ in "123")]
    execute(str(done.tracking_id))
    engine.submitted.clear()
    execute(*identifiers(executions))
    assert outcomes([first, done]) == [Outcome.SUCCEEDED] * 2
    assert outcomes(others) == ["", ""]
    assert ids_of(engine.submitted) == [one.tracking_id for one in others]
    assert not any(item.may_share for item in engine.submitted)


def test_many_of_which_each_is_short_do_not_keep_a_worker_longer_than_that(engine, monkeypatch):
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", 0.2)
    executions = [recorded("sleep", params={"seconds": 0.08}) for _ in range(6)]
    engine.submitted.clear()
    execute(*identifiers(executions))
    ran = outcomes(executions).count(Outcome.SUCCEEDED)
    assert 1 <= ran <= 3
    assert ids_of(engine.submitted) == [one.tracking_id for one in executions[ran:]]


def test_what_waits_behind_a_long_one_is_left_to_schedulers_once_and_no_broker_is_asked(engine, monkeypatch):
    executions = [recorded("noop") for _ in range(4)]
    execute(*identifiers(executions[3:]))
    engine.submitted.clear()
    message = _in_turn(identifiers(executions))
    next(message)
    hand_back_waiting()
    assert Execution.objects.filter(submissions=0).count() == 0  # it may end soon
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", -1)
    hand_back_waiting()
    left = Execution.objects.filter(submissions=0, send_at__lte=read_now()).order_by("id")
    assert list(left) == executions[1:3]
    left.update(submissions=1)
    hand_back_waiting()
    assert left.count() == 0
    assert engine.submitted == []
    message.close()


def test_a_broker_that_is_away_does_not_keep_a_worker_from_renewing_its_leases(engine, monkeypatch, heartbeat_is_here):
    long, other = executions = [recorded("noop"), recorded("noop")]
    message = _in_turn(identifiers(executions))
    next(message)
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", -1)
    monkeypatch.setattr(engine, "submit", lambda _submissions: pytest.fail("the heartbeat asked the broker"))
    attempt = attempt_at(long)
    attempt.clock.renewed_at -= 1000
    with process.running(attempt):
        Heart().beat()
    assert Execution.objects.get(pk=long.pk).lease_until > attempt.execution.lease_until
    assert Execution.objects.get(pk=other.pk).submissions == 0
    message.close()


def test_nothing_of_a_message_that_broke_is_left_to_others_later(engine, monkeypatch):
    executions = [recorded("noop") for _ in range(2)]
    message = _in_turn(identifiers(executions))
    next(message)
    message.close()
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", -1)
    hand_back_waiting()
    assert Execution.objects.filter(submissions=0).count() == 0


def test_a_message_within_another_one_leaves_its_rest_alone(engine):
    executions = [recorded("noop") for _ in range(3)]
    outer = _in_turn(identifiers(executions))
    next(outer)
    execute(str(executions[2].tracking_id))  # a function that runs another one in its own process
    assert list(outer) == identifiers(executions[1:])


def test_each_execution_of_a_message_has_all_of_the_engines_time_limit(engine, monkeypatch):
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", 60)
    previous = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        message = _in_turn(identifiers([recorded("noop") for _ in range(3)]))
        for _ in range(3):
            next(message)
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 20  # the machine may be busy
            time.sleep(0.6)
            signal.setitimer(signal.ITIMER_REAL, 0)  # as each execution does when it ends
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


# --- what waits in the broker ------------------------------------------------------------------------------------


@pytest.fixture
def waiting(engine, monkeypatch):
    """Executions that wait in the broker; ``asked`` says how often this process has looked."""

    class Waiting(list[Execution]):
        asked = 0

        def take(self, _limit: int | None) -> list[str]:
            self.asked += 1
            taken, self[:] = identifiers(self), []
            return taken

    found = Waiting()
    monkeypatch.setattr(process, "take_waiting", found.take)
    monkeypatch.setattr(process_module, "GO_ON_FOR", 5)  # this machine may be busy
    return found


def test_after_a_short_run_what_waits_in_the_broker_runs_at_once(waiting):
    first = recorded("noop")
    waiting[:] = others = [recorded("noop"), recorded("fail"), recorded("noop")]
    execute(str(first.tracking_id))
    assert outcomes([first, *others]) == [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SUCCEEDED]
    assert waiting.asked == 1  # once for a message


def test_after_a_run_that_took_its_time_nothing_is_taken_from_the_broker(waiting, monkeypatch):
    monkeypatch.setattr(process_module, "GO_ON_FOR", 0.05)
    first = recorded("sleep", params={"seconds": 0.05})
    execute(str(first.tracking_id))
    assert (outcomes([first]), waiting.asked) == ([Outcome.SUCCEEDED], 0)


def test_what_was_taken_from_the_broker_does_not_wait_for_one_that_takes_long(waiting, engine, monkeypatch):
    first = recorded("noop")
    waiting[:] = others = [recorded("sleep", params={"seconds": 2}), recorded("noop"), recorded("noop")]
    engine.submitted.clear()
    monkeypatch.setattr(process_module, "BEGIN_WITHIN", 1.9)
    execute(str(first.tracking_id))
    assert outcomes([first, others[0]]) == [Outcome.SUCCEEDED] * 2
    assert ids_of(engine.submitted) == [one.tracking_id for one in others[1:]]
