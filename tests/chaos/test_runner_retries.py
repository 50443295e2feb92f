"""Leases, expiry and retries with real workers and a scheduler, of which nobody is killed."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.chaos.help import occupy, start
from tests.cluster import SHARED_LEASE, wait_for_end, wait_for_status
from tests.factories import make_task

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("workers")]
WITH_SCHEDULER = True


def test_a_long_run_renews_its_lease():
    execution = start("sleep", params={"seconds": 2.5 * SHARED_LEASE})
    assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
    assert execution.attempt == 1
    assert not execution.attempts.exists()


@pytest.mark.slow
def test_an_execution_that_waited_longer_than_allowed_never_starts():
    busy = occupy(4)
    waiting = start("append_line", params={"path": os.devnull}, expires_after=timedelta(seconds=1))
    wait_for_end(waiting, timeout=8)
    assert (waiting.outcome, waiting.started_at) == (Outcome.EXPIRED, None)
    assert {wait_for_end(execution).outcome for execution in busy} == {Outcome.SUCCEEDED}


@pytest.mark.slow
def test_three_retries_wait_as_the_formula_says():
    task = make_task(
        function="testapp.fail_until",
        params={"attempt": 4},
        max_attempts=5,
        min_backoff=timedelta(seconds=1),
        max_backoff=timedelta(seconds=3),
        max_doublings=1,
        retry_on=["ConnectionError"],
    )
    execution = run_once(task).execution
    tracking_id = execution.tracking_id
    wait_for_status(execution, Status.PENDING)
    wait_for_end(execution, timeout=30)
    assert (execution.tracking_id, execution.attempt, execution.result) == (tracking_id, 4, "succeeded at 4")
    assert (execution.error_code, execution.error_message, execution.traceback) == ("", "", "")
    assert execution.progress_current == 4
    attempts = list(execution.attempts.order_by("number"))
    assert [(one.number, one.outcome, one.error_message) for one in attempts] == [
        (number, "failed", f"failed {number}") for number in (1, 2, 3)
    ]
    starts = [one.started_at for one in attempts[1:]] + [execution.started_at]
    waits = [(begin - one.ended_at).total_seconds() for one, begin in zip(attempts, starts, strict=True)]
    for waited, formula in zip(waits, [1, 2, 3], strict=True):
        assert formula <= waited < formula + 2
    lines = execution.logs.order_by("number").values_list("number", "attempt", "message")
    assert list(lines) == [(number, number, f"attempt {number}") for number in (1, 2, 3, 4)]


def test_only_errors_of_the_given_kinds_are_tried_again():
    values = {"max_attempts": 3, "min_backoff": timedelta(seconds=1), "retry_on": ["ConnectionError"]}
    execution = start("fail_until", params={"kind": "ValueError"}, **values)
    assert wait_for_end(execution).attempt == 1
    assert execution.error_message == "failed 1"
