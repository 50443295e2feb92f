"""A message that carries several executions: they run one after the other, and do not wait for one that takes long."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.handed import GO_ON_FOR, Broker, give_back, handed
from django_scheduled_tasks.services.executions import run_once
from tests.factories import make_task

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_the_rest_is_given_back_with_a_message_each_and_runs_here_no_more(engine):
    executions = [recorded("noop") for _ in range(4)]
    execute(*identifiers(executions[3:]))
    engine.submitted.clear()
    message = handed(identifiers(executions))
    assert next(message) == str(executions[0].tracking_id)
    give_back()
    assert [item.tracking_id for item in engine.submitted] == [one.tracking_id for one in executions[1:3]]
    assert not any(item.may_share for item in engine.submitted)
    assert list(message) == []
    give_back()
    assert len(engine.submitted) == 2


def test_nothing_of_a_message_that_broke_is_given_back_later(engine):
    executions = [recorded("noop") for _ in range(2)]
    engine.submitted.clear()
    message = handed(identifiers(executions))
    next(message)
    message.close()
    give_back()
    assert engine.submitted == []


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
    monkeypatch.setattr(Broker, "take", found.take)
    return found


def test_after_a_short_run_what_waits_in_the_broker_runs_at_once(waiting):
    first = recorded("noop")
    waiting[:] = others = [recorded("noop"), recorded("fail"), recorded("noop")]
    execute(str(first.tracking_id))
    assert outcomes([first, *others]) == [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SUCCEEDED]
    assert waiting.asked == 1  # once for a message


def test_after_a_run_that_took_its_time_nothing_is_taken_from_the_broker(waiting):
    first = recorded("sleep", params={"seconds": GO_ON_FOR})
    execute(str(first.tracking_id))
    assert (outcomes([first]), waiting.asked) == ([Outcome.SUCCEEDED], 0)


def test_what_was_taken_from_the_broker_is_given_back_if_one_takes_long(waiting, engine):
    first = recorded("noop")
    waiting[:] = others = [recorded("noop") for _ in range(3)]
    engine.submitted.clear()
    message = handed([str(first.tracking_id)])
    assert [next(message), next(message)] == identifiers([first, others[0]])
    give_back()
    assert [item.tracking_id for item in engine.submitted] == [one.tracking_id for one in others[1:]]
    assert list(message) == []
