"""What was missed: why its row says, and how it is made good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from django_scheduled_tasks.client import task as client_task
from django_scheduled_tasks.exceptions import AlreadyMadeGood
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, ScheduledTask, frozen_at
from django_scheduled_tasks.services.queries.executions.missed import made_good, missed
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def lost(engine):
    """An occurrence that was missed, since no scheduler ran from 13 minutes before until 72 minutes after it."""
    return lose(make_task(**DAILY))


DAILY = {
    "name": "invoice-run",
    "function": "testapp.add",
    "params": {"a": 1, "b": 2},
    "schedule_kind": "cron",
    "expression": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "grace": HOUR,
}


def lose(task, *, seen=True):
    due = task.next_run_at
    with frozen_at(due - 13 * MINUTE):
        presence.seen(PresenceKind.SCHEDULER)
    Presence.objects.update(identity="scheduler:one that died") if seen else Presence.objects.all().delete()
    with frozen_at(due + 72 * MINUTE):
        presence.seen(PresenceKind.SCHEDULER)
    with frozen_at(due + 72 * MINUTE + timedelta(seconds=2)):
        record_due(limit=10)
    return Execution.objects.get(task=task, scheduled_for=due)


def test_what_was_missed_while_no_scheduler_ran_says_from_when_to_when(lost):
    found = missed(lost.error_message)
    assert lost.outcome == Outcome.MISSED
    assert found.sentence == "No scheduler ran from 02:47 to 04:12."
    assert found.reason == "It was found 1h12m2s after it was due, and its grace is 1h."
    assert (found.since, found.until, found.grace) == ("02:47", "04:12", HOUR)


def test_without_a_trace_of_earlier_schedulers_it_says_what_the_planner_says(engine):
    row = lose(make_task(**DAILY), seen=False)
    found = missed(row.error_message)
    assert found.sentence == "It was found 1h12m2s after it was due, and its grace is 1h."
    assert (found.reason, found.since) == ("", "")


def test_a_scheduler_that_ran_when_it_was_due_is_not_said_to_have_been_away(engine):
    task = make_task(**DAILY)
    with frozen_at(task.next_run_at - 13 * MINUTE):
        presence.seen(PresenceKind.SCHEDULER)
    with frozen_at(task.next_run_at + 72 * MINUTE):
        Presence.objects.update(last_seen_at=task.next_run_at + 72 * MINUTE)
        record_due(limit=10)
    assert missed(Execution.objects.get().error_message).since == ""


def test_the_present_parameters_of_the_task_make_it_good_as_due_when_it_was(lost):
    ScheduledTask.objects.update(params={"a": 1, "b": 3}, function="testapp.give")
    ScheduledTask.objects.update(function="testapp.add")
    again = run_once(lost.task, rerun_of=lost).execution
    again.refresh_from_db()
    assert (again.scheduled_for, again.rerun_of_id, again.params) == (lost.scheduled_for, lost.pk, {"a": 1, "b": 3})
    assert made_good([lost])[lost.pk].pk == again.pk


@pytest.mark.parametrize("outcome", [None, Outcome.SUCCEEDED])
def test_it_is_made_good_only_once(lost, outcome):
    by = run_once(lost.task, rerun_of=lost).execution
    if outcome:
        end(by, outcome)
    with pytest.raises(AlreadyMadeGood) as caught:
        run_once(lost.task, rerun_of=lost)
    assert caught.value.by == by.pk
    assert Execution.objects.filter(scheduled_for=lost.scheduled_for).count() == 2


def test_one_that_failed_has_not_made_it_good(lost):
    end(run_once(lost.task, rerun_of=lost).execution, Outcome.FAILED)
    by = run_once(lost.task, rerun_of=lost).execution
    assert by.replay == 2
    assert made_good([lost])[lost.pk].pk == by.pk


def test_python_and_the_command_make_it_good_as_well(lost, capsys):
    info, errors = client_task("invoice-run").rerun(lost.tracking_id, reason="late")
    assert errors is None
    assert Execution.objects.get(tracking_id=info.tracking_id).scheduled_for == lost.scheduled_for
    _info, errors = client_task("invoice-run").rerun(lost.tracking_id)
    assert [one.code for one in errors.items] == ["already_made_good"]
    Execution.objects.filter(tracking_id=info.tracking_id).delete()
    call_command("run_task", "invoice-run", "--again", str(lost.tracking_id))
    assert (made_good([lost])[lost.pk].trigger, made_good([lost])[lost.pk].scheduled_for) == (
        "rerun",
        lost.scheduled_for,
    )
    ScheduledTask.objects.all().delete()
    assert [one.code for one in client_task("invoice-run").rerun(lost.tracking_id).errors.items] == ["task_not_found"]


def end(row, outcome):
    status = Status.COMPLETED if outcome == Outcome.SUCCEEDED else Status.ERRORS
    Execution.objects.filter(pk=row.pk).update(status=status, outcome=outcome, completed_at=row.triggered_at)
