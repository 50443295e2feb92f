"""The rules for days on which clocks are set, for every zone at each of its next four changes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.schedules import Cron, Interval, cron
from tests.schedules.help import (
    DAY,
    HOUR,
    MINUTE,
    ZONES,
    both_ways,
    clock_changes,
    days_between,
    meaning,
    shown,
    utc,
)

CHANGING = [name for name in ZONES if clock_changes(name)]
CASES = [(name, change) for name in CHANGING for change in clock_changes(name)]
CHUNKS = 12
BERLIN, LORD_HOWE, HAVANA, CASABLANCA = "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca"
SECOND = timedelta(seconds=1)


def test_there_are_zones_to_test():
    assert len(CHANGING) > 120
    assert len(CASES) > 480
    assert {"Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana", "Africa/Cairo"} <= set(
        CHANGING
    )


def affected(zone: ZoneInfo, change: datetime) -> tuple[datetime, datetime]:
    """Return the walls that are skipped or come twice: from, and before."""
    old = change - SECOND
    ends = [(moment + moment.astimezone(zone).utcoffset()).replace(tzinfo=None) for moment in (old, change)]
    return (min(ends[0] + SECOND, ends[1]), max(ends[0] + SECOND, ends[1]))


def cases(chunk: int) -> list[tuple[str, ZoneInfo, datetime, datetime, datetime]]:
    found = []
    for name, change in CASES[chunk::CHUNKS]:
        zone = ZoneInfo(name)
        found.append((name, zone, change, *affected(zone, change)))
    return found


def is_gap(zone: ZoneInfo, change: datetime) -> bool:
    return shown(zone, change) > shown(zone, change - SECOND) + SECOND


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_fixed_hour_runs_once_a_day_in_every_zone(chunk):
    for name, zone, change, low, high in cases(chunk):
        wall = low + (high - low) / 2
        wall = wall.replace(second=0, microsecond=0)
        schedule = Cron(f"{wall.minute} {wall.hour} * * *", zone)
        found = both_ways(schedule, change - 2 * DAY, change + 2 * DAY)
        expected = {meaning(zone, datetime.combine(day, wall.time())) for day in days_between(*around(zone, change))}
        assert found == sorted(when for when in expected if change - 2 * DAY <= when < change + 2 * DAY), name
        if is_gap(zone, change):
            assert change in found, name
        else:
            assert [when for when in found if shown(zone, when) == wall] == [meaning(zone, wall)], name


def around(zone: ZoneInfo, change: datetime) -> tuple[date, date]:
    return (shown(zone, change) - 4 * DAY).date(), (shown(zone, change) + 4 * DAY).date()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_several_times_in_a_gap_are_one_and_none_comes_twice_in_every_zone(chunk):
    for name, zone, change, low, high in cases(chunk):
        hours = ",".join(map(str, sorted({low.hour, (high - SECOND).hour})))
        found = both_ways(Cron(f"*/10 {hours} * * *", zone), change - 6 * HOUR, change + 6 * HOUR)
        walls = [low.replace(minute=0) + number * 10 * MINUTE for number in range(-90, 90)]
        walls = [wall for wall in walls if str(wall.hour) in hours.split(",")]
        expected = sorted({meaning(zone, wall) for wall in walls})
        assert found == [when for when in expected if change - 6 * HOUR <= when < change + 6 * HOUR], name


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("minute", ["*/15", "5"])
def test_an_hour_with_a_star_follows_the_real_clock_in_every_zone(chunk, minute):
    for name, zone, change, _low, _high in cases(chunk):
        low, high = change - 4 * HOUR, change + 4 * HOUR
        found = both_ways(Cron(f"{minute} * * * *", zone), low, high)
        instants = [low + number * MINUTE for number in range(480)]
        matches = {0, 15, 30, 45} if minute == "*/15" else {5}
        assert found == [when for when in instants if shown(zone, when).minute in matches], name


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_step_of_hours_follows_the_real_clock_in_every_zone(chunk):
    for name, zone, change, _low, _high in cases(chunk):
        low, high = change - 8 * HOUR, change + 8 * HOUR
        found = both_ways(Cron("*/30 */2 * * *", zone), low, high)
        walls = [(low + number * MINUTE, shown(zone, low + number * MINUTE)) for number in range(960)]
        assert found == [when for when, wall in walls if wall.hour % 2 == 0 and wall.minute % 30 == 0], name


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_intervals_under_a_day_do_not_see_the_change_in_any_zone(chunk):
    for name, zone, change, _low, _high in cases(chunk):
        schedule = Interval(timedelta(minutes=50), change - 7 * HOUR, zone)
        found = both_ways(schedule, change - 6 * HOUR, change + 6 * HOUR)
        assert {later - earlier for earlier, later in pairwise(found)} == {50 * MINUTE}, name


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_intervals_of_days_keep_the_wall_clock_in_every_zone(chunk):
    for name, zone, change, low, high in cases(chunk):
        wall = (low + (high - low) / 2).replace(second=0, microsecond=0)
        anchor = meaning(zone, wall - 3 * DAY)
        found = both_ways(Interval(DAY, anchor, zone), anchor, change + 3 * DAY)
        assert shown(zone, anchor) == wall - 3 * DAY, name
        expected = {meaning(zone, wall + number * DAY) for number in range(-3, 6)}
        assert found == sorted(when for when in expected if when < change + 3 * DAY), name


@pytest.mark.parametrize(
    ("expression", "zone", "low", "high", "expected"),
    [
        # Berlin skips 02:00 to 03:00 on 28 March 2027, at 01:00 UTC.
        ("30 2 * * *", BERLIN, utc(2027, 3, 28), utc(2027, 3, 29), ["28T01:00"]),
        ("*/30 2 * * *", BERLIN, utc(2027, 3, 28), utc(2027, 3, 29), ["28T01:00"]),
        ("* 2 * * *", BERLIN, utc(2027, 3, 28), utc(2027, 3, 29), ["28T01:00"]),
        ("0 30 2 * * *", BERLIN, utc(2027, 3, 28), utc(2027, 3, 29), ["28T01:00"]),
        ("0,30 2,3 * * *", BERLIN, utc(2027, 3, 28), utc(2027, 3, 28, 12), ["28T01:00", "28T01:30"]),
        ("30 * * * *", BERLIN, utc(2027, 3, 28), utc(2027, 3, 28, 3), ["28T00:30", "28T01:30", "28T02:30"]),
        ("0 */2 * * *", BERLIN, utc(2027, 3, 27, 23), utc(2027, 3, 28, 5), ["27T23:00", "28T02:00", "28T04:00"]),
        # It shows 02:00 to 03:00 twice on 31 October 2027, until and from 01:00 UTC.
        ("30 2 * * *", BERLIN, utc(2027, 10, 31), utc(2027, 11, 1), ["31T00:30"]),
        ("*/30 2 * * *", BERLIN, utc(2027, 10, 31), utc(2027, 11, 1), ["31T00:00", "31T00:30"]),
        ("30 * * * *", BERLIN, utc(2027, 10, 31), utc(2027, 10, 31, 3), ["31T00:30", "31T01:30", "31T02:30"]),
        (
            "0 */2 * * *",
            BERLIN,
            utc(2027, 10, 30, 22),
            utc(2027, 10, 31, 4),
            ["30T22:00", "31T00:00", "31T01:00", "31T03:00"],
        ),
        # Lord Howe skips 02:00 to 02:30 on 3 October 2027, at 15:30 UTC of the 2nd.
        ("15 2 * * *", LORD_HOWE, utc(2027, 10, 2), utc(2027, 10, 3), ["02T15:30"]),
        ("45 2 * * *", LORD_HOWE, utc(2027, 10, 2), utc(2027, 10, 3), ["02T15:45"]),
        ("0 * * * *", LORD_HOWE, utc(2027, 10, 2, 14), utc(2027, 10, 2, 17), ["02T14:30", "02T16:00"]),
        # It shows 01:30 to 02:00 twice on 4 April 2027, until and from 15:00 UTC of the 3rd.
        ("45 1 * * *", LORD_HOWE, utc(2027, 4, 3), utc(2027, 4, 4), ["03T14:45"]),
        ("45 * * * *", LORD_HOWE, utc(2027, 4, 3, 14), utc(2027, 4, 3, 17), ["03T14:45", "03T15:15", "03T16:15"]),
        # Havana skipped the first hour of 9 March 2025.
        ("0 0 * * *", HAVANA, utc(2025, 3, 9), utc(2025, 3, 10), ["09T05:00"]),
        ("@daily", HAVANA, utc(2025, 3, 9), utc(2025, 3, 10), ["09T05:00"]),
        # Morocco set its clock back for Ramadan, on 23 February 2025 at 02:00 UTC, and forth on 6 April at 02:00 UTC.
        ("30 2 * * *", CASABLANCA, utc(2025, 2, 23), utc(2025, 2, 24), ["23T01:30"]),
        ("30 2 * * *", CASABLANCA, utc(2025, 4, 6), utc(2025, 4, 7), ["06T02:00"]),
        # Samoa skipped the whole 30 December 2011: it ends with the first instant of the 31st.
        ("0 3 * * *", "Pacific/Apia", utc(2011, 12, 29, 10), utc(2011, 12, 31), ["29T13:00", "30T10:00", "30T13:00"]),
        ("0 3 30 12 *", "Pacific/Apia", utc(2011, 1, 1), utc(2012, 1, 1), ["30T10:00"]),
        (
            "0 */12 * * *",
            "Pacific/Apia",
            utc(2011, 12, 29, 10),
            utc(2011, 12, 31),
            ["29T10:00", "29T22:00", "30T10:00", "30T22:00"],
        ),
    ],
)
def test_days_on_which_the_clock_is_set(expression, zone, low, high, expected):
    found = both_ways(cron(expression, timezone=zone), low, high)
    assert [f"{when:%dT%H:%M}" for when in found] == expected


def test_a_task_that_starts_in_the_second_pass_has_its_first_occurrence_there():
    anchor = utc(2027, 10, 31, 1, 30)  # 02:30 in Berlin, for the second time
    found = both_ways(Interval(DAY, anchor, ZoneInfo(BERLIN)), anchor - DAY, anchor + 2 * DAY)
    assert found == [anchor, utc(2027, 11, 1, 1, 30)]
    assert Interval(DAY, anchor, ZoneInfo(BERLIN)).previous_before(anchor + SECOND) == anchor


def test_a_rare_time_is_found_across_many_changes():
    leap = cron("*/30 */12 29 2 *", timezone=BERLIN)
    assert leap.next_after(utc(2096, 3, 1)) == utc(2104, 2, 28, 23)
    assert leap.previous_before(utc(2104, 2, 1)) == utc(2096, 2, 29, 11, 30)
