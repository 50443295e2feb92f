"""What the next change of each zone's clock makes of tasks, against the instants that the schedules give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.models import ScheduledTask, frozen_at
from django_scheduled_tasks.schedules import parse_schedule, upcoming
from django_scheduled_tasks.schedules.description.clock_changes import EffectKind, effect_of
from django_scheduled_tasks.schedules.wall import transitions_between
from django_scheduled_tasks.services.queries.clock_changes import next_changes
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar
from tests.admin.pages import TASKS
from tests.api.conftest import ROOT, client_of
from tests.factories import VIEWER, make_task

BERLIN, DAY = ZoneInfo("Europe/Berlin"), timedelta(days=1)
SPRING, AUTUMN = datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
ANCHOR = datetime(2026, 1, 1, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "expression", "spring", "autumn"),
    [
        ("cron", "30 2 * * *", (EffectKind.MOVED, ["03:00"]), (EffectKind.ONCE, ["02:30"])),
        ("cron", "0,30 2 * * *", (EffectKind.MOVED, ["03:00"]), (EffectKind.ONCE, ["02:00", "02:30"])),
        ("cron", "30 */2 * * *", (EffectKind.LEFT_OUT, []), (EffectKind.TWICE, ["02:30", "02:30"])),
        ("interval", "1d", (EffectKind.MOVED, ["03:00"]), (EffectKind.ONCE, ["02:30"])),
        ("cron", "30 4 * * *", None, None),
        ("cron", "30 * * * *", None, None),
        ("interval", "6h", None, None),
        ("manual", "", None, None),
    ],
)
def test_the_effect_is_what_the_schedule_does(kind, expression, spring, autumn):
    schedule = parse_schedule(kind, expression, timezone="Europe/Berlin", anchor=ANCHOR)
    for at, expected in ((SPRING, spring), (AUTUMN, autumn)):
        (change,) = transitions_between(BERLIN, at - DAY, at + DAY)
        found = effect_of(schedule, change)
        if expected is None:
            assert found is None
            continue
        assert found is not None
        assert found.kind == expected[0]
        near = upcoming(schedule, after=at - timedelta(hours=1, seconds=1), count=9)
        shown = [f"{one.astimezone(BERLIN):%H:%M}" for one in near if one < at + timedelta(hours=1)]
        assert shown == expected[1]


@pytest.mark.django_db
def test_the_page_rest_and_the_load_say_the_same(page_of, django_assert_num_queries):
    berlin = {"schedule_kind": "cron", "timezone": "Europe/Berlin"}
    with frozen_at(datetime(2026, 11, 28, 4, tzinfo=UTC)):
        task = make_task(name="nightly", expression="30 2 * * *", **berlin)
        make_task(name="later", expression="30 5 * * *", **berlin)
        make_task(name="over", expression="30 2 * * *", ends_at=datetime(2027, 1, 1, tzinfo=UTC), **berlin)
        make_task(name="tokyo", schedule_kind="cron", expression="30 2 * * *", timezone="Asia/Tokyo")
        with django_assert_num_queries(1):
            (found,) = next_changes(datetime(2026, 11, 28, 4, tzinfo=UTC))
        assert (found.zone, found.tasks, found.touched) == ("Europe/Berlin", 3, 1)
        page = page_of(f"{TASKS}load/clock-changes/", *VIEWER)
        assert "Europe/Berlin · Sun 28 Mar 2027, from 02:00 to 03:00" in page
        assert "1 of 3 tasks are touched." in page
        assert "On Sun 28 Mar 2027 the clock skips 02:30, so it runs at 03:00." in page
        load = page_of(f"{TASKS}load/", *VIEWER)
        assert 'Next clock change: Sun 28 Mar 2027, <a href="' in load
        assert ">1 task is touched</a>." in load
        (zone,) = client_of(*VIEWER).get(f"{ROOT}/load/clock-changes/").json()["zones"]
    assert (zone["timezone"], zone["at"], zone["touchedCount"]) == ("Europe/Berlin", "2027-03-28T01:00:00.000Z", 1)
    assert (zone["touched"][0]["id"], zone["touched"][0]["effect"]) == (str(task.pk), "moved")


@pytest.mark.django_db
def test_there_is_a_limit_to_what_is_looked_at_and_named(monkeypatch):
    night = {"schedule_kind": "cron", "timezone": "Europe/Berlin"}
    for number in range(3):
        make_task(name=f"nightly {number}", expression="30 2 * * *", **night)
    make_task(name="other", expression="15 2 * * *", **night)
    gone = make_task(name="gone", expression="30 2 * * *", **night)
    ScheduledTask.objects.filter(pk=gone.pk).update(timezone="Moon/Tycho")
    broken = make_task(name="broken", expression="30 2 * * *", **night)
    ScheduledTask.objects.filter(pk=broken.pk).update(expression="nonsense")
    now = datetime(2026, 11, 28, tzinfo=UTC)
    (found,) = next_changes(now)
    assert (found.tasks, found.touched, len(found.named)) == (5, 4, 4)
    monkeypatch.setattr("django_scheduled_tasks.services.queries.clock_changes.MOST_NAMED", 2)
    (found,) = next_changes(now)
    assert (found.touched, [one.name for one in found.named]) == (4, ["nightly 0", "nightly 1"])
    monkeypatch.setattr("django_scheduled_tasks.services.queries.clock_changes.MOST_SCHEDULES", 1)
    (found,) = next_changes(now)
    assert found.touched == 0  # that of the broken one was the first
    assert next_changes(now, within=DAY) == []


@pytest.mark.django_db
def test_what_a_calendar_excludes_on_that_day_is_not_touched():
    create_calendar("office", zone="Europe/Berlin", definition={"weekdays": ["mon", "tue", "wed", "thu", "fri"]})
    night = {"schedule_kind": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
    make_task(name="office days", calendars=["office"], **night)
    make_task(name="each day", **night)
    (found,) = next_changes(datetime(2026, 11, 28, tzinfo=UTC))
    assert [one.name for one in found.named] == ["each day"]
