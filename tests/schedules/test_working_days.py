"""Working days of a month, and weeks on a weekday, against a model that looks at each day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks import cron, every, workday
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.calendar import find_value
from django_scheduled_tasks.schedules import Weeks, Workday, describe, parse_schedule, upcoming, warnings_for
from django_scheduled_tasks.schedules.calendars import Calendar, DateSpan
from django_scheduled_tasks.schedules.calendars.named import find_calendars_with
from django_scheduled_tasks.services.tasks.fields import schedule_columns
from tests.admin.pages import FORM, TASKS
from tests.api.conftest import ROOT, client_of
from tests.factories import EDITOR, make_task, make_user
from tests.schedules.help import DAY, NOW, both_ways, examples, moments, utc, zones

BERLIN, SECOND = ZoneInfo("Europe/Berlin"), timedelta(seconds=1)
NEW_YEAR = DateSpan(date(2027, 1, 4), date(2027, 1, 5), "stock-taking")


@pytest.fixture
def calendars():
    """Two calendars: one excludes dates alone, the other days of the week as well."""
    known = {
        "dates": Calendar("dates", BERLIN, dates=(NEW_YEAR,)),
        "our week": Calendar("our week", BERLIN, weekdays=frozenset({0, 5}), dates=(NEW_YEAR,)),
        "one day": Calendar("one day", BERLIN, weekdays=frozenset({0})),
    }
    find_calendars_with(known.get)
    yield
    find_calendars_with(find_value)


def days_of(schedule, count: int = 4, after: datetime = NOW) -> list[str]:
    zone = schedule.zone
    return [f"{one.astimezone(zone):%d %b %H:%M}" for one in upcoming(schedule, after=after, count=count)]


def slow_days(year: int, month: int, number: int) -> list[date]:
    """Return the day, found by looking at each of the month; as a list of none or one."""
    days = [date(year, month, 1) + n * DAY for n in range(31)]
    working = [day for day in days if day.month == month and day.isoweekday() < 6]
    place = number - 1 if number > 0 else number
    return working[place : place + 1 or None] if -len(working) <= place < len(working) else []


# --- working days -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("last 17:00", ["30 Nov 17:00", "31 Dec 17:00", "29 Jan 17:00", "26 Feb 17:00"]),
        ("first 9:00", ["01 Dec 09:00", "01 Jan 09:00", "01 Feb 09:00", "01 Mar 09:00"]),
        ("3 09:00", ["03 Dec 09:00", "05 Jan 09:00", "03 Feb 09:00", "03 Mar 09:00"]),
        ("-2 17:00:30", ["27 Nov 17:00", "30 Dec 17:00", "28 Jan 17:00", "25 Feb 17:00"]),
        ("23 09:00", ["31 Dec 09:00", "31 Mar 09:00", "31 Dec 09:00", "31 Mar 09:00"]),
    ],
)
def test_it_is_due_on_that_working_day_of_each_month(text, expected):
    assert days_of(parse_schedule("workday", text, timezone="Europe/Berlin")) == expected


def test_holidays_are_no_working_days():
    pytest.importorskip("holidays")
    schedule = workday("first", "09:00", holidays="de_be", timezone="Europe/Berlin")
    assert schedule.expression == "first 09:00 holidays=DE-BE"
    assert days_of(schedule, 2) == ["01 Dec 09:00", "04 Jan 09:00"]
    assert describe(schedule) == "First working day of each month at 09:00, without the holidays of DE-BE"
    with pytest.raises(InvalidSchedule) as caught:
        parse_schedule("workday", "1 09:00 holidays=XX")
    assert caught.value.field == "holidays"


def test_a_calendar_says_which_days_are_working_days(calendars):
    by_dates = parse_schedule("workday", "2 09:00 calendar=dates", timezone="Europe/Berlin")
    assert days_of(by_dates, 2) == ["02 Dec 09:00", "06 Jan 09:00"]  # 1 Jan is the first; Saturday is none
    own_week = workday(2, "09:00", calendar="our week", timezone="Europe/Berlin")
    assert days_of(own_week, 2) == ["07 Dec 09:00", "09 Jan 09:00"]
    assert parse_schedule("workday", own_week.expression, timezone="Europe/Berlin") == own_week
    assert describe(own_week) == "Working day 2 of each month at 09:00, by the calendar “our week”"
    for text, field in (("1 09:00 calendar=nope", "calendar"), ("6 09:00 calendar=one day", "number")):
        with pytest.raises(InvalidSchedule) as caught:
            parse_schedule("workday", text)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("0 09:00", "number"),
        ("24 09:00", "number"),
        ("-24 09:00", "number"),
        ("last", "expression"),
        ("last 25:00", "expression"),
        ("third 09:00", "expression"),
        ("1 09:00 holidays=DE calendar=x", "expression"),
        ("٣ 09:00", "expression"),
        ("", "expression"),
    ],
)
def test_what_is_no_working_day_is_refused(text, field):
    with pytest.raises(InvalidSchedule) as caught:
        parse_schedule("workday", text)
    assert caught.value.field == field


def test_python_refuses_the_same():
    for arguments in ((0, "09:00"), ("second", "09:00"), (1, "9"), (1, time(9, tzinfo=UTC))):
        with pytest.raises(InvalidSchedule):
            workday(*arguments)
    with pytest.raises(InvalidSchedule, match="not both"):
        workday(1, "09:00", calendar="de", holidays="DE")
    assert workday("last", time(17)) == Workday(-1, time(17))


def test_a_clock_change_is_as_for_a_fixed_hour():
    schedule = workday("last", "00:00", timezone="Asia/Amman")  # its clock skipped that hour on 31 Mar 2006
    (found,) = upcoming(schedule, after=utc(2006, 3, 15), count=1)
    assert f"{found.astimezone(schedule.zone):%d %b %H:%M}" == "31 Mar 01:00"
    assert warnings_for(schedule, now=utc(2006, 3, 15)) == [
        "On Fri 31 Mar 2006 the clock skips 00:00, so it runs at 01:00."
    ]


@examples(200)
@given(st.integers(1, 23).flatmap(lambda n: st.sampled_from([n, -n])), st.times(), zones, moments(2000, 2060))
def test_a_working_day_is_what_the_model_says(number, at, zone, moment):
    at = at.replace(microsecond=0)
    schedule = Workday(number, at, zone)
    low, high = moment, moment + 200 * DAY
    day, walls = (low - 40 * DAY).date().replace(day=1), []
    while day <= (high + 40 * DAY).date():
        walls += [datetime.combine(found, at) for found in slow_days(day.year, day.month, number)]
        day = (day + 32 * DAY).replace(day=1)
    fixed = [cron(f"{w.second} {w.minute} {w.hour} {w.day} {w.month} *", timezone=zone) for w in walls]
    expected = []
    for wall, once in zip(walls, fixed, strict=True):
        due = once.next_after(datetime(wall.year, wall.month, wall.day, tzinfo=UTC) - 2 * DAY)
        if due is not None and low <= due < high:
            expected.append(due)
    assert both_ways(schedule, low, high) == sorted(set(expected))


# --- weeks on a weekday -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expression", "sentence"),
    [
        ("2w mon 09:00", "2w mon 09:00", "Every 2 weeks on Monday at 09:00"),
        ("1 week on Thursday at 9:30", "1w thu 09:30", "Every Thursday at 09:30"),
        ("3 WEEKS SUN", "3w sun 00:00", "Every 3 weeks on Sunday at 00:00"),
    ],
)
def test_weeks_are_read_written_and_said(text, expression, sentence):
    schedule = parse_schedule("weeks", text, timezone="Europe/Berlin", anchor=NOW)
    assert (schedule.expression, describe(schedule)) == (expression, sentence)
    assert parse_schedule("weeks", expression, timezone="Europe/Berlin", anchor=NOW) == schedule


def test_the_first_such_day_from_the_anchor_on_counts():
    at_nine = {"timezone": "Europe/Berlin", "anchor": utc(2026, 11, 23, 8)}  # a Monday, 09:00
    assert days_of(parse_schedule("weeks", "2w mon 09:00", **at_nine), 3, utc(2026, 11, 1)) == [
        "23 Nov 09:00",
        "07 Dec 09:00",
        "21 Dec 09:00",
    ]
    assert days_of(parse_schedule("weeks", "2w mon 08:59", **at_nine), 2, utc(2026, 11, 1)) == [
        "30 Nov 08:59",
        "14 Dec 08:59",
    ]
    assert every("2w", on="Monday", at="09:00", timezone="Europe/Berlin") == Weeks(2, 0, time(9), BERLIN)
    assert every("14d", on="sat") == Weeks(2, 5, time())


@pytest.mark.parametrize(
    "text", ["2w", "mon", "0w mon", "521w mon", "2w moon 09:00", "2w mon 24:00", "2d mon", "", "٢w mon"]
)
def test_what_is_no_number_of_weeks_is_refused(text):
    with pytest.raises(InvalidSchedule):
        parse_schedule("weeks", text)


def test_only_whole_weeks_have_a_weekday():
    with pytest.raises(InvalidSchedule, match="10d is not possible with a day of the week"):
        every("10d", on="monday")
    with pytest.raises(InvalidSchedule, match="no day of the week"):
        every("2w", on="montag")


@examples(200)
@given(st.integers(1, 5), st.integers(0, 6), st.times(), zones, moments(2000, 2060), moments(2000, 2060))
def test_weeks_are_what_the_model_says(weeks, weekday, at, zone, anchor, moment):
    at = at.replace(microsecond=0)
    schedule = Weeks(weeks, weekday, at, zone, anchor)
    low = max(moment, anchor).replace(microsecond=0)
    found = both_ways(schedule, low, low + 90 * DAY)
    assert schedule.count(low - SECOND, low + 90 * DAY - SECOND) == len(found)
    days = [one.astimezone(zone).date() for one in found]
    # A clock that skips midnight, or a whole day, moves it to the day after.
    assert all(abs((later - earlier).days - 7 * weeks) <= 1 for earlier, later in pairwise(days))
    assert len([day for day in days if day.weekday() != weekday]) <= 1
    first = schedule.next_after(anchor - 400 * DAY)
    assert first is not None
    assert timedelta(0) <= first - anchor.replace(microsecond=0) <= 8 * DAY
    assert schedule.previous_before(first) is None


# --- through the doors --------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "expression", "stored", "sentence"),
    [
        ("weeks", "2 weeks on Monday at 9:00", "2w mon 09:00", "Every 2 weeks on Monday at 09:00"),
        ("workday", "-1 17:00", "last 17:00", "Last working day of each month at 17:00"),
    ],
)
def test_form_rest_export_and_simulator_know_them(client, kind, expression, stored, sentence):
    form = FORM | {"name": "by form", "schedule_kind": kind, "other": expression}
    client.force_login(make_user(*EDITOR))
    assert client.post(f"{TASKS}add/", form).status_code == 302
    task = ScheduledTask.objects.get(name="by form")
    assert (task.schedule_kind, task.expression) == (kind, stored)
    assert task.next_run_at == task.schedule.next_after(task.created_at)
    assert sentence in client.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert sentence in client.get(TASKS).content.decode()
    api = client_of(*EDITOR)
    asked = {"name": "by rest", "function": "testapp.noop", "scheduleKind": kind, "expression": expression}
    answer = api.post(f"{ROOT}/tasks/", asked, format="json")
    assert (answer.status_code, answer.json()["expression"]) == (201, stored)
    preview = api.post(f"{ROOT}/schedules/preview/", {"scheduleKind": kind, "expression": expression}, format="json")
    assert preview.json()["description"] == sentence
    bad = api.post(f"{ROOT}/tasks/", asked | {"name": "bad", "expression": "nonsense"}, format="json")
    assert (bad.status_code, bad.json()["errors"]["items"][0]["details"]["field"]) == (422, "expression")
    assert f'"{stored}"' in client.get(f"{TASKS}export/").content.decode()
    call_command("simulate_task", "by form", "--from", "2027-01-01", "--to", "2027-03-01", stdout=(out := StringIO()))
    assert "2027-01" in out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("schedule", [every("2w", on="mon", at="09:00"), workday("last", "17:00")])
def test_code_declares_them(schedule):
    task = make_task(**schedule_columns(schedule))
    assert (task.schedule_kind, task.expression) == (schedule.kind, schedule.expression)
    assert task.schedule.zone.key == get_settings().time_zone
