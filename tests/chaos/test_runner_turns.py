"""Executions that exclude each other take turns, whatever number of workers; checked from recorded intervals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from django_scheduled_tasks.lifecycle import OPEN, Outcome, Overlap, Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import wait_for_end, wait_for_status, wait_until
from tests.factories import make_task
from tests.selection import IS_NIGHTLY

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("workers")]
WORKERS = 4
ROUNDS = 15 if IS_NIGHTLY else 6


@dataclass(frozen=True, order=True)
class Interval:
    """When one execution ran, by the worker host's clock."""

    begin: float
    end: float
    name: str
    number: int
    pid: int


def intervals(path: Path) -> list[Interval]:
    found = []
    for line in path.read_text().splitlines():
        name, number, begin, end, pid = line.split(" ")
        found.append(Interval(float(begin), float(end), name, int(number), int(pid)))
    return sorted(found)


def wait_for_all(*, timeout: float = 60) -> None:
    wait_until(
        lambda: not Execution.objects.filter(status__in=OPEN).exists(), timeout=timeout, what="all executions end"
    )
    assert set(Execution.objects.values_list("outcome", flat=True)) == {Outcome.SUCCEEDED}


def test_fifty_queued_executions_run_one_at_a_time_in_order_without_a_scheduler(tmp_path):
    path = tmp_path / "intervals"
    task = make_task(function="testapp.record_interval", params={"path": str(path), "name": "q"}, overlap="queue_all")
    numbers = [run_once(task).execution.pk for _ in range(50)]
    wait_for_all()
    found = intervals(path)
    assert [one.number for one in found] == numbers
    assert all(before.end <= after.begin for before, after in pairwise(found))
    assert len({one.pid for one in found}) > 1
    gaps = sorted(after.begin - before.end for before, after in pairwise(found))
    typical, longest = gaps[24] * 1000, gaps[-1] * 1000
    print(f"\nFrom the end of one to the start of the next: median {typical:.0f} ms, most {longest:.0f} ms")
    assert gaps[-1] < 10  # nobody waited for a message to be sent again, which takes 30 s


@pytest.mark.every_database
def test_tasks_of_a_group_never_overlap_while_others_run_beside_them(tmp_path):
    path = tmp_path / "intervals"

    def task(name: str, **values):
        params = {"path": str(path), "name": name, "seconds": 0.5}
        return make_task(name=name, function="testapp.record_interval", params=params, overlap="queue_all", **values)

    tasks = [task("a1", concurrency_group="a"), task("a2", concurrency_group="a"), task("alone")]
    tasks += [task("b1", concurrency_group="b"), task("b2", concurrency_group="b"), task("free")]
    for _ in range(ROUNDS):
        for one in tasks:
            run_once(one, overlap=Overlap.ALLOW if one.name == "free" else None)
    wait_for_all()
    groups = defaultdict(list)
    for one in intervals(path):
        groups[one.name if one.name in {"alone", "free"} else one.name[0]].append(one)
    assert [len(groups[name]) for name in ("a", "b", "alone", "free")] == [2 * ROUNDS, 2 * ROUNDS, ROUNDS, ROUNDS]
    for name in ("a", "b", "alone"):
        assert all(before.end <= after.begin for before, after in pairwise(groups[name])), name
    everything = sorted(one for group in groups.values() for one in group)
    assert any(before.end > after.begin for before, after in pairwise(everything))
    for name in ("a1", "a2", "b1", "b2", "alone"):
        numbers = [one.number for one in everything if one.name == name]
        assert numbers == sorted(numbers)


def test_the_next_one_starts_when_the_one_before_is_cancelled_fails_or_times_out(tmp_path):
    path = tmp_path / "intervals"
    params = {"path": str(path), "name": "after"}
    group = {"concurrency_group": "g", "overlap": "queue_all"}
    after = make_task(function="testapp.record_interval", params=params, **group)
    for function, values in (
        ("sleep_with_progress", {}),
        ("sleep", {"timeout": timedelta(seconds=1), "params": {"seconds": 60}}),
        ("fail", {}),
    ):
        first = run_once(make_task(function=f"testapp.{function}", **values, **group)).execution
        # Of two tasks of a group nobody promises which comes first, while both wait.
        wait_until(lambda first=first: has_begun(first), what="the first one begins")
        second = run_once(after).execution
        if function == "sleep_with_progress":
            cancel(first.tracking_id)
        wait_for_end(second, timeout=10)
        first.refresh_from_db()
        assert first.outcome in {Outcome.CANCELLED, Outcome.TIMED_OUT, Outcome.FAILED}
        assert second.outcome == Outcome.SUCCEEDED
        # The instants are read just before each statement, so that they may overlap by its duration.
        assert second.started_at >= first.completed_at - timedelta(milliseconds=100)
        assert second.started_at - first.completed_at < timedelta(seconds=2)


def has_begun(execution: Execution) -> bool:
    execution.refresh_from_db()
    return execution.status != Status.PENDING


def test_a_queued_one_that_is_cancelled_lets_those_behind_it_go_on(tmp_path):
    path = tmp_path / "intervals"
    task = make_task(function="testapp.record_interval", params={"path": str(path)}, overlap="queue_all")
    slow = run_once(task, params={"seconds": 1.5}).execution
    wait_for_status(slow, Status.PROCESSING)
    waiting = [run_once(task).execution for _ in range(4)]
    cancel(waiting[0].tracking_id)
    cancel(waiting[2].tracking_id)
    for one in (waiting[1], waiting[3]):
        assert wait_for_end(one, timeout=10).outcome == Outcome.SUCCEEDED
    assert [one.number for one in intervals(path)] == [slow.pk, waiting[1].pk, waiting[3].pk]


def test_a_failing_one_that_waits_for_its_retry_lets_others_go_first(tmp_path):
    path = tmp_path / "intervals"
    group = {"concurrency_group": "r", "overlap": "queue_all"}
    failing = make_task(function="testapp.fail", max_attempts=2, min_backoff=timedelta(minutes=5), **group)
    after = make_task(function="testapp.record_interval", params={"path": str(path)}, **group)
    first = run_once(failing).execution
    retried = Execution.objects.filter(pk=first.pk, status=Status.PENDING, attempt=2)
    wait_until(retried.exists, what="it has failed and waits")  # else the other could be the first to be claimed
    second = run_once(after).execution
    assert wait_for_end(second, timeout=10).outcome == Outcome.SUCCEEDED
    assert retried.exists()
    cancel(first.tracking_id)
