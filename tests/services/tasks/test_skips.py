"""Leaving out runs that are ahead: by each door, in each forecast, and what the ledger says afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from django_scheduled_tasks.client import task as client_task
from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Change, Execution, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.planner import DecisionKind, simulate
from django_scheduled_tasks.services.queries.executions.timeline import look_ahead, scheduled_tasks
from django_scheduled_tasks.services.queries.explain.answers import Kind
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import When
from django_scheduled_tasks.services.queries.upcoming import occurrences_ahead
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.starting.backfill import backfill
from django_scheduled_tasks.services.tasks import skips
from django_scheduled_tasks.services.tasks.skips import skip, undo_skip
from tests.factories import make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOUR = timedelta(hours=1)


@pytest.fixture
def hourly(engine):
    return make_task(name="hourly", schedule_kind="cron", expression="0 * * * *")


def ahead(task, count=3):
    return [one.scheduled_for for one in occurrences_ahead(task, count=count, now=read_now())]


def test_the_next_run_is_left_out_and_its_row_says_by_whom_and_why(hourly):
    first = hourly.next_run_at
    done = skip(hourly, reason=" stock-taking ", user=make_user(name="anna"))
    assert (done.instants, done.count, done.next_start_at) == ((first,), 1, first + HOUR)
    assert ahead(done.task) == [first + HOUR, first + 2 * HOUR, first + 3 * HOUR]
    with frozen_at(first):
        record_due(limit=10)
    row = Execution.objects.get()
    assert (row.outcome, row.error_code, row.error_message) == (
        Outcome.SKIPPED,
        "by_hand",
        "Skipped by anna: “stock-taking”.",
    )
    task = ScheduledTask.objects.get()
    assert (task.next_run_at, task.run_count) == (first + HOUR, 0)
    with frozen_at(first + HOUR):
        record_due(limit=10)
    assert Execution.objects.filter(outcome="").get().scheduled_for == first + HOUR


@pytest.mark.parametrize(("late", "catch_up"), [(0, "latest"), (2, "latest"), (2, "all"), (2, "none")])
def test_a_skipped_run_is_never_missed_nor_caught_up(hourly, late, catch_up):
    ScheduledTask.objects.update(catch_up=catch_up)
    first = hourly.next_run_at
    skip(hourly, at=[first, first + 2 * HOUR])
    with frozen_at(first + late * HOUR):
        record_due(limit=10)
    found = {row.scheduled_for: row.outcome for row in Execution.objects.all()}
    assert found.pop(first) == Outcome.SKIPPED
    if late:
        assert found.pop(first + 2 * HOUR) == Outcome.SKIPPED
        assert list(found) == [first + HOUR]
        assert found[first + HOUR] == (Outcome.MISSED if catch_up == "none" else "")


def test_a_range_leaves_out_all_in_it_however_many_they_are(engine):
    task = make_task(schedule_kind="interval", expression="1s")
    start = read_now() + timedelta(minutes=1)
    done = skip(task, start=start, end=start + timedelta(days=365))
    assert 31_000_000 < done.count < 32_000_000
    assert len(done.instants) == skips.MOST
    assert done.task.next_start_at == done.task.next_run_at
    skip(task, start=read_now(), end=start)
    assert ScheduledTask.objects.get().next_start_at > start + timedelta(days=365)


def test_two_skips_of_the_next_run_skip_two(hourly):
    first = hourly.next_run_at
    skip(hourly)
    assert skip(hourly, count=2).instants == (first + HOUR, first + 2 * HOUR)
    assert undo_skip(hourly, at=first + HOUR).next_start_at == first + HOUR
    assert undo_skip(hourly).next_start_at == first
    assert ScheduledTask.objects.get().skips is None
    assert undo_skip(hourly).count == 0


def test_who_skipped_and_took_it_back_is_in_the_history_of_changes(hourly):
    user = make_user(name="anna")
    skip(hourly, user=user)
    undo_skip(hourly, user=user)
    rows = Change.objects.filter(deed="changed").order_by("pk")
    assert [(row.user_name, row.fields[0]["field"]) for row in rows] == [("anna", "skips")] * 2
    assert rows[0].fields[0]["new"] == rows[1].fields[0]["old"]


def test_all_forecasts_know_it(hourly):
    first = hourly.next_run_at
    task = skip(hourly, reason="audit", user=make_user(name="anna")).task
    assert [item.at for item in look_ahead(scheduled_tasks(), until=first + 3 * HOUR).upcoming] == [
        first + HOUR,
        first + 2 * HOUR,
    ]
    ledger = simulate(task.policy, first, first + 2 * HOUR)
    assert [(entry.kind, entry.outcome) for entry in ledger.entries] == [
        (DecisionKind.SKIP_BY_HAND, Outcome.SKIPPED),
        (DecisionKind.START, Outcome.SUCCEEDED),
    ]
    found = explain(task, When(first))
    assert (found.kind, found.sentence) == (Kind.BY_HAND, "Skipped by anna: “audit”.")
    assert found.facts["by"] == "anna"
    with frozen_at(first):
        record_due(limit=10)
    found = explain(ScheduledTask.objects.get(), When(first))
    assert (found.kind, found.sentence) == (Kind.BY_HAND, "Skipped by anna: “audit”.")


def test_a_backfill_runs_what_was_skipped(hourly):
    first = hourly.next_run_at
    skip(hourly)
    with frozen_at(first + timedelta(minutes=1)):
        record_due(limit=10)
        assert backfill(hourly, start=first, end=first).started == 1


def test_what_is_over_is_forgotten_with_the_next_one(hourly):
    first = hourly.next_run_at
    skip(hourly)
    with frozen_at(first + 2 * HOUR):
        record_due(limit=10)
        assert len(skip(hourly).task.skips) == 1


@pytest.mark.parametrize(
    ("how", "field", "code"),
    [
        ({"count": 0}, "count", "range"),
        ({"count": 101}, "count", "range"),
        ({"at": [datetime(2020, 1, 1)]}, "at", "naive"),  # noqa: DTZ001
        ({"at": [timedelta(days=-3)]}, "at", "past"),
        ({"at": [timedelta(minutes=1, seconds=7)]}, "at", "not_due"),
        ({"start": timedelta(0)}, "to", "required"),
        ({"end": timedelta(days=1)}, "from", "required"),
        ({"start": timedelta(days=2), "end": timedelta(days=1)}, "to", "order"),
        ({"start": timedelta(days=-2), "end": timedelta(days=-1)}, "to", "past"),
        ({"start": timedelta(days=2), "end": timedelta(days=800)}, "to", "long"),
        ({"start": timedelta(seconds=5), "end": timedelta(seconds=5)}, "from", "not_due"),
        ({"reason": "x" * 501}, "reason", "long"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(hourly, how, field, code):
    with frozen_at(hourly.next_run_at - timedelta(minutes=31)):
        now = read_now()
        how = {
            name: [now + one if isinstance(one, timedelta) else one for one in value]
            if isinstance(value, list)
            else now + value
            if isinstance(value, timedelta)
            else value
            for name, value in how.items()
        }
        with pytest.raises(InvalidInput) as caught:
            skip(hourly, **how)
    assert [(error.field, error.code) for error in caught.value.errors] == [(field, code)]
    assert ScheduledTask.objects.get().skips is None


def test_a_task_has_at_most_a_hundred(hourly):
    skip(hourly, count=100)
    with pytest.raises(InvalidInput):
        skip(hourly)
    with pytest.raises(InvalidInput):
        skip(make_task())
    with pytest.raises(InvalidInput):
        undo_skip(hourly, at=read_now() - HOUR)


def test_python_and_the_command(hourly, capsys):
    first = hourly.next_run_at
    info, errors = client_task("hourly").skip_next(2, reason="audit")
    assert (errors, info.instants, info.next_run_at) == (None, (first, first + HOUR), first + 2 * HOUR)
    assert client_task("nobody").skip_next().errors.items[0].code == "task_not_found"
    assert client_task("hourly").undo_skip(at=first).info.count == 1
    call_command("skip_task", "hourly", "--undo")
    assert "Runs again: 1 (" in capsys.readouterr().out
    call_command("skip_task", "hourly", "--at", f"{first + HOUR:%Y-%m-%d %H:%M}Z", "--reason", "audit")
    assert f"Skips: 1 ({first + HOUR:%Y-%m-%dT%H}:00:00.000Z)." in capsys.readouterr().out
    call_command("skip_task", "hourly", "--from", first.isoformat(), "--to", (first + HOUR).isoformat())
    assert f"Next: {first + 2 * HOUR:%Y-%m-%dT%H}:00:00.000Z" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("skip_task", "hourly", "--undo", "--count", "2")
    with pytest.raises(CommandError, match="from 1 to 100"):
        call_command("skip_task", "hourly", "--count", "0")
