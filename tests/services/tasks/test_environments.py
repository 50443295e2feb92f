"""Tasks that run by schedule in some environments only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks import every, scheduled_task
from django_scheduled_tasks.exceptions import InvalidTask
from django_scheduled_tasks.models import ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.scheduler.tick import tick
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import When
from django_scheduled_tasks.services.tasks.edit import update_task
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture
def called(settings):
    def call(name: str) -> None:
        settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "ENVIRONMENT": name}

    return call


def task_for(*environments: str, **values) -> ScheduledTask:
    return make_task(schedule_kind="interval", expression="1h", environments=list(environments), **values)


@pytest.mark.parametrize(("name", "runs"), [("production", True), ("staging", False), ("prod", False), ("", False)])
def test_it_is_planned_in_its_environments_only(called, name, runs):
    called(name)
    task = task_for("production", "eu")
    assert task.runs_here is runs
    assert (task.next_run_at is not None) is runs
    assert ScheduledTask.objects.filter(overview.is_elsewhere()).exists() is not runs
    assert task_for().next_run_at is not None  # in all


def test_one_that_was_planned_elsewhere_records_nothing_here(called):
    called("production")
    task = task_for("production")
    ScheduledTask.objects.update(next_run_at=read_now())
    called("staging")
    tick()
    task.refresh_from_db()
    assert task.next_run_at is None
    assert not task.executions.exists()


def test_sync_plans_anew_what_was_planned_in_another_environment(called):
    called("staging")
    task = task_for("production")
    called("production")
    sync_declared_tasks()
    task.refresh_from_db()
    assert task.next_run_at is not None
    called("staging")
    sync_declared_tasks()
    task.refresh_from_db()
    assert task.next_run_at is None
    ScheduledTask.objects.update(expression="broken")
    called("production")
    sync_declared_tasks()
    task.refresh_from_db()
    assert task.next_run_at is None


def test_what_was_due_while_it_ran_elsewhere_only_has_one_row(called, engine):
    called("production")
    task = task_for("production")
    due = task.next_run_at
    called("staging")
    for number in range(3):
        with frozen_at(due + timedelta(hours=number)):
            tick()
            sync_declared_tasks()
    assert not task.executions.exists()
    called("production")
    with frozen_at(due + timedelta(hours=3, minutes=30)):
        sync_declared_tasks()
        (row,) = task.executions.all()
        assert (row.error_code, row.occurrences, row.scheduled_for) == ("elsewhere", 4, due + timedelta(hours=3))
        assert "the task was for other environments than this one." in row.error_message
        task.refresh_from_db()
        assert (task.stands_since, task.next_run_at) == (None, due + timedelta(hours=4))
        sync_declared_tasks()
        assert explain(task, When(due + timedelta(hours=1))).kind == "elsewhere"
    assert task.executions.count() == 1


def test_so_it_is_if_its_environments_are_changed(called, engine):
    called("staging")
    task = task_for("staging")
    due = task.next_run_at
    with frozen_at(due - timedelta(minutes=1)):
        update_task(task, environments=["production"])
    with frozen_at(due + timedelta(minutes=1)):
        update_task(task, environments=[])
    (row,) = task.executions.all()
    assert (row.error_code, row.occurrences, row.scheduled_for) == ("elsewhere", 1, due)


def test_a_change_counts_from_now(called):
    called("staging")
    task = update_task(task_for("production"), environments=["production", "staging"])
    assert task.next_run_at is not None


def test_names_are_checked():
    for wrong in (["a,b"], [" "], ["x" * 90] * 6):
        with pytest.raises(InvalidTask) as caught:
            task_for(*wrong)
        assert [error.field for error in caught.value.errors] == ["environments"]


def test_code_declares_them(called, monkeypatch):
    monkeypatch.setattr(registry, "_functions", [])
    monkeypatch.setattr(registry, "_declarations", [])
    monkeypatch.setattr(registry, "_by_name", {})

    @scheduled_task(schedule=every("1h"), environments=("production",))
    def invoices() -> None: ...

    called("production")
    assert sync_declared_tasks().created == ["invoices"]
    assert sync_declared_tasks().updated == []
    assert ScheduledTask.objects.get().environments == ["production"]
    with pytest.raises(TypeError, match="environments"):
        scheduled_task(schedule=every("1h"), environments="production")(lambda: None)
