"""``stale`` and ``deadline``, from the ledger."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import (
    Alert,
    AlertRule,
    Execution,
    Installation,
    Presence,
    PresenceKind,
    ScheduledTask,
    frozen_at,
    write_alias,
)
from django_scheduled_tasks.services.alerts.deciding import promises
from django_scheduled_tasks.services.alerts.deciding import watch as module
from django_scheduled_tasks.services.alerts.deciding.conditions import Found
from django_scheduled_tasks.services.alerts.deciding.promises import Stale, add_deadlines
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from django_scheduled_tasks.services.alerts.edit import close
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.tasks import edit
from tests import selection
from tests.alerting import model
from tests.database import connection
from tests.factories import make_task
from tests.rows_read import rows_read
from tests.services.alerts.help import BAD, GOOD, MISSED, end, make_rule, told

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
MORNING = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
"""06:00 in Berlin, on a Saturday."""
BERLIN = "Europe/Berlin"


@pytest.fixture(autouse=True)
def slow_looks_only(db, monkeypatch):
    monkeypatch.setattr(module, "SLOW_INTERVAL", 0.0)
    AlertRule.objects.all().delete()


def look(at, watch=None):
    with frozen_at(at):
        (watch or Watch()).look()


def promising(at, **values):
    """Make a task at an instant."""
    with frozen_at(at):
        return make_task(timezone=BERLIN, **values)


def open_kinds():
    return sorted(Alert.objects.open().values_list("kind", flat=True))


def occurrence(task, at, outcome, *, ended=None):
    return end(task, outcome, ended or at, scheduled_for=at, trigger=Trigger.SCHEDULE, triggered_at=at)


# --- must_succeed_every


def test_without_a_success_for_so_long_it_opens_whatever_the_reason_and_the_next_success_closes():
    make_rule(Kind.STALE)
    states = [{}, {"enabled": False}, {"paused_at": MORNING}, {"pause_code": "unknown_function", "paused_at": MORNING}]
    tasks = [promising(MORNING, must_succeed_every=26 * HOUR) for _ in states]
    for task, values in zip(tasks, states, strict=True):
        ScheduledTask.objects.filter(pk=task.pk).update(**values)
    end(tasks[0], GOOD, MORNING + HOUR)
    end(tasks[0], BAD, MORNING + 20 * HOUR)
    watch = Watch()
    look(MORNING + 25 * HOUR, watch)
    assert "stale" not in open_kinds()
    look(MORNING + 26 * HOUR, watch)
    assert open_kinds() == ["broken", *["stale"] * 3]
    look(MORNING + 27 * HOUR, watch)
    stale = Alert.objects.open().filter(kind=Kind.STALE)
    assert set(stale.values_list("task", flat=True)) == {task.pk for task in tasks}
    alert = stale.get(task=tasks[0])
    assert (alert.opened_at, alert.limit) == (MORNING + 27 * HOUR, 26 * HOUR)
    end(tasks[0], GOOD, MORNING + 28 * HOUR)
    look(MORNING + 28 * HOUR, watch)
    assert open_kinds() == ["broken", *["stale"] * 3]
    assert [event for _channel, event, *_ in told()].count("closed") == 1


def test_what_started_first_may_succeed_last():
    task = promising(MORNING - DAY, must_succeed_every=2 * HOUR, overlap="allow")
    end(task, GOOD, MORNING)
    end(task, GOOD, MORNING - 5 * HOUR)
    look(MORNING + HOUR)
    assert open_kinds() == []


def test_it_counts_from_when_it_was_asked_and_no_more_when_it_is_not():
    task = promising(MORNING - 9 * DAY)
    with frozen_at(MORNING):
        task = edit.update_task(task, must_succeed_every=26 * HOUR)
        edit.update_task(task, description="x")
    look(MORNING + 25 * HOUR)
    assert open_kinds() == []
    look(MORNING + 26 * HOUR)
    assert open_kinds() == ["stale"]
    with frozen_at(MORNING + 27 * HOUR):
        edit.update_task(task, must_succeed_every=28 * HOUR)
    look(MORNING + 27 * HOUR)
    assert open_kinds() == []
    with frozen_at(MORNING + 28 * HOUR):
        edit.update_task(task, must_succeed_every=None)
    look(MORNING + 99 * HOUR)
    assert open_kinds() == []


def test_where_a_copy_was_adopted_it_counts_from_then():
    task = promising(MORNING - 9 * DAY, must_succeed_every=HOUR, must_finish_by=time(6))
    occurrence(task, MORNING - 2 * HOUR, Outcome.CANCELLED)
    state.settle_in()
    row = Installation.objects.get()
    row.adopted_at = MORNING
    state.suppose(state.Standing(installation=row))
    watch = Watch()
    look(MORNING + MINUTE, watch)
    assert open_kinds() == []
    look(MORNING + HOUR, watch)
    assert open_kinds() == ["stale"]


def test_of_very_many_tasks_some_are_looked_at_each_time_and_those_with_an_open_alert_always(monkeypatch):
    monkeypatch.setattr(promises, "MOST_ASKED", 2)
    tasks = [promising(MORNING, must_succeed_every=HOUR) for _ in range(5)]
    watch, opened = Watch(), []
    for minutes in range(4):
        look(MORNING + HOUR + minutes * MINUTE, watch)
        opened.append(Alert.objects.open().count())
    assert opened == [2, 4, 5, 5]
    end(tasks[0], GOOD, MORNING + 2 * HOUR)
    look(MORNING + 2 * HOUR, watch)
    assert set(Alert.objects.open().values_list("task", flat=True)) == {task.pk for task in tasks[1:]}


def test_what_runs_in_other_environments_only_promises_nothing_here():
    promising(MORNING, must_succeed_every=HOUR, environments=["elsewhere"])
    look(MORNING + DAY)
    assert open_kinds() == []


# --- must_finish_by


def test_a_scheduler_that_starts_sees_the_deadlines_that_passed_while_none_was_there():
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    occurrence(task, MORNING - 2 * HOUR, Outcome.CANCELLED)
    seen_at = MORNING - HOUR
    Presence.objects.create(
        kind=PresenceKind.SCHEDULER, identity="s", host="s", started_at=seen_at, last_seen_at=seen_at
    )
    look(MORNING + 5 * HOUR)
    assert open_kinds() == ["deadline"]


def test_what_has_not_succeeded_by_its_time_opens_then_and_closes_with_the_next_success():
    make_rule(Kind.DEADLINE)
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    occurrence(task, MORNING - 2 * HOUR, MISSED)
    watch = Watch()
    look(MORNING - MINUTE, watch)
    assert "deadline" not in open_kinds()
    look(MORNING, watch)
    assert Alert.objects.get(kind=Kind.DEADLINE).opened_at == MORNING
    look(MORNING + 30 * HOUR, watch)
    assert open_kinds().count("deadline") == 1
    end(task, GOOD, MORNING + 31 * HOUR)
    look(MORNING + 31 * HOUR, watch)
    assert "deadline" not in open_kinds()
    assert [event for _channel, event, *_ in told()] == ["opened", "closed"]


@pytest.mark.parametrize(
    ("due", "outcome", "opens"),
    [
        (MORNING - 2 * HOUR, Outcome.SUCCEEDED, False),
        (MORNING - 2 * HOUR, Outcome.CANCELLED, True),
        (MORNING - 2 * HOUR, Outcome.SKIPPED, False),
        (MORNING - 8 * HOUR, Outcome.CANCELLED, True),
        (MORNING, Outcome.CANCELLED, False),
        (MORNING - 30 * HOUR, Outcome.CANCELLED, False),
    ],
)
def test_a_deadline_is_about_what_was_due_for_it(due, outcome, opens):
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    occurrence(task, due, outcome)
    look(MORNING + MINUTE)
    assert open_kinds() == (["deadline"] if opens else [])


def test_what_is_due_and_was_not_recorded_yet_counts_as_what_is_held_does():
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6), schedule_kind="cron", expression="0 4 * * *")
    ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=MORNING - 2 * HOUR)
    look(MORNING + MINUTE)
    assert "deadline" in open_kinds()


def test_never_for_what_is_failing_already_not_even_if_somebody_closes_that():
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    watch = Watch()
    look(MORNING - 3 * HOUR, watch)
    occurrence(task, MORNING - 2 * HOUR, BAD)
    for minutes in (-1, 1):
        look(MORNING + minutes * MINUTE, watch)
    assert open_kinds() == ["failing"]
    with frozen_at(MORNING + MINUTE):
        close(Alert.objects.get())
    look(MORNING + 2 * MINUTE, watch)
    assert open_kinds() == []


def test_an_older_occurrence_that_succeeds_that_day_is_not_what_was_due():
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    occurrence(task, MORNING - 2 * HOUR, Outcome.CANCELLED)
    occurrence(task, MORNING - 7 * HOUR, GOOD, ended=MORNING - HOUR)
    look(MORNING + MINUTE)
    assert open_kinds() == ["deadline"]


def test_a_deadline_before_it_was_asked_or_long_before_anybody_looked_or_of_another_zone_does_not_count():
    asked_later = promising(MORNING + MINUTE / 2, must_finish_by=time(6))
    elsewhere = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    ScheduledTask.objects.filter(pk=elsewhere.pk).update(timezone="Pacific/Gone")
    for task in (asked_later, elsewhere):
        occurrence(task, MORNING - 2 * HOUR, Outcome.CANCELLED)
    look(MORNING + MINUTE)
    assert open_kinds() == []
    old = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    occurrence(old, MORNING - 2 * HOUR, Outcome.CANCELLED)
    look(MORNING + HOUR)
    assert open_kinds() == []


def test_what_is_no_longer_promised_is_over():
    task = promising(MORNING - 9 * DAY, must_finish_by=time(6))
    occurrence(task, MORNING - 2 * HOUR, Outcome.CANCELLED)
    watch = Watch()
    look(MORNING, watch)
    assert open_kinds() == ["deadline"]
    edit.update_task(task, must_finish_by=None)
    look(MORNING + HOUR, watch)
    assert open_kinds() == []


# --- both, next to the model


def copy_of(task, place, **values):
    """Return a task like another one, which is not stored yet."""
    columns = {one.attname: getattr(task, one.attname) for one in task._meta.concrete_fields if one.name != "id"}
    return ScheduledTask(**columns | {"name": f"t {place}", "name_key": f"t {place}"} | values)


def random_run(now, rng):
    due = now - rng.randrange(1, 200) * model.QUARTER
    is_by_hand = rng.random() < 0.2
    outcome = rng.choice(["succeeded", "succeeded", "failed", "cancelled", "skipped", "missed"])
    ended = min(due + rng.randrange(0, 8) * model.QUARTER, now)
    return model.Run(None if is_by_hand else due, due, ended, outcome)


def test_random_histories_break_the_promises_that_the_model_says(monkeypatch):
    monkeypatch.setattr(promises, "MOST", 10_000)
    monkeypatch.setattr(promises, "MOST_ASKED", 10_001)
    number = 10_000 if selection.IS_NIGHTLY else 150
    rng = random.Random(19)
    zones = ["UTC", BERLIN, "America/New_York"]
    first = promising(MORNING - 30 * DAY)
    now = MORNING + 6 * HOUR
    runs, tasks, rows = {}, [], []
    for place in range(number):
        every, since = rng.choice([2, 12, 26]) * HOUR, now - rng.randrange(1, 200) * model.QUARTER
        zone, wall = rng.choice(zones), time(rng.randrange(24), rng.choice([0, 15, 30, 45]))
        task = copy_of(first, place, timezone=zone, expected_since=since, must_succeed_every=every, must_finish_by=wall)
        tasks.append(task)
        found = {run.due or run.triggered: run for run in (random_run(now, rng) for _ in range(rng.randrange(8)))}
        runs[task.pk] = list(found.values())
        for run in runs[task.pk]:
            row = Execution(task=task, task_name=task.name, function=task.function)
            row.trigger = Trigger.API if run.due is None else Trigger.SCHEDULE
            row.status = Status.COMPLETED if run.outcome == Outcome.SUCCEEDED else Status.ERRORS
            row.outcome = run.outcome
            row.scheduled_for, row.triggered_at, row.completed_at = run.due, run.triggered, run.ended
            rows.append(row)
    ScheduledTask.objects.bulk_create(tasks, batch_size=100)
    Execution.objects.bulk_create(rows, batch_size=100)
    found = Found()
    with frozen_at(now):
        Stale().add(found, now)
        add_deadlines(found, now, since=now - DAY)
    broken = {(one.kind, one.where) for one in found.conditions}
    expected = set()
    for task in tasks:
        zone = ZoneInfo(task.timezone)
        if model.is_stale(now, task.must_succeed_every, task.expected_since, runs[task.pk]):
            expected.add((Kind.STALE, str(task.pk)))
        asked = task.expected_since <= model.last_deadline(task.must_finish_by, zone, now)[1]
        if asked and model.has_missed_deadline(now, task.must_finish_by, zone, runs[task.pk]):
            expected.add((Kind.DEADLINE, str(task.pk)))
    assert broken == expected
    assert {kind for kind, _where in expected} == {Kind.STALE, Kind.DEADLINE}


def test_a_slow_look_costs_the_same_for_many_tasks_that_keep_their_promises_as_for_few():
    counts, first = [], promising(MORNING - 30 * DAY, must_succeed_every=26 * HOUR, must_finish_by=time(6))
    make_rule()
    tasks = [first]
    for number in (9, 1_990):
        place = len(tasks)
        new = [copy_of(first, place + one) for one in range(number)]
        tasks += ScheduledTask.objects.bulk_create(new, batch_size=100)
        rows = [
            Execution(
                task=task,
                task_name=task.name,
                function=task.function,
                trigger=Trigger.SCHEDULE,
                status=Status.COMPLETED,
                outcome=Outcome.SUCCEEDED,
                scheduled_for=MORNING - 2 * HOUR,
                triggered_at=MORNING - 2 * HOUR,
                completed_at=MORNING - HOUR,
            )
            for task in (tasks if number == 9 else new)
        ]
        Execution.objects.bulk_create(rows, batch_size=100)
        watch = Watch()
        with frozen_at(MORNING + MINUTE):
            watch.look()
            looks = []
            for _ in range(3):  # now and then one reads anew what a process remembers for seconds, such as releases
                with CaptureQueriesContext(connections[write_alias()]) as found:
                    watch.look()
                looks.append(len(found))
        counts.append(min(looks))
    assert open_kinds() == []
    assert counts[0] == counts[1]
    assert ScheduledTask.objects.count() == 2_000


@pytest.mark.skipif(connection.vendor != "postgresql", reason="counts by EXPLAIN")
def test_of_tasks_that_promise_nothing_no_row_is_read_and_of_the_others_the_newest_executions():
    first = promising(MORNING - 30 * DAY)
    ScheduledTask.objects.bulk_create([copy_of(first, place) for place in range(3_000)], batch_size=500)
    tasks = [promising(MORNING - 30 * DAY, must_succeed_every=26 * HOUR, must_finish_by=time(6)) for _ in range(3)]
    rows = [
        Execution(
            task=task,
            task_name="x",
            function="testapp.noop",
            trigger=Trigger.API,
            status=Status.COMPLETED,
            outcome=Outcome.SUCCEEDED,
            triggered_at=MORNING - place * MINUTE,
            completed_at=MORNING - place * MINUTE,
        )
        for place in range(2_000, 0, -1)
        for task in [first, *tasks]
    ]
    Execution.objects.bulk_create(rows, batch_size=1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_scheduled_tasks_execution, django_scheduled_tasks_scheduledtask")

    def look_slowly():
        Stale().add(Found(), MORNING + MINUTE)
        add_deadlines(Found(), MORNING + MINUTE, since=MORNING - HOUR)

    with frozen_at(MORNING + MINUTE):
        assert rows_read(look_slowly) <= 6 * len(tasks)
        assert rows_read(look_slowly, table="django_scheduled_tasks_scheduledtask") <= 6 * len(tasks)
