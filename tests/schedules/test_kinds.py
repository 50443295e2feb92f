"""Intervals, dates, manual, durations, spread, kinds of one's own, and what they have in common."""

from __future__ import annotations

import ast
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import django_scheduled_tasks
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import (
    Dates,
    Interval,
    Manual,
    Schedule,
    at,
    base,
    cron,
    describe,
    every,
    format_duration,
    parse_duration,
    parse_schedule,
    register_schedule_kind,
    schedule_kinds,
    spread_from,
    spread_offset,
    upcoming,
    warnings_for,
)
from tests.schedules.help import DAY, HOUR, MINUTE, NOW, both_ways, examples, moments, utc, zones

SECOND = timedelta(seconds=1)


# --- durations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [
        ("90s", 90, "90s"),
        ("5m", 300, "5m"),
        ("2h30m", 9_000, "2h30m"),
        ("1d", 86_400, "1d"),
        ("24h", 86_400, "1d"),
        ("1w", 604_800, "7d"),
        ("1W 2D", 777_600, "9d"),
        ("36h", 129_600, "36h"),
        ("100s", 100, "1m40s"),
        ("1d1s", 86_401, "1d1s"),
        (" 15 m ", 900, "15m"),
        ("400d", 34_560_000, "400d"),
        ("0s", 0, "0s"),
    ],
)
def test_durations(text, seconds, written):
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert format_duration(timedelta(seconds=seconds)) == written


@pytest.mark.parametrize("text", ["", " ", "5", "m", "5m2h", "1.5h", "-5m", "5m5m", "PT5M", "٣s", "9" * 13 + "s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InvalidSchedule, match="Write it like 90s, 5m, 2h30m or 1d") as caught:
        parse_duration(text)
    assert caught.value.field == "interval"


def test_more_than_a_hundred_years_is_refused():
    with pytest.raises(InvalidSchedule, match="36526d is more than a hundred years"):
        parse_duration("36526d")
    assert format_duration(timedelta(seconds=-90)) == "-90s"


@given(st.integers(0, 36_525 * 86_400).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_written_duration_reads_as_itself(duration):
    assert parse_duration(format_duration(duration)) == duration


# --- intervals ----------------------------------------------------------------------------------------------------

intervals = st.builds(
    Interval,
    st.integers(1, 90 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
    | st.integers(1, 60).map(lambda days: timedelta(days=days)),
    st.none() | moments(2000, 2040),
    zones,
)


@examples(400)
@given(intervals, moments(2000, 2080))
def test_an_interval_increases_and_is_the_same_both_ways(schedule, moment):
    first = schedule.next_after(moment)
    assert first > moment
    second = schedule.next_after(first)
    assert second > first
    assert schedule.previous_before(second) == first
    before = schedule.previous_before(first)
    assert before is None or (before <= moment and schedule.next_after(before) == first)
    tenth = second
    for _ in range(8):
        tenth = schedule.next_after(tenth)
    assert schedule.count(moment, tenth) == 10
    assert schedule.count(moment, tenth - SECOND) == 9


def test_it_counts_from_its_anchor_and_never_drifts():
    schedule = Interval(7 * MINUTE, utc(2026, 1, 1, 0, 3))
    assert upcoming(schedule, after=utc(2025, 1, 1), count=2) == [utc(2026, 1, 1, 0, 3), utc(2026, 1, 1, 0, 10)]
    assert schedule.previous_before(utc(2026, 1, 1, 0, 3)) is None
    assert (schedule.next_after(NOW) - utc(2026, 1, 1, 0, 3)) % (7 * MINUTE) == timedelta(0)
    assert schedule.count(utc(2025, 1, 1), utc(2025, 6, 1)) == 0
    assert Interval(DAY, NOW + timedelta(microseconds=5)).anchor == NOW


def test_without_an_anchor_it_counts_from_1970():
    assert every("15m").next_after(NOW) == NOW + 15 * MINUTE
    assert every("1d", timezone="Europe/Berlin").next_after(NOW) == utc(2026, 11, 24, 23)
    assert every(HOUR) == every("1h")


def test_days_keep_the_wall_clock_and_hours_elapse():
    anchor, zone = utc(2027, 3, 27, 8), ZoneInfo("Europe/Berlin")
    assert Interval(DAY, anchor, zone).next_after(anchor) == utc(2027, 3, 28, 7)
    assert Interval(7 * DAY, anchor, zone).next_after(anchor) == utc(2027, 4, 3, 7)
    assert Interval(36 * HOUR, anchor, zone).next_after(anchor) == utc(2027, 3, 28, 20)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (timedelta(0), "0s is not possible: an interval is whole seconds, and 1 second at least."),
        (timedelta(seconds=-5), "-5s is not possible: an interval is whole seconds, and 1 second at least."),
        (timedelta(seconds=1.5), "1.5s is not possible: an interval is whole seconds, and 1 second at least."),
        (timedelta(days=40_000), "40000d is more than a hundred years."),
    ],
)
def test_impossible_intervals_are_refused(value, message):
    with pytest.raises(InvalidSchedule) as caught:
        every(value)
    assert (caught.value.message, caught.value.field) == (message, "interval")


def test_an_interval_ends_where_the_calendar_does():
    for schedule in (Interval(36_525 * DAY, NOW), Interval(36_524 * DAY + HOUR, NOW)):
        assert schedule.next_after(utc(9980, 1, 1)) is None
    assert Interval(DAY, NOW).next_after(datetime.max.replace(tzinfo=UTC)) is None


# --- dates --------------------------------------------------------------------------------------------------------


def test_dates_are_sorted_and_each_is_due_once():
    schedule = at("2026-11-25T03:00+01:00", utc(2026, 11, 24, 12, 0, 0, 999), "2026-11-25T02:00Z")
    assert schedule.expression == "2026-11-24T12:00:00Z\n2026-11-25T02:00:00Z"
    assert both_ways(schedule, utc(2026, 1, 1), utc(2027, 1, 1)) == [utc(2026, 11, 24, 12), utc(2026, 11, 25, 2)]
    assert schedule.next_after(utc(2026, 11, 25, 2)) is None
    assert schedule.previous_before(utc(2026, 11, 24, 12)) is None
    assert schedule.previous_before(utc(2026, 11, 24, 12, 0, 0, 1)) == utc(2026, 11, 24, 12)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("2026-11-24 03:00", "2026-11-24T02:00:00Z"),
        ("2026-11-24", "2026-11-23T23:00:00Z"),
        ("2026-11-24T03:00Z, 2026-11-25T03:00Z;", "2026-11-24T03:00:00Z\n2026-11-25T03:00:00Z"),
        ("2026-11-24T03:00Z 2026-11-25T03:00Z", "2026-11-24T03:00:00Z\n2026-11-25T03:00:00Z"),
        ("\n2026-11-24T03:00Z\r\n\n2026-11-25 03:00\r\n", "2026-11-24T03:00:00Z\n2026-11-25T02:00:00Z"),
        ("2027-03-28T02:30", "2027-03-28T01:00:00Z"),
        ("2027-10-31T02:30", "2027-10-31T00:30:00Z"),
    ],
)
def test_dates_without_an_offset_are_meant_in_the_zone_of_the_task(text, expression):
    schedule = parse_schedule("dates", text, timezone="Europe/Berlin")
    assert schedule.expression == expression
    assert parse_schedule("dates", expression) == schedule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Give at least one and at most 1,000 dates; these are 0."),
        ("\n".join(["2026-11-24"] * 1_001), "Give at least one and at most 1,000 dates; these are 1,001."),
        ("tomorrow", "tomorrow is not a date and time. Write it like 2026-11-24T03:00Z."),
        ("2026-02-30", "2026-02-30 is not a date and time. Write it like 2026-11-24T03:00Z."),
        ("2026-11-24T03:00Z x", "2026-11-24T03:00Z x is not a date and time. Write it like 2026-11-24T03:00Z."),
        ("9999-01-01", "9999-01-01 is not a date and time. Write it like 2026-11-24T03:00Z."),
        ("9999-01-01T00:00Z", "9999-01-01 00:00:00+00:00 is not a date and time. Write it like 2026-11-24T03:00Z."),
    ],
)
def test_wrong_dates_are_named(text, message):
    with pytest.raises(InvalidSchedule) as caught:
        parse_schedule("dates", text)
    assert (caught.value.message, caught.value.field) == (message, "dates")


def test_a_date_in_code_needs_an_offset():
    for value in ("2026-11-24T03:00", datetime(2026, 11, 24, 3)):  # noqa: DTZ001
        with pytest.raises(InvalidSchedule, match="has no offset from UTC"):
            at(value)


# --- manual, and what all have in common --------------------------------------------------------------------------


def test_manual_is_never_due():
    assert Manual().next_after(NOW) is None
    assert Manual().previous_before(NOW) is None
    assert Manual().count(NOW, NOW + DAY) == 0
    assert parse_schedule("manual", " ") == Manual()
    with pytest.raises(InvalidSchedule):
        parse_schedule("manual", "0 3 * * *")


ALL = [cron("0 3 * * *"), cron("@daily", timezone="Asia/Tokyo"), every("15m"), every("7d"), at(NOW), Manual()]


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: f"{schedule.kind} {schedule.expression}")
def test_values(schedule):
    zone = getattr(schedule, "timezone", None)
    again = parse_schedule(schedule.kind, schedule.expression, timezone=zone.key if zone else "UTC")
    assert again.expression == schedule.expression
    assert again.next_after(NOW) == schedule.next_after(NOW)
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(schedule) == hash(pickle.loads(pickle.dumps(schedule)))
    assert schedule_kinds()[schedule.kind] is type(schedule)
    with pytest.raises(ValueError, match="no time zone"):
        schedule.next_after(NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no time zone"):
        schedule.previous_before(NOW.replace(tzinfo=None))
    with pytest.raises((AttributeError, TypeError)):
        schedule.anything = 1


def test_upcoming_obeys_start_and_end():
    hourly = every("1h")
    assert upcoming(hourly, after=NOW, count=2) == [NOW + HOUR, NOW + 2 * HOUR]
    assert upcoming(hourly, after=NOW, count=1, starts_at=NOW + 5 * HOUR) == [NOW + 5 * HOUR]
    assert upcoming(hourly, after=NOW, count=1, starts_at=NOW - 5 * HOUR) == [NOW + HOUR]
    assert upcoming(hourly, after=NOW, count=9, ends_at=NOW + 2 * HOUR) == [NOW + HOUR]
    assert upcoming(at(NOW), after=NOW, count=5) == []
    assert upcoming(hourly, after=NOW, count=0) == []
    far = upcoming(every("1s"), after=NOW, count=1, starts_at=NOW + 9_000 * DAY)  # not second by second
    assert far == [NOW + 9_000 * DAY]


# --- a kind of one's own ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EveryBirthday(Schedule):
    """The kind that an app might add; the least there can be."""

    kind: ClassVar[str] = "birthday"
    expression: str = ""

    @classmethod
    def parse(cls, expression, *, timezone, anchor):
        return cls(expression)

    def next_after(self, moment):
        return utc(moment.year + 1, 5, 17)

    def previous_before(self, moment):
        return utc(moment.year - 1, 5, 17)


def test_an_app_can_add_a_kind(monkeypatch):
    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))
    assert register_schedule_kind(EveryBirthday) is EveryBirthday
    assert register_schedule_kind(EveryBirthday) is EveryBirthday  # reloading does no harm
    schedule = parse_schedule("birthday", "anna")
    assert schedule == EveryBirthday("anna")
    assert upcoming(schedule, after=NOW, count=2) == [utc(2027, 5, 17), utc(2028, 5, 17)]
    assert schedule.count(NOW, utc(2030, 5, 17)) == 4
    assert describe(schedule) == ""
    assert warnings_for(schedule, now=NOW) == []


def test_a_kind_needs_a_name_of_its_own(monkeypatch):
    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))
    for name in ("", "x" * 33):
        monkeypatch.setattr(EveryBirthday, "kind", name)
        with pytest.raises(TypeError, match="1 to 32 characters"):
            register_schedule_kind(EveryBirthday)
    monkeypatch.setattr(EveryBirthday, "kind", "cron")
    with pytest.raises(ValueError, match=r"The kind 'cron' is .*Cron already"):
        register_schedule_kind(EveryBirthday)


# --- spread -------------------------------------------------------------------------------------------------------


@given(st.uuids(), st.integers(1, 100_000))
def test_the_offset_is_stable_and_within_the_window(task_id, seconds):
    window = timedelta(seconds=seconds)
    offset = spread_offset(task_id, window)
    assert timedelta(0) <= offset < window
    assert offset == spread_offset(UUID(str(task_id)), window)
    assert not offset.microseconds


def test_the_offset_is_the_same_in_every_process():
    assert spread_offset(UUID(int=7), HOUR) == timedelta(seconds=3_049)
    assert spread_offset(UUID(int=7), timedelta(milliseconds=900)) == timedelta(0)


def test_many_tasks_are_spread_evenly():
    offsets = [spread_offset(uuid4(), HOUR) // (6 * MINUTE) for _ in range(2_000)]
    assert all(120 < offsets.count(part) < 290 for part in range(10))


@given(st.uuids(), st.integers(1, 100_000), st.integers(1, 100_000))
def test_it_starts_before_the_next_one_is_due(task_id, window, gap):
    start = spread_from(NOW, NOW + gap * SECOND, task_id=task_id, window=window * SECOND)
    assert NOW <= start < NOW + min(gap, window) * SECOND
    assert spread_from(NOW, None, task_id=task_id, window=HOUR) == NOW + spread_offset(task_id, HOUR)


# --- purity -------------------------------------------------------------------------------------------------------

PACKAGE = Path(django_scheduled_tasks.__file__).parent
PURE = [*PACKAGE.glob("schedules/*.py"), *PACKAGE.glob("planner/*.py"), PACKAGE / "lifecycle.py"]
ALLOWED_OF_DJANGO = {"django.core.exceptions", "django.utils", "django.utils.dates"}
CLOCKS = {"now", "utcnow", "today", "localtime", "monotonic"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_model_no_database_no_settings_no_clock(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] == "django":
                assert name in ALLOWED_OF_DJANGO
                assert path.name == "texts.py"
            if name.startswith("django_scheduled_tasks"):
                assert name.split(".")[1] in {"schedules", "planner", "lifecycle", "exceptions", "translation"}
            assert name.partition(".")[0] not in {"time", "random", "os"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            raise AssertionError(f"{path}:{node.lineno} reads a clock")


def test_dates_and_intervals_are_values():
    assert Dates((NOW, NOW)) == at(NOW)
    assert Interval(HOUR, NOW) != Interval(HOUR, NOW + MINUTE)
