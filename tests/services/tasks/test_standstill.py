"""What was due while a task stood still has one row, written when it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask, frozen_at
from django_scheduled_tasks.planner import TaskPolicy, occurrences_between
from django_scheduled_tasks.schedules import cron, every
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.scheduling import left
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.holds import hold, release
from django_scheduled_tasks.signals import occurrence_skipped
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows() -> list[tuple[object, ...]]:
    found = Execution.objects.filter(outcome=Outcome.SKIPPED).order_by("pk")
    return [(row.error_code, row.scheduled_for, row.occurrences, row.error_message) for row in found]


@pytest.fixture
def task():
    with frozen_at(NOON + MINUTE):
        return make_task(**HOURLY, name="hourly")


def test_a_pause_leaves_one_row_with_who_and_why(task, django_capture_on_commit_callbacks):
    heard = []
    anna = make_user(name="anna")

    def listen(execution, **_options):
        heard.append(execution.error_code)

    occurrence_skipped.connect(listen)
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task, reason="audit", user=anna)
    with frozen_at(NOON + 2 * HOUR):
        edit.pause(task, reason="still audit.", user=anna)  # the stretch is unbroken
    assert rows() == []
    with frozen_at(NOON + 3 * HOUR), django_capture_on_commit_callbacks(execute=True):
        edit.resume(task)
    said = "The task was paused by anna from 2026-03-01 12:05:00 UTC to 2026-03-01 15:00:00 UTC. Reason: still audit."
    assert rows() == [("paused", NOON + 3 * HOUR, 3, said)]
    assert in_words(said) == said
    row = Execution.objects.get()
    assert (row.status, row.task, row.completed_at) == (Status.ERRORS, task, NOON + 3 * HOUR)
    assert heard == ["paused"]
    task.refresh_from_db()
    assert (task.stands_since, task.next_run_at, task.run_count) == (None, NOON + 4 * HOUR, 0)


def test_a_pause_during_which_nothing_was_due_leaves_none(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task)
    with frozen_at(NOON + 50 * MINUTE):
        edit.resume(task)
    assert rows() == []


def test_what_was_due_and_not_started_yet_counts_to_the_pause(task):
    with frozen_at(NOON + HOUR + MINUTE):  # no scheduler was there at 13:00
        edit.pause(task)
        edit.resume(task)
    assert [row[:3] for row in rows()] == [("paused", NOON + HOUR, 1)]


def test_a_pause_that_ends_by_itself_gets_its_row_with_the_first_occurrence_after_it(engine, task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task, until=NOON + 3 * HOUR, reason="x")
    make_execution(task, status=Status.PROCESSING)
    with frozen_at(NOON + 3 * HOUR):
        assert record_due(limit=5).tasks == 1
    assert [row[:3] for row in rows()] == [("paused", NOON + 2 * HOUR, 2), ("skipped", NOON + 3 * HOUR, 1)]
    assert Execution.objects.filter(error_code="paused").get().blocked_by is None
    assert "to 2026-03-01 15:00:00 UTC." in rows()[0][3]
    task.refresh_from_db()
    assert (task.paused_at, task.paused_until, task.stands_since) == (None, None, None)


def test_an_edit_after_such_a_pause_records_it_as_well_and_once(engine, task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task, until=NOON + 2 * HOUR + MINUTE)
    with frozen_at(NOON + 2 * HOUR + 5 * MINUTE):
        edit.update_task(task, expression="30 * * * *")
    with frozen_at(NOON + 2 * HOUR + 30 * MINUTE):
        assert record_due(limit=5).tasks == 1
    assert [row[:3] for row in rows()] == [("paused", NOON + 2 * HOUR, 2)]


def test_a_switch_off_leaves_one(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.update_task(task, enabled=False)
    with frozen_at(NOON + 9 * MINUTE):
        edit.update_task(task, description="other")
    with frozen_at(NOON + DAY):
        edit.update_task(task, enabled=True)
    said = "The task was switched off from 2026-03-01 12:05:00 UTC to 2026-03-02 12:00:00 UTC."
    assert rows() == [("disabled", NOON + DAY, 24, said)]


def test_an_unbroken_stretch_of_both_leaves_one(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task)
    with frozen_at(NOON + HOUR):
        edit.update_task(task, enabled=False)
    with frozen_at(NOON + 2 * HOUR):
        edit.resume(task)
    assert rows() == []
    with frozen_at(NOON + 3 * HOUR):
        edit.update_task(task, enabled=True)
    assert [row[:3] for row in rows()] == [("disabled", NOON + 3 * HOUR, 3)]


def test_a_changed_schedule_is_counted_with_what_it_was_until_then(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task)
    with frozen_at(NOON + 2 * HOUR + MINUTE):
        edit.update_task(task, expression="30 * * * *")
    with frozen_at(NOON + 4 * HOUR):
        edit.resume(task)
    assert [row[:3] for row in rows()] == [
        ("paused", NOON + 2 * HOUR, 2),
        ("paused", NOON + 3 * HOUR + 30 * MINUTE, 2),
    ]


def test_what_an_edit_comes_before_has_a_row(task):
    with frozen_at(NOON + HOUR + MINUTE):
        edit.update_task(task, expression="30 * * * *")
    assert [row[:3] for row in rows()] == [("changed", NOON + HOUR, 1)]


def test_a_broken_task_says_so(engine, task, monkeypatch):
    monkeypatch.setattr(left, "UNKNOWN_FOR", 0.0)
    ScheduledTask.objects.update(function="testapp.gone")
    with frozen_at(NOON + HOUR):
        record_due(limit=5)
    task.refresh_from_db()
    assert (task.pause_code, task.stands_since < NOON + HOUR) == ("unknown_function", True)
    ScheduledTask.objects.update(function="testapp.noop")
    with frozen_at(NOON + 2 * HOUR + MINUTE):
        edit.resume(task)
    ((code, last, count, said),) = rows()
    assert (code, last, count) == ("broken", NOON + 2 * HOUR, 2)
    assert said.startswith("The task could not run from 2026-03-01 13:00:00 UTC")
    assert 'The function "testapp.gone" is not in the code.' in said
    task.refresh_from_db()
    assert task.pause_code == ""


def test_a_pause_of_an_older_release_counts_from_its_beginning(task):
    ScheduledTask.objects.update(paused_at=NOON + 5 * MINUTE, next_run_at=None)
    with frozen_at(NOON + HOUR):
        edit.resume(task)
    assert [row[:3] for row in rows()] == [("paused", NOON + HOUR, 1)]


def test_a_task_that_was_off_from_the_start_counts_from_then(engine):
    with frozen_at(NOON + MINUTE):
        task = make_task(**HOURLY, enabled=False)
    with frozen_at(NOON + HOUR):
        edit.update_task(task, enabled=True)
    assert [row[:3] for row in rows()] == [("disabled", NOON + HOUR, 1)]


def test_what_was_missed_during_a_hold_says_so(engine, task):
    with frozen_at(NOON + 5 * MINUTE):
        row = hold(reason="deploy", user=make_user(name="ben"))
        run_once(make_task())
    with frozen_at(NOON + 3 * HOUR + MINUTE):
        release(row)
        record_due(limit=5)
    Hold.objects.update(ended_at=NOON + 2 * HOUR)  # a second one that is not for it, and is not named
    found = Execution.objects.filter(outcome=Outcome.MISSED).order_by("scheduled_for")
    said = "The task was held by ben from 2026-03-01 12:05:00 UTC to 2026-03-01 15:01:00 UTC. Reason: deploy"
    assert [(one.error_code, one.error_message, one.scheduled_for) for one in found] == [
        ("held", said, NOON + HOUR),
        ("held", said, NOON + 2 * HOUR),
    ]
    assert in_words(said) == said


@pytest.mark.parametrize("schedule", [cron("*/7 * * * *"), every("90s")], ids=["cron", "interval"])
@pytest.mark.parametrize("bounds", [{}, {"starts_at": NOON + HOUR}, {"ends_at": NOON + 2 * HOUR}])
def test_the_count_is_that_of_visiting_each(schedule, bounds):
    policy = TaskPolicy(task_id=None, schedule=schedule, **bounds)
    until = NOON + 3 * HOUR
    expected, instant = [], schedule.next_after(NOON)
    while instant <= until:
        if bounds.get("starts_at", NOON) <= instant < bounds.get("ends_at", until + DAY):
            expected.append(instant)
        instant = schedule.next_after(instant)
    found = occurrences_between(policy, after=NOON, until=until)
    assert (found.count, found.last) == (len(expected), expected[-1])
    assert occurrences_between(policy, after=until, until=until) is None
    used = TaskPolicy(task_id=None, schedule=schedule, max_runs=3)
    assert occurrences_between(used, after=NOON, until=until, run_count=3) is None
