"""Intervals, counted from a stored anchor: a restart never shifts them and they never drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import ClassVar, Literal, overload
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.base import (
    SECOND,
    Schedule,
    ceil_second,
    floor_second,
    parse_timezone,
    register_schedule_kind,
)
from django_scheduled_tasks.schedules.durations import format_duration, parse_duration
from django_scheduled_tasks.schedules.kinds.clock_time import read_time
from django_scheduled_tasks.schedules.kinds.weeks import Weeks, read_weekday
from django_scheduled_tasks.schedules.texts import gettext as _

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)
_UTC = ZoneInfo("UTC")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall: midnight in whatever zone


@register_schedule_kind
@dataclass(frozen=True, slots=True)
class Interval(Schedule):
    """The anchor, and each multiple of the interval after it.

    Whole days keep the zone's wall-clock time across clock changes; other intervals are exact durations. Nothing is due
    before the anchor.
    """

    kind: ClassVar[str] = "interval"
    every: timedelta
    """Whole seconds; 1 second is the least."""
    anchor: datetime | None = None
    """The first due instant. None: midnight of 1 January 1970 on the zone's clock, until the task is stored."""
    timezone: ZoneInfo | None = None
    """The zone whose wall-clock time whole days keep. None: the project's default; UTC until the task is stored."""

    def __post_init__(self) -> None:
        """Check interval, anchor and zone; raise InvalidSchedule."""
        every = self.every
        if every < SECOND or every.microseconds:
            shown = format_duration(every) if not every.microseconds else f"{every.total_seconds()}s"
            raise InvalidSchedule(
                _("%(interval)s is not possible: an interval is whole seconds, and 1 second at least.")
                % {"interval": shown},
                field="interval",
                value=shown,
            )
        parse_duration(format_duration(every))  # refuses what is too long
        if self.anchor is not None:
            object.__setattr__(self, "anchor", floor_second(self.anchor))
        if self.timezone is not None:
            object.__setattr__(self, "timezone", parse_timezone(self.timezone))

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Interval:
        """Read a duration."""
        return cls(parse_duration(expression), anchor, timezone)

    @property
    def expression(self) -> str:
        """The duration as text."""
        return format_duration(self.every)

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose wall-clock time whole days keep."""
        return self.timezone or _UTC

    @property
    def keeps_wall_clock(self) -> bool:
        """Whether it is due at the same wall-clock time each time: whole days."""
        return self.every % _DAY == timedelta(0)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due instant strictly later than *moment*; see :class:`Schedule`."""
        start, first = floor_second(moment), self._first
        if start < first:
            return first
        if not self.keeps_wall_clock:
            return self._checked(first, (start - first) // self.every + 1)
        return self._nth(self._number_until(start) + 1)

    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last due instant strictly earlier than *moment*; see :class:`Schedule`."""
        end, first = ceil_second(moment), self._first
        if end <= first:
            return None
        if not self.keeps_wall_clock:
            return self._checked(first, (end - SECOND - first) // self.every)
        latest = wall.first_wall_from(self.zone, end) - SECOND
        return self._nth(max(0, (latest - self._first_wall) // self.every))

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due instants are later than *after* and not later than *until*, without making them."""
        after, until, first = floor_second(after), floor_second(until), self._first
        if until <= after or until < first:
            return 0
        number = 1 if after < first else 0
        after = max(after, first)
        if not self.keeps_wall_clock:
            return number + (until - first) // self.every - (after - first) // self.every
        return number + wall.count_meant_once(self.zone, after, until, self._count_walls)

    def walls_meant_once(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the walls from *low* on and before *high* that a clock change does not take away or double."""
        if self.keeps_wall_clock:
            start = self._first_wall
            number = max(0, -((start - low) // self.every))
            while start + number * self.every < high:
                yield start + number * self.every
                number += 1

    @property
    def _first(self) -> datetime:
        return wall.to_instant(_EPOCH, self.zone) if self.anchor is None else self.anchor

    @property
    def _first_wall(self) -> datetime:
        return _EPOCH if self.anchor is None else self.anchor.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _number_until(self, moment: datetime) -> int:
        return max(0, (wall.last_wall_until(self.zone, moment) - self._first_wall) // self.every)

    def _count_walls(self, after: datetime, until: datetime) -> int:
        start = self._first_wall
        return max(0, (until - start) // self.every) - max(0, (after - start) // self.every)

    def _nth(self, number: int) -> datetime | None:
        if number == 0:
            return self._first
        try:
            found = self._first_wall + number * self.every
        except OverflowError:
            return None
        return wall.to_instant(found, self.zone) if found.year < wall.LAST_YEAR else None

    def _checked(self, first: datetime, number: int) -> datetime | None:
        try:
            found = first + number * self.every
        except OverflowError:
            return None
        return found.replace(tzinfo=UTC) if found.year < wall.LAST_YEAR else None


@overload
def every(
    interval: str | timedelta, *, on: Literal[""] = "", at: str | time = ..., timezone: str | ZoneInfo | None = None
) -> Interval: ...
@overload
def every(
    interval: str | timedelta, *, on: str, at: str | time = ..., timezone: str | ZoneInfo | None = None
) -> Interval | Weeks: ...
def every(
    interval: str | timedelta, *, on: str = "", at: str | time = "00:00", timezone: str | ZoneInfo | None = None
) -> Interval | Weeks:
    """Return the schedule of an interval: ``every("15m")``. It counts from the task's start, else its creation.

    Args:
        interval: A duration, or a text such as ``90s``, ``5m``, ``2h30m``, ``1d``.
        on: Of whole weeks the day of the week: ``every("2w", on="monday", at="09:00")``. The first such day from the
            task's start on counts.
        at: With *on* the time of day.
        timezone: An IANA name, for whole days; None: the project's default.
    Raises:
        InvalidSchedule: The interval, the day or the zone is not valid.
    """
    duration = interval if isinstance(interval, timedelta) else parse_duration(interval)
    zone = None if timezone is None else parse_timezone(timezone)
    if not on:
        return Interval(duration, timezone=zone)
    if duration % _WEEK:
        shown = format_duration(duration)
        text = _("%(interval)s is not possible with a day of the week: write whole weeks, such as 2w.")
        raise InvalidSchedule(text % {"interval": shown}, field="interval", value=shown)
    return Weeks(duration // _WEEK, read_weekday(on), read_time(at), zone)
