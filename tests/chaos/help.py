"""Words for tests with real workers: start a function, keep workers busy, see that they go on."""

from __future__ import annotations

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import wait_for_end, wait_for_status
from tests.factories import make_task


def start(function: str, **values) -> Execution:
    """Start a function in the cluster."""
    return run_once(make_task(function=f"testapp.{function}", **values)).execution


def started(function: str, **values) -> Execution:
    """Start a function in the cluster and wait until it runs."""
    return wait_for_status(start(function, **values), Status.PROCESSING)


def occupy(seconds: float) -> list[Execution]:
    """Keep both workers of the shared cluster busy."""
    busy = [start("sleep", params={"seconds": seconds}) for _ in range(2)]
    return [wait_for_status(execution, Status.PROCESSING) for execution in busy]


def run_something(on: int | None = None) -> None:
    """Check that the workers go on: that with the process id *on*, if one is given."""
    for number in range(50):
        execution = wait_for_end(start("add", params={"a": 1}))
        assert execution.result == 3
        if number >= 2 and on in {None, execution.worker_pid}:
            return
    raise AssertionError(f"The worker {on} took nothing.")


def messages(execution: Execution) -> list[str]:
    """Return the lines of its log."""
    return list(execution.logs.order_by("number").values_list("message", flat=True))
