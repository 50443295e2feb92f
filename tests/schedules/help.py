"""What several tests of schedules share: instants, zones, and an obvious model of a wall clock."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from django_scheduled_tasks.schedules import Schedule
from tests import selection

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SETTLED = datetime(2024, 1, 1, tzinfo=UTC)
"""From here on tests look for changes of clocks; those to come are not the same in each edition of the zones."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


def examples(number: int) -> Callable[[Any], Any]:
    """Decorate a property test: how many examples are thorough; the gate takes a tenth of them, the night ten times."""
    checks = [HealthCheck.too_slow, HealthCheck.differing_executors]
    return settings(max_examples=selection.examples(number), deadline=None, database=None, suppress_health_check=checks)


def moments(first: int = 1990, last: int = 2090) -> st.SearchStrategy[datetime]:
    """Return aware instants in UTC, with and without a fraction."""
    low, high = datetime(first, 1, 1), datetime(last, 1, 1)  # noqa: DTZ001
    fine = st.datetimes(low, high, timezones=st.just(UTC))
    return fine | fine.map(lambda moment: moment.replace(microsecond=0))


zones = st.sampled_from(ZONES).map(ZoneInfo)


def utc(*parts: int) -> datetime:
    """Return an instant in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def forwards(schedule: Schedule, low: datetime, high: datetime) -> list[datetime]:
    """Return what is due from *low* on and before *high*, walking forwards."""
    found, moment = [], schedule.next_after(low - timedelta(microseconds=1))
    while moment is not None and moment < high:
        found.append(moment)
        moment = schedule.next_after(moment)
    return found


def backwards(schedule: Schedule, low: datetime, high: datetime) -> list[datetime]:
    """Return the same, walking backwards."""
    found, moment = [], schedule.previous_before(high)
    while moment is not None and moment >= low:
        found.append(moment)
        moment = schedule.previous_before(moment)
    return found[::-1]


def both_ways(schedule: Schedule, low: datetime, high: datetime) -> list[datetime]:
    """Return what is due from *low* on and before *high*, and check that all ways of asking agree."""
    found = forwards(schedule, low, high)
    assert backwards(schedule, low, high) == found
    assert schedule.count(low - timedelta(seconds=1), high - timedelta(seconds=1)) == len(found)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(moment.tzinfo is UTC and not moment.microsecond for moment in found)
    return found


def shown(zone: ZoneInfo, instant: datetime) -> datetime:
    """Return what the clock of *zone* shows; naive."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def meaning(zone: ZoneInfo, wall: datetime, step: timedelta = MINUTE) -> datetime:
    """Return when the clock first shows *wall* or later: looked for step by step, from well before it on."""
    instant = wall.replace(tzinfo=UTC) - 26 * HOUR
    while shown(zone, instant + HOUR) < wall and shown(zone, instant + 2 * HOUR) < wall:
        instant += HOUR
    while shown(zone, instant) < wall:
        instant += step
    return instant


@cache
def clock_changes(name: str, start: datetime = SETTLED, number: int = 4) -> tuple[datetime, ...]:
    """Return the next instants at which the clock of a zone is set, at most *number* within three years."""
    zone, found, day = ZoneInfo(name), [], start
    offset = day.astimezone(zone).utcoffset()
    while len(found) < number and day < start + 1_100 * DAY:
        day += DAY
        if day.astimezone(zone).utcoffset() != offset:
            instant = day - DAY
            while instant.astimezone(zone).utcoffset() == offset:
                instant += MINUTE
            found.append(instant)
            offset = day.astimezone(zone).utcoffset()
    return tuple(found)


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from *first* to *last*, both included."""
    while first <= last:
        yield first
        first += DAY
