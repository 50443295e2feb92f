"""Tasks under calendars: the planner, the ledger, previews, the simulator and explanations say the same."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.exceptions import CalendarInUse, InvalidTask
from django_scheduled_tasks.models import Change, Execution, ScheduledTask, frozen_at
from django_scheduled_tasks.planner import DecisionKind, simulate
from django_scheduled_tasks.services.queries.explain.answers import Kind
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import When
from django_scheduled_tasks.services.queries.upcoming import excluded_among, occurrences_ahead
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar, delete_calendar, update_calendar
from django_scheduled_tasks.services.tasks.edit import pause, resume, update_task
from tests import selection
from tests.factories import make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
THURSDAY = datetime(2026, 12, 24, 5, tzinfo=UTC)
"""Christmas Day of 2026 is a Friday, so that Mon 28 follows Thu 24."""
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]


@pytest.fixture
def holidays():
    return create_calendar("de", zone="Europe/Berlin", definition={"weekdays": WEEKDAYS, "holidays": "DE-BE"})


def daily(**values):
    values = {
        "schedule_kind": "cron",
        "expression": "0 9 * * *",
        "timezone": "Europe/Berlin",
        "overlap": "allow",
    } | values
    return make_task(**{"name": "daily", "calendars": ["de"], **values})


def live_through(task, end):
    """Let a scheduler be there at each due instant until *end*."""
    while (task := ScheduledTask.objects.get(pk=task.pk)).next_run_at is not None and task.next_run_at < end:
        with frozen_at(task.next_run_at):
            record_due(limit=10)
    return task


def at_nine(day, month=12, year=2026):
    return datetime(year, month, day, 9, tzinfo=BERLIN).astimezone(UTC)


def test_a_stretch_of_left_out_runs_has_one_row_that_names_days_calendar_and_version(engine, holidays):
    with frozen_at(THURSDAY):
        task = daily()
    task = live_through(task, at_nine(29))
    started, left_out = Execution.objects.filter(outcome=""), Execution.objects.get(outcome="skipped")
    assert [row.scheduled_for for row in started.order_by("id")] == [at_nine(24), at_nine(28)]
    assert (left_out.scheduled_for, left_out.occurrences, left_out.error_code) == (at_nine(27), 3, "excluded")
    assert left_out.error_message == "Left out by a calendar: Christmas Day, Second Day of Christmas, Sunday (de, v1)."
    assert task.run_count == 2


def test_each_instant_of_the_stretch_is_explained_by_that_row_and_those_ahead_by_the_calendar(engine, holidays):
    with frozen_at(THURSDAY):
        task = daily()
        ahead = explain(task, When(at_nine(25)))
        assert (ahead.kind, ahead.facts["label"], ahead.facts["version"]) == (Kind.EXCLUDED, "Christmas Day", "1")
    task = live_through(task, at_nine(29))
    number = Execution.objects.get(outcome="skipped").pk
    with frozen_at(at_nine(28)):
        for day in (25, 26, 27):
            found = explain(task, When(at_nine(day)))
            assert (found.kind, found.facts["execution"]) == (Kind.EXCLUDED, number)
        assert explain(task, When(at_nine(28))).kind == Kind.WAITING


def test_what_moves_says_from_where_and_two_that_land_on_one_are_one(engine, holidays):
    with frozen_at(THURSDAY):
        task = daily(on_excluded="next_allowed")
        moves = explain(task, When(at_nine(26)))
        assert moves.kind == Kind.EXCLUDED
        assert moves.facts["moved_to"].startswith("2026-12-28T08:00:00")
    live_through(task, at_nine(29))
    rows = list(Execution.objects.order_by("id"))
    assert [row.scheduled_for for row in rows] == [at_nine(24), at_nine(28)]
    assert rows[-1].reason == (
        "3 were moved here by a calendar, the first from 2026-12-25 09:00:"
        " Christmas Day, Second Day of Christmas, Sunday (de, v1)."
    )


def test_an_ordinary_day_costs_no_statement_more_than_without_calendars(engine, holidays):
    with frozen_at(THURSDAY):
        plain, under = daily(name="plain", calendars=[]), daily()
    counts = []
    for task in (plain, under):
        ScheduledTask.objects.exclude(pk=task.pk).update(next_run_at=None)
        ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=at_nine(24))
        with frozen_at(at_nine(24)), CaptureQueriesContext(connection) as statements:
            record_due(limit=10)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert Execution.objects.count() == 2


def test_a_changed_calendar_moves_future_runs_only_and_rows_say_which_version_decided(engine, holidays):
    with frozen_at(THURSDAY):
        task = daily()
    live_through(task, at_nine(25))
    with frozen_at(at_nine(26) + timedelta(hours=1)):
        update_calendar(holidays, definition={"weekdays": [*WEEKDAYS, "sun"], "holidays": "DE-BE"})
    task.refresh_from_db()
    assert task.next_run_at == at_nine(27)
    live_through(task, at_nine(29))
    rows = Execution.objects.order_by("scheduled_for")
    assert [(row.scheduled_for, row.outcome, row.occurrences) for row in rows] == [
        (at_nine(24), "", 1),
        (at_nine(26), "skipped", 2),
        (at_nine(27), "", 1),
        (at_nine(28), "", 1),
    ]
    assert "(de, v1)" in rows[1].error_message
    change = Change.objects.filter(deed="changed").get()
    assert (change.kinds, change.task_name, change.fields[0]["field"]) == (["schedule"], "calendar:de", "weekdays")
    task = live_through(task, datetime(2027, 1, 3, tzinfo=UTC))
    live_through(task, at_nine(5, 1, 2027))
    last = Execution.objects.filter(error_code="excluded").latest("id")
    assert last.error_message == "Left out by a calendar: New Year's Day, Saturday (de, v2)."


def test_what_is_due_already_stays_due_when_the_calendar_changes(engine, holidays):
    with frozen_at(THURSDAY):
        daily()
    with frozen_at(at_nine(24) + timedelta(seconds=3)):
        update_calendar(holidays, definition={"dates": ["2026-12-24"]})
        record_due(limit=10)
    assert Execution.objects.get().scheduled_for == at_nine(24)


def test_a_pause_and_an_edit_account_once_for_what_was_left_out_before(engine, holidays):
    with frozen_at(THURSDAY):
        task = daily()
    task = live_through(task, at_nine(25))
    with frozen_at(at_nine(26) + timedelta(hours=1)):
        pause(task)
    with frozen_at(at_nine(26) + timedelta(hours=2)):
        task = resume(task)
    live_through(task, at_nine(29))
    rows = Execution.objects.filter(error_code="excluded").order_by("scheduled_for")
    assert [(row.scheduled_for, row.occurrences) for row in rows] == [(at_nine(26), 2), (at_nine(27), 1)]


def test_a_preview_strikes_out_what_the_calendar_leaves_out(holidays):
    with frozen_at(THURSDAY):
        task = daily()
        ahead = occurrences_ahead(task, count=2, now=THURSDAY)
        assert [one.scheduled_for for one in ahead] == [at_nine(24), at_nine(28)]
        struck = excluded_among(task, ahead, now=THURSDAY)
    assert [(one.nominal, one.exclusion.label) for one in struck] == [
        (at_nine(25), "Christmas Day"),
        (at_nine(26), "Second Day of Christmas"),
        (at_nine(27), "Sunday"),
    ]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"calendars": ["fr"]}, "calendars"),
        ({"on_excluded": "next_allowed", "expression": "* * * * *"}, "on_excluded"),
        ({"on_excluded": "later"}, "on_excluded"),
        ({"calendars": ["de", *(f"x{n}" for n in range(9))]}, "calendars"),
    ],
)
def test_what_makes_no_sense_is_refused(holidays, values, field):
    with pytest.raises(InvalidTask) as caught:
        daily(**values)
    assert [error.field for error in caught.value.errors] == [field]


def test_a_calendar_that_tasks_use_cannot_be_deleted(holidays):
    task = daily()
    with pytest.raises(CalendarInUse, match="daily"):
        delete_calendar(holidays)
    update_task(task, calendars=[])
    delete_calendar(holidays, user=make_user())
    assert ScheduledTask.objects.get().calendar_stamps is None


ROUNDS = 1_000 if selection.IS_NIGHTLY else 3
EXPRESSIONS = ("0 9 * * *", "0 */6 * * *", "30 2 * * *", "0 12 * * 1,3,6", "45 23 28-31 * *")


@pytest.mark.timeout(3_600 if selection.IS_NIGHTLY else 120)
@pytest.mark.parametrize("how", ["skip", "next_allowed", "previous_allowed", "delay"])
def test_all_doors_agree_about_random_tasks_instant_by_instant(engine, how):
    chance = random.Random(how)
    for number in range(ROUNDS):
        start = datetime(2026, chance.choice([3, 10, 12]), 20, chance.randrange(24), tzinfo=UTC)
        end = start + 12 * DAY
        create_calendar(f"c{number}", zone="Europe/Berlin", definition=_definition(chance, start))
        values = {"expression": chance.choice(EXPRESSIONS), "on_excluded": how, "calendars": [f"c{number}"]}
        with frozen_at(start):
            task = daily(name=f"t{number}", **values)
            first = task.next_run_at
            ahead = [one.scheduled_for for one in occurrences_ahead(task, count=200, now=start)]
            ahead = [one for one in ahead if one < end]
            said = {one: explain(task, When(one)).kind for one in ahead}
            nominals = _nominals(task, start, end)
            unstarted = {one: explain(task, When(one)) for one in nominals if one not in ahead}
        assert set(said.values()) <= {Kind.AHEAD}
        assert {one.kind for one in unstarted.values()} <= {Kind.EXCLUDED}
        ledger = simulate(task.policy, start + timedelta(microseconds=1), end)  # a task's schedule counts after now
        live_through(task, end)
        rows = list(Execution.objects.filter(task=task).order_by("scheduled_for"))
        starts = [row.scheduled_for for row in rows if row.error_code != "excluded"]
        entries = [one for one in ledger.entries if one.kind == DecisionKind.START]
        assert starts == ahead == [one.scheduled_for for one in entries]
        assert first == (ahead[0] if ahead else first)
        recorded = [
            (row.scheduled_for, row.occurrences, row.error_message) for row in rows if row.error_code == "excluded"
        ]
        simulated = [one for one in ledger.entries if one.kind == DecisionKind.EXCLUDE]
        assert recorded == [(one.scheduled_for, one.count, one.reason) for one in simulated]
        if ahead and how == "skip":
            lost = [one for one in unstarted if one < ahead[-1]]
            assert sum(count for _at, count, _text in recorded) == len(lost)


def _nominals(task, start, end):
    found, at = [], task.schedule.next_after(start)
    while at is not None and at < end:
        found.append(at)
        at = task.schedule.next_after(at)
    return found


def _definition(chance, start):
    days = [(start + chance.randrange(12) * DAY).date() for _ in range(2)]
    found = {"weekdays": chance.sample(["mon", "tue", "wed", "thu", "fri", "sat", "sun"], chance.choice([4, 5, 7]))}
    found["dates"] = [{"from": str(day), "to": str(day + chance.randrange(3) * DAY), "label": "closed"} for day in days]
    return found | {"windows": ["Fri 18:00 – Mon 06:00"]} if chance.random() < 0.5 else found


@pytest.mark.django_db(transaction=True)
def test_a_task_that_is_made_while_its_calendar_changes_is_planned_by_the_new_one(engine, monkeypatch):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one write at a time")
    row = create_calendar("de", definition={"weekdays": WEEKDAYS})
    seen, go_on, done = threading.Event(), threading.Event(), []
    original = edit.settle

    def settle(*args, **kwargs):
        seen.set()
        go_on.wait(5)
        return original(*args, **kwargs)

    def make():
        try:
            done.append(daily())
        finally:
            connections.close_all()

    def change():
        try:
            done.append(update_calendar(row, definition={"weekdays": ["mon"]}))
        finally:
            connections.close_all()

    monkeypatch.setattr(edit, "settle", settle)
    threads = [threading.Thread(target=make), threading.Thread(target=change)]
    threads[0].start()
    assert seen.wait(5)
    threads[1].start()
    time.sleep(0.2)  # the change waits for the lock, or has gone ahead wrongly
    go_on.set()
    for thread in threads:
        thread.join(10)
    row.refresh_from_db()
    assert (len(done), row.version) == (2, 2)
    assert ScheduledTask.objects.get().calendar_stamps == {"de": row.stamp}


def test_a_working_day_by_a_calendar_follows_its_changes(holidays):
    with frozen_at(THURSDAY):
        values = {"schedule_kind": "workday", "timezone": "Europe/Berlin"}
        task = make_task(expression="first 09:00 calendar=DE", **values)
        assert task.expression == "first 09:00 calendar=de"
        assert task.next_run_at.astimezone(BERLIN).date().isoformat() == "2027-01-04"
        closed = [{"from": "2027-01-04", "to": "2027-01-05"}]
        update_calendar(holidays, definition={"weekdays": WEEKDAYS, "holidays": "DE-BE", "dates": closed})
        task.refresh_from_db()
        assert task.next_run_at.astimezone(BERLIN).date().isoformat() == "2027-01-06"
        with pytest.raises(CalendarInUse):
            delete_calendar(holidays)
        with pytest.raises(InvalidTask, match="There is no calendar called"):
            make_task(expression="first 09:00 calendar=none", **values)
