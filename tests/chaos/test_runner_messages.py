"""Messages that carry several executions, with real workers: nobody waits for who takes long, or dies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.engines.django_q import engine as engine_module
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.services.delivery.dispatch import submit
from tests.cluster import cluster, scheduler, wait_for_end
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def in_one_message(monkeypatch):
    """Send the executions that it is called with to the workers, in one message."""
    monkeypatch.setattr(engine_module, "FEW", 1)
    sent = []
    real = engine_module._send
    monkeypatch.setattr(
        engine_module, "_send", lambda together, broker: (sent.append(together), real(together, broker))
    )

    def send(*functions: str, seconds: float = 60) -> list[Execution]:
        executions = []
        for function in functions:
            task = make_task(function=f"testapp.{function}", overlap="allow")
            params = {"seconds": seconds} if function == "sleep" else {}
            executions.append(
                make_execution(
                    task,
                    function=task.function,
                    params=params,
                    status=Status.PENDING,
                    send_at=read_now(),
                    submissions=1,
                )
            )
        assert submit(executions, may_share=True)
        assert len(sent) == 1
        return executions

    return send


@pytest.mark.slow
def test_who_takes_long_does_not_keep_the_others_of_its_message_waiting(in_one_message):
    with cluster(workers=2), scheduler():
        long, *others = in_one_message("sleep", *["noop"] * 7)
        for execution in others:
            assert wait_for_end(execution, timeout=15).outcome == Outcome.SUCCEEDED
        long.refresh_from_db()
        assert long.status == Status.PROCESSING
        assert {execution.worker_pid for execution in others} != {long.worker_pid}


def test_without_a_scheduler_the_others_of_a_message_wait_for_their_turn_and_run(in_one_message):
    with cluster(workers=1):
        long, *others = in_one_message("sleep", *["noop"] * 3, seconds=2)
        for execution in (long, *others):
            assert wait_for_end(execution, timeout=15).outcome == Outcome.SUCCEEDED


def test_a_worker_that_dies_takes_nothing_of_its_message_with_it(in_one_message):
    with cluster(workers=1, settings={"LEASE": 3.0}), scheduler():
        first, dead, *others = in_one_message("noop", "end_process", *["noop"] * 5)
        assert wait_for_end(first).outcome == Outcome.SUCCEEDED
        for execution in others:
            assert wait_for_end(execution, timeout=30).outcome == Outcome.SUCCEEDED
        assert wait_for_end(dead).outcome == Outcome.WORKER_LOST


@pytest.mark.slow
def test_the_limit_that_django_q2_has_for_a_message_ends_each_of_its_executions(in_one_message):
    with cluster(workers=1, q_cluster={"timeout": 2, "retry": 60}) as workers:
        first, late, last = in_one_message("noop", "sleep", "noop")
        assert wait_for_end(late).outcome == Outcome.TIMED_OUT
        assert wait_for_end(first).outcome == wait_for_end(last).outcome == Outcome.SUCCEEDED
        assert late.completed_at - late.started_at < timedelta(seconds=4)
        assert workers.worker_pids() == workers.alive_worker_pids()
