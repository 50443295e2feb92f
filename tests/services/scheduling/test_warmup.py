"""The scheduler is warm when the first task is due, and acts at that instant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.models import Execution, ScheduledTask, read_now
from django_scheduled_tasks.scheduler.loop import Loop
from django_scheduled_tasks.services.scheduling import warmup
from django_scheduled_tasks.signals import execution_queued
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def warmed_up(monkeypatch):
    """Give the list of what each pass of a warmup recorded."""
    passes = []
    real = warmup.record_due

    def record_due(**options):
        passes.append(real(**options))
        return passes[-1]

    monkeypatch.setattr(warmup, "record_due", record_due)
    return passes


def test_a_warmup_records_an_execution_and_leaves_nothing_behind(engine, warmed_up):
    heard = []

    def hear(**named):
        heard.append(named)

    execution_queued.connect(hear)
    try:
        warmup.warm_up()
    finally:
        execution_queued.disconnect(hear)
    assert [len(done.executions) for done in warmed_up] == [1]
    assert not ScheduledTask.objects.exists()
    assert not Execution.objects.exists()
    assert heard == []
    assert engine.submitted == []


def test_a_warmup_that_fails_keeps_no_scheduler_from_its_work(engine, monkeypatch, caplog):
    caplog.set_level("INFO")

    def fail(**_options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(warmup, "record_due", fail)
    warmup.warm_up()
    assert "Not warmed up, the first pass will take longer: a bug" in caplog.text
    assert not ScheduledTask.objects.exists()


@pytest.fixture
def loop():
    """A loop that is closed in the end."""
    made = Loop()
    yield made
    made._sleeper.close()


def test_what_was_seen_to_be_due_is_handled_at_its_instant_without_another_look(engine, loop):
    task = make_task(schedule_kind="interval", expression="1h", overlap="allow")
    ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=read_now() + timedelta(seconds=0.2))
    loop._pass_and_sleep()
    assert Execution.objects.filter(task=task).count() == 1


def test_a_pause_while_the_loop_sleeps_still_wins(engine, loop, monkeypatch):
    task = make_task(schedule_kind="interval", expression="1h", overlap="allow")
    ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=read_now() + timedelta(seconds=0.9))
    monkeypatch.setattr(loop._sleeper, "sleep", lambda _seconds: ScheduledTask.objects.update(next_run_at=None))
    loop._pass_and_sleep()
    assert not Execution.objects.exists()
