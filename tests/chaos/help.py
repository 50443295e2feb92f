"""What tests with real workers share: one cluster for a module, and words to start something in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import Cluster, cluster, scheduler, wait_for_end, wait_for_status
from tests.factories import make_task

LEASE = 2.0


@pytest.fixture(scope="module")
def shared_cluster(request: pytest.FixtureRequest, django_db_setup, django_db_blocker) -> Iterator[Cluster]:
    """Workers for all tests of a module, which may say ``WORKERS = 4`` and ``WITH_SCHEDULER = True``."""
    count = getattr(request.module, "WORKERS", 2)
    with django_db_blocker.unblock(), cluster(workers=count, settings={"LEASE": LEASE}) as workers:
        if getattr(request.module, "WITH_SCHEDULER", False):
            with scheduler():
                yield workers
        else:
            yield workers


@pytest.fixture
def workers(shared_cluster: Cluster, transactional_db) -> Iterator[Cluster]:
    """The workers of the module, for a test that leaves them alive and idle."""
    before = shared_cluster.alive_worker_pids()
    assert before == shared_cluster.worker_pids(), shared_cluster.text()[-4000:]
    yield shared_cluster
    assert shared_cluster.alive_worker_pids() == before
    assert not Execution.objects.open().exists()


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
