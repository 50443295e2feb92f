"""The page *Load of the week*, and spreading tasks that are due at the same instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Change, Presence, PresenceKind, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.services.queries.load.week import week_load
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar
from django_scheduled_tasks.services.tasks.edit import pause, update_task, version_of
from django_scheduled_tasks.services.tasks.spreading import offer
from tests.admin.pages import TASKS
from tests.factories import EDITOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
LOAD = f"{TASKS}load/"
NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
AT = "2026-11-29T23:00:00.000Z"
MIDNIGHT = {"schedule_kind": "cron", "expression": "0 0 * * *", "timezone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def zone(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    with frozen_at(NOW):
        yield


def make_workers(processes: int = 4, queue: str = "") -> None:
    now = read_now()
    Presence.objects.create(
        kind=PresenceKind.WORKER,
        identity=f"w {queue}",
        host=f"worker{queue}",
        queue=queue,
        processes=processes,
        started_at=now,
        last_seen_at=now,
    )


def make_midnight(count: int, seconds: int = 180, **values) -> list[ScheduledTask]:
    tasks = [make_task(**{**MIDNIGHT, "name": f"nightly {number:02}", **values}) for number in range(count)]
    for task in tasks:
        began = NOW - timedelta(days=1)
        make_execution(task, status=Status.COMPLETED, started_at=began, completed_at=began + timedelta(seconds=seconds))
    return tasks


def test_it_shows_the_week_against_the_workers_that_are_there(page_of):
    make_workers(4)
    make_midnight(9)
    pause(make_task(**MIDNIGHT, name="month-end"), user=make_user())
    page = page_of(LOAD, *EDITOR)
    assert "Week from Mon 30 Nov · Europe/Berlin · 4 worker processes" in page
    assert page.count("9!") == 14  # seven cells, each with its label
    assert "<strong>Mon 00:00</strong>" in page
    assert "and 6 more times" in page
    assert "<strong>9</strong> of 4, for 3 min" in page
    assert "nightly 00, up to 6 min" in page
    assert "Spread these 9…" in page
    assert "9 of 10 tasks counted: month-end is paused." in page
    assert "“!” more than the 4 processes." in page


def test_a_queue_has_its_own_workers_and_tasks(page_of):
    make_workers(4)
    make_workers(1, "reports")
    make_midnight(2, queue="reports")
    page = page_of(f"{LOAD}?queue=reports", *VIEWER)
    assert "1 worker process" in page
    assert "<strong>2</strong> of 1, for 3 min" in page
    assert "Spread" not in re.sub(r"<span class=.dst-hidden.>Spread</span>", "", page)
    assert "No minute needs more than the 4 processes that are here." in page_of(f"{LOAD}?queue=", *VIEWER)
    assert "No minute needs more than the 5 processes that are here." in page_of(LOAD, *VIEWER)


def test_a_queue_that_no_database_could_name_has_nothing_due(page_of):
    assert "0 of 0 tasks counted." in page_of(f"{LOAD}?queue=a%00b", *VIEWER)


def test_an_hour_lists_its_minutes_and_who_is_due_often(page_of):
    make_midnight(7)
    make_task(
        function="testapp.add",
        params={"a": 1},
        name="often",
        overlap="allow",
        schedule_kind="interval",
        expression="2s",
    )
    page = page_of(f"{LOAD}?hour={AT}", *VIEWER)
    assert "Mon 00:00, minute by minute" in page
    assert "nightly 00, nightly 01, nightly 02, nightly 03, nightly 04 and 2 more" in page
    assert "Tasks that are due often keep 0.5 processes busy on average." in page
    assert "1 task has never completed and counts for a second." in page
    for text in ("nonsense", "2026-11-29", "2020-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00"):
        assert "minute by minute" not in page_of(f"{LOAD}?hour={text}", *VIEWER)


def test_what_spreading_would_do_is_shown_and_then_done_and_recorded(client, monkeypatch):
    make_workers(4)
    tasks = make_midnight(9, seconds=2)
    update_task(tasks[8], spread=timedelta(days=1))
    monkeypatch.setattr(
        "django_scheduled_tasks.services.tasks.spreading.declared_fields",
        lambda name: {"spread"} if name == "nightly 00" else set(),
    )
    client.force_login(make_user(*EDITOR))
    page = client.get(f"{LOAD}spread/?at={AT}").content.decode()
    assert "Each gets its own fixed second between 00:00 and 00:10, the same each time." in page
    assert "1 stays at 00:00 because it is declared in code with spread=None." in page
    assert re.search(r"At once then: [123] instead of 8; nothing waits\.", page)
    assert "Spread 7 tasks" in page
    shown = re.findall(r'name="task" value="([^"]+)".*?<b>(Mon 00:0\d:\d\d)</b>', page)
    assert len(shown) == 7
    with frozen_at(NOW + timedelta(seconds=1)):
        update_task(tasks[7], description="changed meanwhile")
    answer = client.post(
        f"{LOAD}spread/?at={AT}", {"task": [value for value, _at in shown], "over": "10", "reason": "midnight"}
    )
    assert answer.status_code == 302
    done = ScheduledTask.objects.filter(spread=timedelta(minutes=10)).order_by("name_key")
    assert [task.name for task in done] == [f"nightly {number:02}" for number in range(1, 7)]
    assert {change.reason for change in Change.objects.filter(reason="midnight")} == {"midnight"}
    assert Change.objects.filter(reason="midnight").count() == 6


def test_who_may_not_change_a_task_spreads_nothing(client: Client):
    make_workers(1)
    (task, _other) = make_midnight(2)
    client.force_login(make_user(*VIEWER))
    assert client.get(f"{LOAD}spread/?at={AT}").status_code == 403
    assert client.post(f"{LOAD}spread/", {"task": f"{task.pk} x", "over": "10"}).status_code == 403
    assert not ScheduledTask.objects.exclude(spread=None)


def test_a_minute_that_is_none_any_more_leads_back(client):
    client.force_login(make_user(*EDITOR))
    for at in (AT, "nonsense", "", "0001-01-01T00:00:00%2B14:00"):
        answer = client.get(f"{LOAD}spread/?at={at}", follow=True)
        assert "That minute needs no more processes than there are any more." in answer.content.decode()
    assert client.post(f"{LOAD}spread/?at={AT}", {"over": "0"}).status_code == 302


@pytest.mark.parametrize(
    ("spread", "declared", "may", "said"),
    [
        (MINUTE, False, True, "spread"),
        (SECOND, True, True, "spread"),
        (SECOND, False, True, "moved"),
        (None, True, True, "declared"),
        (None, False, True, "moved"),
        (None, False, False, "forbidden"),
    ],
)
def test_who_is_spread_and_who_stays(monkeypatch, spread, declared, may, said):
    make_workers(1)
    first, _second = make_midnight(2)
    ScheduledTask.objects.filter(pk=first.pk).update(spread=spread)
    monkeypatch.setattr(
        "django_scheduled_tasks.services.tasks.spreading.declared_fields",
        lambda name: {"spread"} if declared and name == first.name else set(),
    )
    found = week_load(now=NOW)
    asked = offer(found, found.load.worst[0], MINUTE, make_user(*(EDITOR if may else VIEWER)))
    counts = {"declared": asked.declared, "spread": asked.spread, "forbidden": asked.forbidden}
    counts["moved"] = sum(one.task == first for one in asked.moved)
    assert {name for name, count in counts.items() if count} == {said}
    assert asked.more == 0


def test_of_very_many_that_meet_some_are_spread_and_the_others_after_them(monkeypatch):
    make_workers(1)
    make_midnight(5)
    monkeypatch.setattr("django_scheduled_tasks.services.tasks.spreading.MOST_AT_ONCE", 2)
    found = week_load(now=NOW)
    asked = offer(found, found.load.worst[0], MINUTE, make_user(*EDITOR))
    assert (len(asked.moved), asked.more) == (2, 3)


def test_what_a_calendar_excludes_is_not_counted():
    create_calendar("office", zone="Europe/Berlin", definition={"weekdays": ["mon", "tue", "wed", "thu", "fri"]})
    make_task(**MIDNIGHT, calendars=["office"])
    make_task(**MIDNIGHT)
    found = week_load(now=NOW)
    assert [busy for busy, *_rest in found.load.cells] == [2, 2, 2, 2, 2, 1, 1]


def test_what_cannot_be_read_and_what_runs_elsewhere_is_left_out_and_named(page_of):
    make_midnight(2)
    zone = make_task(**MIDNIGHT, name="of another zone data")
    ScheduledTask.objects.filter(pk=zone.pk).update(timezone="Moon/Tycho")
    there = make_task(**MIDNIGHT, name="elsewhere")
    ScheduledTask.objects.filter(pk=there.pk).update(environments=["elsewhere"], next_run_at=NOW)
    make_task(**MIDNIGHT, name="off", enabled=False)
    assert "2 of 5 tasks counted: off is switched off, of 2 nothing is due." in page_of(LOAD, *VIEWER)


def test_a_pause_that_ends_by_itself_and_the_runs_that_are_left_count():
    make_midnight(1, max_runs=4)  # one of them is due before Monday
    pause(*make_midnight(1, name="paused"), until=NOW + timedelta(days=5))
    found = week_load(now=NOW)
    assert [busy for busy, *_rest in found.load.cells] == [1, 1, 1, 0, 1, 1, 1]
    # of the first, Monday to Wednesday; of the second, from Friday on


@pytest.mark.parametrize("gone", [{"timezone": "Moon/Tycho"}, {"schedule_kind": "manual", "expression": ""}])
def test_a_task_that_has_changed_meanwhile_stays_where_it_is(gone):
    make_workers(1)
    first, _second = make_midnight(2)
    found = week_load(now=NOW)
    ScheduledTask.objects.filter(pk=first.pk).update(**gone)
    asked = offer(found, found.load.worst[0], MINUTE, make_user(*EDITOR))
    assert first not in [one.task for one in asked.moved]


def test_what_the_code_declares_is_not_spread_by_a_forged_form(client, monkeypatch):
    (task,) = make_midnight(1)
    monkeypatch.setattr("django_scheduled_tasks.services.tasks.spreading.declared_fields", lambda _name: {"spread"})
    client.force_login(make_user(*EDITOR))
    client.post(f"{LOAD}spread/", {"task": [f"{task.pk} {version_of(task)}", "nonsense x"], "over": "10"})
    task.refresh_from_db()
    assert task.spread is None
