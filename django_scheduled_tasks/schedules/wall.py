"""Wall-clock times and instants: what a zone's clock shows, when it changes, and which instant a shown time means.

A *wall* is a naive datetime: what the clock of a zone shows. For schedules in which each wall occurs once, this package
has one rule: a wall that the clock skips means the first instant after the gap; a wall that it shows twice means the
first time. With this rule a later wall never means an earlier instant; the functions here rely on that.

Source:
    PEP 495 for ``fold``; Debian's cron(8) for the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django_scheduled_tasks.schedules.base import SECOND

_DAY = timedelta(days=1)
_ZERO = timedelta(0)
LAST_YEAR = 9990
"""Schedules end before it; Python's calendar ends soon after."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a zone's clock."""

    at: datetime
    """The first instant with the new offset, in UTC."""
    before: timedelta
    after: timedelta

    @property
    def wall_before(self) -> datetime:
        """What the clock would show without the change: the start of a gap, or the end of an overlap."""
        return (self.at + self.before).replace(tzinfo=None)

    @property
    def wall_after(self) -> datetime:
        """What the clock shows first after the change: the end of a gap, or the start of the second pass."""
        return (self.at + self.after).replace(tzinfo=None)

    @property
    def is_gap(self) -> bool:
        """Whether the clock skips times; else it shows some twice."""
        return self.after > self.before


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return how far the clock of *zone* is ahead of UTC at *instant*."""
    return instant.astimezone(zone).utcoffset() or _ZERO


def to_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, that *wall* means once in *zone*."""
    first = wall.replace(tzinfo=zone, fold=0).utcoffset() or _ZERO
    second = wall.replace(tzinfo=zone, fold=1).utcoffset() or _ZERO
    if first >= second:
        return (wall - first).replace(tzinfo=UTC)
    return first_change(zone, (wall - second).replace(tzinfo=UTC), (wall - first).replace(tzinfo=UTC)).at


def first_change(zone: ZoneInfo, low: datetime, high: datetime) -> Transition:
    """Return the transition between *low* and *high*, two whole seconds with different offsets."""
    before = offset_at(zone, low)
    while high - low > SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if offset_at(zone, middle) == before:
            low = middle
        else:
            high = middle
    return Transition(high, before, offset_at(zone, high))


def last_wall_until(zone: ZoneInfo, instant: datetime) -> datetime:
    """Return the latest wall that means *instant* (a whole second) or an earlier one."""
    local = instant.astimezone(zone)
    if local.fold:  # in the second pass all walls of the overlap are over
        return _overlap_at(zone, instant, local).wall_before - SECOND
    return local.replace(tzinfo=None)


def first_wall_from(zone: ZoneInfo, instant: datetime) -> datetime:
    """Return the earliest wall that means *instant* (a whole second) or a later one."""
    local = instant.astimezone(zone)
    if local.fold:
        return _overlap_at(zone, instant, local).wall_before
    before = offset_at(zone, instant - SECOND)
    if before < (local.utcoffset() or _ZERO):  # the first instant after a gap stands for all that the gap skips
        return (instant + before).replace(tzinfo=None)
    return local.replace(tzinfo=None, fold=0)


def _overlap_at(zone: ZoneInfo, instant: datetime, local: datetime) -> Transition:
    wall = local.replace(tzinfo=None, fold=0)
    first_pass = (wall - (wall.replace(tzinfo=zone, fold=0).utcoffset() or _ZERO)).replace(tzinfo=UTC)
    return first_change(zone, first_pass, instant)


@lru_cache(maxsize=4096)
def transitions_in(zone: ZoneInfo, year: int) -> tuple[Transition, ...]:
    """Return the transitions of *zone* in *year* (of UTC), in order.

    A clock is looked at once a day; no zone sets its clock forth and back within one.
    """
    found: list[Transition] = []
    day, end = datetime(year, 1, 1, tzinfo=UTC) - SECOND, datetime(year + 1, 1, 1, tzinfo=UTC) - SECOND
    before = offset_at(zone, day)
    while day < end:
        following = min(day + _DAY, end)
        after = offset_at(zone, following)
        while before != after:
            change = first_change(zone, day, following)
            found.append(change)
            day, before = change.at, change.after
        day = following
    return tuple(found)


def transitions_between(zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[Transition]:
    """Yield the transitions of *zone* later than *after* and not later than *until*, in order."""
    for year in range(after.year, until.year + 1):
        for change in transitions_in(zone, year):
            if after < change.at <= until:
                yield change


def count_meant_once(
    zone: ZoneInfo, after: datetime, until: datetime, count: Callable[[datetime, datetime], int]
) -> int:
    """Return how many instants later than *after* and not later than *until* are meant by walls.

    Args:
        zone: Whose clock.
        after: A whole second.
        until: A whole second, not before *after*.
        count: Tells how many walls are later than its first and not later than its second argument.
    """
    number = count(last_wall_until(zone, after), last_wall_until(zone, until))
    for change in transitions_between(zone, after, until):
        if change.is_gap:  # all that it skips, and what comes right after it, is one instant
            number -= max(0, count(change.wall_before - SECOND, change.wall_after) - 1)
    return number
