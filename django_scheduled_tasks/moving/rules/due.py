"""The due times of another scheduler, calculated by its own rules and not by ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django_scheduled_tasks.schedules.wall import Transition, offset_at, transitions_in

_UTC = ZoneInfo("UTC")
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_LONGEST_SEARCH = 366 * 9
"""Days without a match, after which there is none: a 29 February is at most eight years away."""


class Due(ABC):
    """When something is due."""

    @abstractmethod
    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the due instants later than *moment*, in UTC, in order."""


@dataclass(frozen=True)
class Never(Due):
    """Nothing is due."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield nothing."""
        del moment
        yield from ()


@dataclass(frozen=True)
class Once(Due):
    """These instants."""

    instants: tuple[datetime, ...]

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield those that are later."""
        yield from (one for one in sorted(self.instants) if one > moment)


@dataclass(frozen=True)
class Every(Due):
    """The anchor and each multiple of a duration after it, whatever clocks do."""

    every: timedelta
    anchor: datetime

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Count on from the anchor."""
        at = self.anchor + max(0, (moment - self.anchor) // self.every + 1) * self.every
        while True:
            yield at
            at += self.every


@dataclass(frozen=True)
class Steps(Due):
    """Each due time is calculated from the one before."""

    first: datetime
    step: Callable[[datetime], datetime]

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Go on from the first."""
        at = self.first
        while True:
            if at > moment:
                yield at
            at = self.step(at)


@dataclass(frozen=True, kw_only=True)
class Days:
    """Which days match."""

    months: frozenset[int] = frozenset(range(1, 13))
    days: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    """0 is Sunday."""
    nth: frozenset[tuple[int, int]] = frozenset()
    """The second Monday is (1, 2), the last one (1, -1)."""
    last: frozenset[int] = frozenset()
    """How many days before the last one of the month: 0 is the last."""
    working: frozenset[int] = frozenset()
    """The working day that is nearest to this one; 0: the last one of the month."""
    together: bool = True
    """Whether day and weekday both have to match, where both are restricted."""

    def __call__(self, day: date) -> bool:
        """Whether *day* matches."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = self._by_day(day), self._by_weekday(day)
        if by_day is None or by_weekday is None:
            return by_weekday is not False and by_day is not False
        return (by_day and by_weekday) if self.together else (by_day or by_weekday)

    def _by_day(self, day: date) -> bool | None:
        if not (self.days or self.last or self.working):
            return None
        end = _last_of(day)
        return (
            day.day in self.days
            or end.day - day.day in self.last
            or any(_working_day(day, wanted, end) == day for wanted in self.working)
        )

    def _by_weekday(self, day: date) -> bool | None:
        if not (self.weekdays or self.nth):
            return None
        weekday = day.isoweekday() % 7
        is_last = day.day + 7 > _last_of(day).day
        return (
            weekday in self.weekdays
            or (weekday, (day.day - 1) // 7 + 1) in self.nth
            or (is_last and (weekday, -1) in self.nth)
        )


def _last_of(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - _DAY


def _working_day(day: date, wanted: int, end: date) -> date | None:
    if wanted > end.day:
        return None
    found = day.replace(day=wanted or end.day)
    shift = {6: -1 if found.day > 1 else 2, 7: 1 if found < end else -2}.get(found.isoweekday(), 0)
    return found + timedelta(days=shift)


Gap = Literal["shift", "end", "skip", "cron", "ours"]
"""What becomes of a time that the clock skips: as late as without the change, at the end of the gap, or nothing; as
Debian's cron has it, it depends on the fields; where the old rule is not known, ours is taken."""


@dataclass(frozen=True)
class Walls(Due):
    """Times of day on some days, as the clock of a zone shows them."""

    days: Callable[[date], bool]
    hours: frozenset[int]
    minutes: frozenset[int]
    seconds: frozenset[int] = frozenset({0})
    zone: ZoneInfo = _UTC
    gap: Gap = "end"
    twice: bool = False
    """Whether a time that the clock shows twice is due twice."""
    times: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """The same as seconds of the day."""

    def __post_init__(self) -> None:
        """Lay the times of one day out."""
        times = (h * 3600 + m * 60 + s for h in self.hours for m in self.minutes for s in self.seconds)
        object.__setattr__(self, "times", tuple(sorted(times)))

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Go on from *moment* as the old scheduler does from its last run."""
        at: datetime | None = moment.astimezone(UTC)
        while at is not None and (at := self._next(at)) is not None:
            yield at

    def _next(self, moment: datetime) -> datetime | None:
        """Return the next instant: the next wall, unless the clock changes before."""
        offset = offset_at(self.zone, moment)
        searched = (moment + offset).replace(tzinfo=None)
        while (found := self._wall_after(searched)) is not None:
            at = (found - offset).replace(tzinfo=UTC)
            change = _next_change(self.zone, moment, at)
            if change is None:
                return at
            if change.is_gap and found < change.wall_after and self.gap != "skip":
                return at if self.gap == "shift" else change.at
            if (change.is_gap and found < change.wall_after) or (not change.is_gap and self.twice):
                searched = change.wall_after - _SECOND
            moment, offset = change.at, change.after
        return None

    def _wall_after(self, wall: datetime) -> datetime | None:
        day, begin = wall.date(), bisect_right(self.times, (wall - datetime.combine(wall.date(), time())).seconds)
        for _number in range(_LONGEST_SEARCH):
            if begin < len(self.times) and self.days(day):
                return datetime.combine(day, time()) + timedelta(seconds=self.times[begin])
            day, begin = day + _DAY, 0
        return None


def _next_change(zone: ZoneInfo, after: datetime, until: datetime) -> Transition | None:
    """Return the first change of the clock that is later than *after* and not later than *until*."""
    if zone.key == "UTC":
        return None
    changes = (change for year in range(after.year, until.year + 1) for change in transitions_in(zone, year))
    return next((change for change in changes if after < change.at <= until), None)
