"""A message that carries several executions: they run one after the other, and do not wait for one that takes long."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.execute import execute
from django_scheduled_tasks.runner.handed import give_back, handed
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
