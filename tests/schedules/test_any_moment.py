"""Asked at any moment near a clock change, also between its two passes, each kind answers from one and the same list.

Walking from one occurrence to the next never stands inside a second pass; who saves a task at that time does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.schedules import Cron, Interval, Schedule, cron
from tests import selection
from tests.schedules.help import DAY, HOUR, MINUTE, ZONES, both_ways, clock_changes, meaning, shown, utc

CHANGES = 20 if selection.IS_NIGHTLY else 2
"""How many of the next changes of each zone; two are mostly one of each kind."""
CHUNKS = 6
SECOND, INSTANT = timedelta(seconds=1), timedelta(microseconds=1)


def schedules_near(zone: ZoneInfo, change: datetime) -> Iterator[Schedule]:
    """Yield schedules that have something to do at the change."""
    before, after = shown(zone, change - SECOND) + SECOND, shown(zone, change)
    hours = ",".join(map(str, sorted({wall.hour for wall in (before, after, after - HOUR, before - HOUR)})))
    middle = (before + (after - before) / 2).replace(second=0, microsecond=0)
    yield Cron(f"5,{middle.minute} {hours} * * *", zone)
    yield Cron(f"{middle.minute} {middle.hour} * * *", zone)
    yield Cron("59 59 */2 * * *", zone)  # the last second that a gap skips
    yield Interval(DAY, meaning(zone, middle - 3 * DAY), zone)


def moments_near(change: datetime) -> Iterator[datetime]:
    """Yield moments with and without a fraction, and the edges themselves."""
    for number in range(-6, 7):
        yield change + number * 11 * MINUTE + number % 2 * (17 * SECOND + 300 * INSTANT)
    yield from (change - SECOND, change - INSTANT, change + INSTANT, change + SECOND)


def assert_answers_from_one_list(schedule: Schedule, change: datetime, name: str) -> None:
    due = both_ways(schedule, change - 2 * DAY, change + 2 * DAY)
    for moment in moments_near(change):
        where = (name, schedule.expression, moment)
        assert schedule.next_after(moment) == due[bisect_right(due, moment)], where
        assert schedule.previous_before(moment) == due[bisect_left(due, moment) - 1], where
        assert schedule.count(moment, due[-1]) == len(due) - bisect_right(due, moment), where
        assert schedule.count(due[0], moment) == bisect_right(due, moment) - 1, where


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_near_a_change_in_every_zone(chunk):
    for name in ZONES[chunk::CHUNKS]:
        zone = ZoneInfo(name)
        for change in clock_changes(name)[:CHANGES]:
            for schedule in schedules_near(zone, change):
                assert_answers_from_one_list(schedule, change, name)


@pytest.mark.parametrize(
    ("moment", "following", "before"),
    [
        (utc(2027, 10, 31, 0, 10), utc(2027, 10, 31, 0, 30), utc(2027, 10, 30, 0, 30)),  # 02:10, first pass
        (utc(2027, 10, 31, 1, 10), utc(2027, 11, 1, 1, 30), utc(2027, 10, 31, 0, 30)),  # 02:10, second pass
        (utc(2027, 10, 31, 1, 40), utc(2027, 11, 1, 1, 30), utc(2027, 10, 31, 0, 30)),  # 02:40, second pass
        (utc(2027, 3, 28, 0, 59), utc(2027, 3, 28, 1), utc(2027, 3, 27, 1, 30)),
        (utc(2027, 3, 28, 1), utc(2027, 3, 29, 0, 30), utc(2027, 3, 27, 1, 30)),
        (utc(2027, 3, 28, 1, 0, 1), utc(2027, 3, 29, 0, 30), utc(2027, 3, 28, 1)),
    ],
)
def test_half_past_two_in_berlin(moment, following, before):
    schedule = cron("30 2 * * *", timezone="Europe/Berlin")
    assert schedule.next_after(moment) == following
    assert schedule.previous_before(moment) == before
