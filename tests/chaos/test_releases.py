"""A rolling deploy: schedulers and workers of an old and a new release at once, as real processes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from django_scheduled_tasks.lifecycle import Outcome, PauseCode, Status
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, Release, ScheduledTask, read_now
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import Cluster, TestProcess, cluster, scheduler, wait_for_end, wait_until
from tests.factories import make_task

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
EACH_SECOND = {"schedule_kind": "interval", "expression": "1s"}


def variables(name: str, **more: str) -> dict[str, str]:
    return {"SCHEDULED_TASKS_TEST_RELEASE": name, **more}


def scheduler_of(name: str, **more: str) -> AbstractContextManager[TestProcess]:
    return scheduler(settings={"RELEASE": name}, environment=variables(name, **more))


def workers_of(name: str, count: int = 1) -> AbstractContextManager[Cluster]:
    return cluster(workers=count, settings={"RELEASE": name}, environment=variables(name))


def only_new(path: Path, **values: object) -> ScheduledTask:
    """Make a task whose function only the new release knows."""
    task = make_task(**values)
    ScheduledTask.objects.filter(pk=task.pk).update(function="testapp.only_new", params={"path": str(path)})
    task.refresh_from_db()
    return task


def trigger(function: str, **params: object) -> Execution:
    """Trigger a function as a web process of the new release does, before any worker of it is there."""
    execution = run_once(make_task(function="testapp.noop")).execution
    Execution.objects.filter(pk=execution.pk).update(function=f"testapp.{function}", params=params)
    return execution


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.slow
def test_an_old_scheduler_leaves_a_new_task_to_the_new_one_and_nothing_is_lost(tmp_path):
    """Defect (a), in its first part."""
    path = tmp_path / "lines"
    with scheduler_of("old") as old:
        task = only_new(path, **EACH_SECOND, catch_up="all", overlap="queue_all")
        wait_until(lambda: "is left to other schedulers" in old.text(), what="the old scheduler meets it")
        with scheduler_of("new"), workers_of("new"):
            wait_until(
                lambda: len(lines(path)) >= 5,
                timeout=60,
                what="it runs",
            )
            task.refresh_from_db()
            assert (task.paused_at, task.pause_code) == (None, "")
            assert old.is_running
        rows = Execution.objects.filter(task=task).order_by("scheduled_for")
        planned = [row.scheduled_for for row in rows]
        assert planned == [planned[0] + timedelta(seconds=number) for number in range(len(planned))]
        assert {row.outcome for row in rows} <= {"", Outcome.SUCCEEDED}
    new = Release.objects.get(name="new")
    assert {row.release for row in rows if row.status == Status.COMPLETED} == {new.key}
    assert {one.release for one in Presence.objects.filter(kind=PresenceKind.WORKER)} == {new.key}


def test_what_an_old_scheduler_has_paused_goes_on_by_itself_and_each_occurrence_has_a_row(tmp_path):
    """Defect (a), in its second part: the new release came later than two minutes, here two seconds."""
    path = tmp_path / "lines"
    with scheduler_of("old", SCHEDULED_TASKS_TEST_UNKNOWN_FOR="2"):
        task = only_new(path, **EACH_SECOND)
        first = task.next_run_at

        def is_paused() -> bool:
            task.refresh_from_db()
            return task.pause_code == PauseCode.UNKNOWN_FUNCTION

        wait_until(is_paused, timeout=30, what="it is paused as broken")
        with scheduler_of("new"), workers_of("new"):
            wait_until(lambda: len(lines(path)) >= 2, timeout=60, what="it goes on")
            task.refresh_from_db()
            assert (task.paused_at, task.pause_code, task.pause_reason) == (None, "", "")
    rows = Execution.objects.filter(task=task).order_by("scheduled_for")
    planned = [row.scheduled_for for row in rows]
    assert planned == [first + timedelta(seconds=number) for number in range(len(planned))], "no hole"


def test_an_old_scheduler_that_is_started_again_does_not_switch_off_what_the_new_one_declares():
    """Defect (b)."""
    with scheduler_of("old"):
        pass
    with scheduler_of("new"):
        wait_until(lambda: ScheduledTask.objects.filter(name="declared-by-new").exists(), what="it is declared")
        with scheduler_of("old") as old:
            task = ScheduledTask.objects.get()
            assert (task.enabled, task.retired_at) == (True, None)
            assert old.is_running
    with scheduler_of("old"):  # while no process of the new release runs
        task = ScheduledTask.objects.get()
        assert (task.enabled, task.retired_at) == (True, None)
        assert task.declared_release == Release.objects.get(name="new").key


def test_an_old_worker_gives_back_what_it_does_not_know_and_the_new_one_runs_it_once(tmp_path):
    """Defect (c)."""
    path = tmp_path / "lines"
    with scheduler_of("old"), workers_of("old"):
        executions = [trigger("only_new", path=str(path)) for _ in range(4)]
        wait_until(
            lambda: Execution.objects.filter(given_back__gte=1).count() == len(executions),
            timeout=30,
            what="the old worker gives them back",
        )
        with workers_of("new"):
            for execution in executions:
                wait_for_end(execution, timeout=90)
    assert {(row.outcome, row.attempt) for row in executions} == {(Outcome.SUCCEEDED, 1)}
    assert len(lines(path)) == len(executions)
    assert not Execution.objects.filter(attempts__isnull=False).exists()


@pytest.mark.slow
def test_parameters_of_the_new_signature_are_not_failed_by_an_old_worker(tmp_path):
    """Defect (d)."""
    path = tmp_path / "lines"
    with scheduler_of("new"), workers_of("old"):
        execution = trigger("changing", path=str(path), text="with a text")
        wait_until(lambda: Execution.objects.filter(given_back__gte=1).exists(), timeout=30, what="it is given back")
        older = trigger("changing", path=str(path))
        assert wait_for_end(older).outcome == Outcome.SUCCEEDED
        with workers_of("new"):
            assert wait_for_end(execution, timeout=90).outcome == Outcome.SUCCEEDED
    assert [line.rsplit(" ", 1)[0] for line in lines(path)][-1] == "new with a text"
    assert read_now() > execution.completed_at
