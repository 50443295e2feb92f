"""The whole way over real processes, started as a user would: a scheduler and workers, on each database and broker."""

from __future__ import annotations

import os
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from django_scheduled_tasks import task
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, ScheduledTask, read_now
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import (
    TestProcess,
    cluster,
    directed,
    finish,
    is_alive,
    scheduler,
    start,
    wait_for_end,
    wait_for_status,
    wait_until,
)
from tests.factories import make_task

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def in_a_moment(seconds: float = 3, **values) -> ScheduledTask:
    """A task with one date, a few seconds ahead."""
    at = (read_now() + timedelta(seconds=seconds)).replace(microsecond=0)
    return make_task(
        function="testapp.append_line", schedule_kind="dates", expression=at.isoformat(), timezone="UTC", **values
    )


@pytest.mark.every_database
@pytest.mark.every_broker
def test_a_due_task_runs_once_and_a_manual_run_in_between_changes_nothing(tmp_path):
    path = tmp_path / "lines"
    with cluster(), scheduler():
        due = in_a_moment(8, name="due", params={"path": str(path), "text": "ran"})  # time for the manual run
        at = due.next_run_at
        info, errors = task("due").run_once({"text": "manual"})
        assert errors is None
        assert task("due").wait(info.tracking_id, timeout=60).info.status == Status.COMPLETED
        due.refresh_from_db()
        assert (due.next_run_at, due.run_count) == (at, 0)

        scheduled = wait_until(
            lambda: Execution.objects.filter(trigger=Trigger.SCHEDULE, status=Status.COMPLETED).first(),
            what="the scheduled execution completes",
        )
        assert scheduled.scheduled_for == at
        assert timedelta(0) <= scheduled.triggered_at - at < timedelta(seconds=2)
        assert scheduled.triggered_at <= scheduled.started_at <= scheduled.completed_at
        due.refresh_from_db()
        assert due.next_run_at is None
    assert [line.split()[0] for line in lines(path)] == ["manual", "ran"]
    assert Execution.objects.count() == 2


def test_scheduler_and_workers_are_seen_and_a_stopped_scheduler_says_goodbye():
    with cluster():
        with scheduler() as process:
            wait_until(lambda: presence.is_alive(PresenceKind.WORKER), what="a worker is seen")
            assert presence.is_alive(PresenceKind.SCHEDULER)
            assert process.stop() == 0
            assert "Scheduler has stopped." in process.text()
        assert not presence.is_alive(PresenceKind.SCHEDULER)
        assert Presence.objects.get(kind=PresenceKind.WORKER).host == HOST


@pytest.mark.every_broker
def test_a_cluster_that_is_asked_to_end_says_so_finishes_and_has_ended_in_good_order():
    with cluster(workers=2) as process:
        execution = run_once(make_task(function="testapp.wait_a_moment", params={"seconds": 3})).execution
        wait_for_status(execution, Status.PROCESSING)
        row = wait_until(lambda: Presence.objects.filter(kind=PresenceKind.WORKER).first(), what="it is seen")
        assert (row.pid, row.processes, row.ending_at) == (process.pid, 2, None)
        assert abs(row.clock_behind) < timedelta(seconds=5)
        os.kill(process.pid, signal.SIGTERM)
        wait_until(lambda: Presence.objects.filter(ending_at__isnull=False).first(), what="it says that it ends")
        assert presence.is_alive(PresenceKind.WORKER), "it still runs something"
        assert wait_for_end(execution).status == Status.COMPLETED
        wait_until(lambda: not process.is_running, what="it ends")
        assert Presence.objects.get().ended_well
        assert not presence.is_alive(PresenceKind.WORKER)


@pytest.mark.every_database
@pytest.mark.every_broker
def test_two_schedulers_start_each_occurrence_once(tmp_path):
    path = tmp_path / "lines"
    with cluster(), scheduler(), scheduler():
        make_task(
            function="testapp.append_line",
            params={"path": str(path)},
            schedule_kind="cron",
            expression="* * * * * *",
            overlap="allow",
        )
        wait_until(lambda: len(lines(path)) >= 5, what="five occurrences have run")
    instants = list(
        Execution.objects.filter(trigger=Trigger.SCHEDULE).order_by("id").values_list("scheduled_for", flat=True)
    )
    assert instants == [instants[0] + timedelta(seconds=n) for n in range(len(instants))]
    numbers = [line.split()[1] for line in lines(path)]
    assert len(numbers) == len(set(numbers))


@pytest.mark.every_broker
def test_what_another_cluster_starts_for_the_default_queue_runs_in_the_default_cluster():
    with directed() as queue:
        slow = f"{queue}-slow"
        q_cluster = {"ALT_CLUSTERS": {slow: {}}}
        with (
            cluster(workers=1, q_cluster=q_cluster) as default,
            cluster(workers=1, q_cluster=q_cluster, environment={"Q_CLUSTER_NAME": slow}) as other,
        ):
            make_task(name="quick", function="testapp.noop")
            starter = make_task(function="testapp.start_other", params={"name": "quick"}, queue=slow)
            started = wait_for_end(run_once(starter).execution)
            assert (started.status, started.worker_pid in other.worker_pids()) == (Status.COMPLETED, True)
            quick = wait_for_end(Execution.objects.get(task_name="quick"))
            assert (quick.status, quick.worker_pid in default.worker_pids()) == (Status.COMPLETED, True)


@pytest.mark.every_database
@pytest.mark.every_broker
@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_one_command_is_a_whole_installation_and_stops_cleanly(tmp_path, how):
    path = tmp_path / "lines"
    with directed() as queue:
        process = start(TestProcess, "runscheduler", "--with-cluster", queue=queue)
        try:
            due = in_a_moment(name="due", params={"path": str(path)})
            wait_until(lambda: lines(path), timeout=80, what="the task has run")
            pids = [int(pid) for pid in re.findall(r" at (\d+)", process.text())]
            assert len(pids) >= 3, process.text()
            os.kill(process.pid, how)
            assert process.popen.wait(20) == 0, process.text()
            wait_until(lambda: not any(map(is_alive, pids)), what="no worker is left behind")
        finally:
            finish(process)
    assert len(lines(path)) == 1
    assert due.executions.get().status == Status.COMPLETED


def test_a_second_signal_does_not_wait_for_what_still_runs():
    with directed() as queue:
        process = start(TestProcess, "runscheduler", "--with-cluster", queue=queue)
        try:
            make_task(name="long", function="testapp.sleep", params={"seconds": 60})
            info, _ = task("long").run_once()
            execution = wait_for_status(Execution.objects.get(), Status.PROCESSING, timeout=80)
            os.kill(process.pid, signal.SIGTERM)
            wait_until(lambda: "stopping" in process.text(), what="the cluster has been asked to stop")
            assert process.is_running
            os.kill(process.pid, signal.SIGTERM)
            assert process.popen.wait(10) == 0, process.text()
            pids = [int(pid) for pid in re.findall(r" at (\d+)", process.text())]
            wait_until(lambda: not any(map(is_alive, pids)), what="no worker is left behind")
        finally:
            finish(process)
    execution.refresh_from_db()
    assert (execution.tracking_id, execution.status) == (info.tracking_id, Status.PROCESSING)  # its lease will run out


def test_a_cluster_that_dies_is_started_again(tmp_path):
    path = tmp_path / "lines"
    with directed() as queue:
        process = start(TestProcess, "runscheduler", "--with-cluster", queue=queue)
        try:
            sentinel_group = wait_until(lambda: _cluster_pid(process.pid), timeout=80, what="the cluster is there")
            os.killpg(sentinel_group, signal.SIGKILL)
            wait_until(lambda: _cluster_pid(process.pid) not in (None, sentinel_group), what="a new cluster is there")
            make_task(name="after", function="testapp.append_line", params={"path": str(path)})
            info, _ = task("after").run_once()
            assert task("after").wait(info.tracking_id, timeout=80).info.status == Status.COMPLETED
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.popen.wait(20)
            finish(process)


def _cluster_pid(parent: int) -> int | None:
    """Return the process that a thread of *parent* has started, if there is one."""
    threads = Path(f"/proc/{parent}/task").iterdir()
    found = [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]
    # It leads a group of its own a moment after it is there.
    return next((pid for pid in found if is_alive(pid) and os.getpgid(pid) == pid), None)


@pytest.mark.slow
def test_once_makes_one_pass_and_exits(tmp_path):
    path = tmp_path / "lines"
    with directed() as queue, cluster():
        due = in_a_moment(name="due", params={"path": str(path)})
        wait_until(lambda: read_now() >= due.next_run_at, what="it is due")
        process = start(TestProcess, "runscheduler", "--once", queue=queue)
        try:
            assert process.popen.wait(60) == 0, process.text()
            assert "1 tasks were due, 1 executions recorded" in process.text()
            wait_until(lambda: lines(path), what="it has run")
        finally:
            finish(process)
