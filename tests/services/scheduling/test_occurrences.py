"""Turning due occurrences into rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DataError, OperationalError

from django_scheduled_tasks.lifecycle import BROKEN, Outcome, Status, Trigger
from django_scheduled_tasks.models import Change, Execution, ScheduledTask, frozen_at
from django_scheduled_tasks.services.scheduling import left, occurrences
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.signals import occurrence_missed, occurrence_skipped
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}
HOUR = timedelta(hours=1)


def outcomes() -> list[tuple[str, str]]:
    rows = Execution.objects.filter(trigger=Trigger.SCHEDULE).order_by("scheduled_for")
    return [(row.status, row.outcome) for row in rows]


def test_a_due_occurrence_becomes_a_pending_execution(engine, django_capture_on_commit_callbacks):
    task = make_task(**HOURLY, function="testapp.add", params={"a": 1}, expires_after=timedelta(minutes=5))
    at = task.next_run_at
    with frozen_at(at), django_capture_on_commit_callbacks(execute=True):
        done = record_due(limit=10)
    (execution,) = Execution.objects.all()
    assert (done.tasks, [row.tracking_id for row in done.executions]) == (1, [execution.tracking_id])
    assert (execution.status, execution.trigger, execution.scheduled_for) == (Status.PENDING, Trigger.SCHEDULE, at)
    assert (execution.params, execution.expires_at) == ({"a": 1}, at + timedelta(minutes=5))
    assert execution.lock_key == task.lock_key
    assert [item.tracking_id for item in engine.submitted] == [execution.tracking_id]
    task.refresh_from_db()
    assert (task.next_run_at, task.run_count) == (at + HOUR, 1)


def test_nothing_is_done_before_the_instant(engine):
    task = make_task(**HOURLY)
    with frozen_at(task.next_run_at - timedelta(microseconds=1)):
        assert record_due(limit=10).tasks == 0
    assert not Execution.objects.exists()


def test_a_skipped_occurrence_says_which_execution_was_in_the_way(engine, django_capture_on_commit_callbacks):
    task = make_task(**HOURLY)
    blocker = make_execution(task, status=Status.PROCESSING)
    heard = []

    def listen(execution, **_options):
        heard.append(execution.outcome)

    occurrence_skipped.connect(listen)
    with frozen_at(task.next_run_at), django_capture_on_commit_callbacks(execute=True):
        record_due(limit=10)
    skipped = Execution.objects.get(outcome=Outcome.SKIPPED)
    assert (skipped.blocked_by, skipped.scheduled_for) == (blocker, task.next_run_at)
    assert skipped.error_message == f"Execution #{blocker.pk} was still running."
    assert heard == [Outcome.SKIPPED]
    assert not engine.submitted
    task.refresh_from_db()
    assert task.run_count == 0


def test_what_is_skipped_because_of_an_execution_of_the_same_pass_is_linked_to_it(engine):
    task = make_task(schedule_kind="interval", expression="1s", catch_up="none")
    with frozen_at(task.next_run_at + timedelta(seconds=2)):
        record_due(limit=10)
    started, *skipped = Execution.objects.order_by("scheduled_for")
    assert started.status == Status.PENDING
    assert [(row.outcome, row.blocked_by) for row in skipped] == [(Outcome.SKIPPED, started)] * 2


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all"])
def test_all_that_catching_up_starts_wait_for_each_other(engine, overlap):
    task = make_task(**HOURLY, catch_up="all", overlap=overlap)
    with frozen_at(task.next_run_at + 2 * HOUR):
        record_due(limit=10)
    rows = list(Execution.objects.order_by("id"))
    assert [row.scheduled_for for row in rows] == [task.next_run_at + number * HOUR for number in range(3)]
    assert {(row.status, row.lock_key) for row in rows} == {(Status.PENDING, task.lock_key)}


def test_how_late_is_still_on_time_comes_from_the_settings(engine, settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"ON_TIME": timedelta(seconds=3)}
    tasks = [make_task(**HOURLY, catch_up="none") for _ in range(2)]
    with frozen_at(tasks[0].next_run_at + timedelta(seconds=3)):
        record_due(limit=1)
    with frozen_at(tasks[0].next_run_at + timedelta(seconds=3.1)):
        record_due(limit=1)
    assert [row.outcome for row in Execution.objects.order_by("id")] == ["", Outcome.MISSED]


def test_after_downtime_every_occurrence_is_accounted_for(engine, django_capture_on_commit_callbacks):
    task = make_task(**HOURLY)
    first = task.next_run_at
    heard = []

    def listen(execution, **_options):
        heard.append(execution.scheduled_for)

    occurrence_missed.connect(listen)
    with frozen_at(first + 3 * HOUR + timedelta(minutes=5)), django_capture_on_commit_callbacks(execute=True):
        record_due(limit=10)
    rows = Execution.objects.order_by("scheduled_for")
    assert [row.scheduled_for for row in rows] == [first + n * HOUR for n in range(4)]
    assert [row.outcome for row in rows] == [Outcome.MISSED] * 3 + [""]
    assert heard == [first + n * HOUR for n in range(3)]


def test_a_year_of_downtime_of_a_task_that_is_due_each_second_is_counted(engine):
    task = make_task(schedule_kind="cron", expression="* * * * * *")
    first = task.next_run_at
    with frozen_at(first + timedelta(days=365)):
        record_due(limit=10)
    rows = Execution.objects.order_by("scheduled_for")
    assert rows.count() == 102
    assert sum(row.occurrences for row in rows) == 365 * 86_400 + 1
    assert rows.last().status == Status.PENDING


@pytest.mark.parametrize(
    "break_it",
    [{"expression": "61 * * * *"}, {"function": "shop.gone"}, {"timezone": "Mars/Olympus"}, {"schedule_kind": "moon"}],
)
def test_one_broken_task_is_paused_with_its_reason_and_stops_nobody(engine, break_it, monkeypatch):
    monkeypatch.setattr(left, "UNKNOWN_FOR", 0)
    broken, healthy = make_task(**HOURLY), make_task(**HOURLY)
    ScheduledTask.objects.filter(pk=broken.pk).update(**break_it)
    with frozen_at(healthy.next_run_at):
        done = record_due(limit=10)
    assert set(done.paused) == {broken.pk}
    broken.refresh_from_db()
    assert broken.next_run_at is None
    assert broken.paused_at == healthy.next_run_at
    assert broken.pause_code in BROKEN
    assert broken.pause_reason == done.paused[broken.pk]
    change = Change.objects.get(task=broken.pk, deed="paused")
    assert change.fields == [{"field": "pause_reason", "old": "", "new": broken.pause_reason}]
    assert Execution.objects.get().task == healthy


def test_a_task_that_makes_the_planner_fail_is_paused_and_stops_nobody(engine, monkeypatch, caplog):
    broken, healthy = make_task(**HOURLY), make_task(**HOURLY)
    real = occurrences.plan

    def explode(policy, state, *, now):
        if policy.task_id == broken.pk:
            raise RuntimeError("boom")
        return real(policy, state, now=now)

    monkeypatch.setattr(occurrences, "plan", explode)
    with frozen_at(healthy.next_run_at):
        record_due(limit=10)
    broken.refresh_from_db()
    assert broken.pause_reason == "It could not be planned: boom"
    assert "boom" in caplog.text
    assert Execution.objects.get().task == healthy


def test_an_occurrence_that_has_a_row_already_gets_no_second_one(engine):
    task = make_task(**HOURLY)
    make_execution(task, trigger=Trigger.SCHEDULE, scheduled_for=task.next_run_at, status=Status.COMPLETED)
    with frozen_at(task.next_run_at):
        record_due(limit=10)
    assert Execution.objects.count() == 1


def test_max_runs_ends_the_schedule(engine):
    task = make_task(**HOURLY, max_runs=1)
    with frozen_at(task.next_run_at):
        record_due(limit=10)
    task.refresh_from_db()
    assert (task.next_run_at, task.run_count) == (None, 1)


def test_cancel_running_asks_the_open_one_to_stop(engine):
    task = make_task(**HOURLY, overlap="cancel_running")
    running = make_execution(task, status=Status.PROCESSING)
    with frozen_at(task.next_run_at):
        record_due(limit=10)
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert Execution.objects.exclude(pk=running.pk).get().status == Status.PENDING


@pytest.mark.parametrize("count", [1, 20])
def test_a_pass_takes_as_many_statements_for_many_tasks_as_for_one(engine, django_assert_num_queries, count):
    for _ in range(count):
        make_task(**HOURLY)
    with frozen_at(ScheduledTask.objects.first().next_run_at), django_assert_num_queries(6):
        # savepoint, tasks, open executions, insert, update, release
        assert record_due(limit=50).tasks == count
    assert Execution.objects.count() == count


def test_a_spread_task_starts_at_its_own_offset(engine):
    task = make_task(**HOURLY, spread=timedelta(minutes=30))
    with frozen_at(task.next_run_at):
        record_due(limit=10)
    execution = Execution.objects.get()
    assert execution.scheduled_for == task.next_run_at
    assert task.next_run_at < execution.not_before < task.next_run_at + timedelta(minutes=30)
    assert execution.send_at == execution.not_before
    assert not engine.submitted


@pytest.mark.django_db(transaction=True)
def test_of_two_schedulers_at_once_each_task_goes_to_one(engine):
    import threading

    tasks = [make_task(**HOURLY) for _ in range(20)]
    barrier, counts = threading.Barrier(2), []

    def run():
        barrier.wait(timeout=20)
        with frozen_at(tasks[0].next_run_at):
            while (done := record_due(limit=5)).tasks:
                counts.append(done.tasks)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sum(counts) == 20
    assert Execution.objects.count() == 20
    assert ScheduledTask.objects.filter(run_count=1).count() == 20


# --- a row that cannot be written ---------------------------------------------------------------------------------


def test_an_occurrence_that_has_its_row_already_stops_nobody(engine):
    """The database's clock was set back, and somebody edited the task."""
    task, other = (make_task(**HOURLY, catch_up="all", overlap="skip") for _ in range(2))
    at = task.next_run_at
    make_execution(task, scheduled_for=at, trigger=Trigger.SCHEDULE, status=Status.COMPLETED)
    with frozen_at(at + 2 * HOUR):
        assert record_due(limit=10).tasks == 2
    assert Execution.objects.filter(task=task, scheduled_for=at).count() == 1
    assert Execution.objects.filter(task=other).count() == 3
    assert not ScheduledTask.objects.filter(next_run_at__lte=at + 2 * HOUR).exists()


@pytest.mark.parametrize("error", [DataError("too long"), RuntimeError("a bug")])
def test_a_task_whose_rows_cannot_be_written_is_paused_and_stops_nobody(engine, monkeypatch, error):
    broken, *others = (make_task(**HOURLY) for _ in range(4))
    at, real = broken.next_run_at, occurrences.insert_missing

    def insert(rows):
        if any(row.task_id == broken.pk for row in rows):
            raise error
        real(rows)

    monkeypatch.setattr(occurrences, "insert_missing", insert)
    with frozen_at(at):
        while record_due(limit=10).tasks:
            continue
    broken.refresh_from_db()
    assert broken.paused_at is not None
    assert str(error) in broken.pause_reason
    assert Change.objects.filter(task=broken.pk, deed="paused").count() == 1
    assert {row.task_id for row in Execution.objects.all()} == {task.pk for task in others}


def test_a_database_that_is_away_is_no_tasks_fault(engine, monkeypatch):
    task = make_task(**HOURLY)

    def away(_rows):
        raise OperationalError("gone")

    monkeypatch.setattr(occurrences, "insert_missing", away)
    with frozen_at(task.next_run_at), pytest.raises(OperationalError):
        record_due(limit=1)
    task.refresh_from_db()
    assert task.paused_at is None
