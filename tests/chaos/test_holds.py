"""Holds with a real scheduler and real workers: nothing starts, and at the end all of it does, at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask, read_now
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.holds import hold
from tests.chaos.help import started
from tests.cluster import wait_for_end, wait_until
from tests.factories import make_task

WITH_SCHEDULER = True
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("workers"),
]


@pytest.mark.slow
def test_what_was_due_and_what_was_asked_for_starts_when_the_hold_ends_by_itself():
    until = read_now() + timedelta(seconds=12)
    hold(reason="deploy", until=until)
    at = (read_now() + timedelta(seconds=9)).replace(microsecond=0)
    due = make_task(schedule_kind="dates", expression=at.isoformat(), timezone="UTC")
    asked = run_once(make_task(function="testapp.add", params={"a": 1})).execution
    by_schedule = wait_until(
        lambda: Execution.objects.filter(trigger=Trigger.SCHEDULE, status=Status.COMPLETED).first(),
        what="the occurrence runs",
        timeout=40,
    )
    asked = wait_for_end(asked)
    assert (by_schedule.task_id, by_schedule.scheduled_for) == (due.pk, at)
    for execution in (asked, by_schedule):
        assert execution.status == Status.COMPLETED
        assert execution.started_at >= until
    assert by_schedule.triggered_at - until < timedelta(seconds=2)
    assert Hold.objects.get().ended_at == until


def test_a_drain_waits_for_what_runs_and_a_release_starts_what_waits(capsys):
    running = started("sleep", params={"seconds": 2})
    call_command("hold_tasks", reason="deploy", drain=60)
    assert Execution.objects.get(pk=running.pk).status == Status.COMPLETED
    waiting = run_once(make_task(function="testapp.add", params={"a": 1})).execution
    assert not Execution.objects.filter(status=Status.PROCESSING).exists()
    call_command("release_tasks", reason="deploy")
    assert wait_for_end(waiting).status == Status.COMPLETED
    assert ScheduledTask.objects.count() == 2
