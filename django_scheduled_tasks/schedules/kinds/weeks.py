"""Every so many weeks on one day of the week: every two weeks on Monday at 09:00."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.base import (
    EARLIEST,
    SECOND,
    Schedule,
    ceil_second,
    floor_second,
    parse_timezone,
    register_schedule_kind,
)
from django_scheduled_tasks.schedules.kinds.clock_time import TIME, read_time, time_text
from django_scheduled_tasks.schedules.texts import clock, ngettext, weekday_name
from django_scheduled_tasks.schedules.texts import gettext as _

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_WEEKS = 520
_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)
_UTC = ZoneInfo("UTC")
_MONDAY = datetime(1970, 1, 5)  # noqa: DTZ001  # a wall: midnight in whatever zone
_SHOWN = 100
_TEXT = re.compile(
    rf"(?P<weeks>\d{{1,3}})\s*w(?:eeks?)?\s+(?:on\s+)?(?P<day>[a-z]+)(?:\s+(?:at\s+)?(?P<time>{TIME}))?",
    re.IGNORECASE | re.ASCII,
)
_NAMES = {name: number for number, day in enumerate(DAYS) for name in (day, f"{day}day")} | {
    "tuesday": 1,
    "wednesday": 2,
    "thursday": 3,
    "saturday": 5,
}


@register_schedule_kind
@dataclass(frozen=True, slots=True)
class Weeks(Schedule):
    """The first such day and time from the anchor on, and each so many weeks later, by the wall clock."""

    kind: ClassVar[str] = "weeks"
    weeks: int
    weekday: int
    """0 is Monday."""
    at: time
    timezone: ZoneInfo | None = None
    """None: the project's default; UTC until the task is stored."""
    anchor: datetime | None = None
    """From when it counts. None: the first week of 1970, until the task is stored."""

    def __post_init__(self) -> None:
        """Check the number, anchor and zone; raise InvalidSchedule."""
        if not 1 <= self.weeks <= MOST_WEEKS:
            text = _("%(count)s weeks are not possible: from 1 to %(most)s are.")
            raise InvalidSchedule(
                text % {"count": self.weeks, "most": MOST_WEEKS},
                field="interval",
                value=str(self.weeks),
                allowed=(1, MOST_WEEKS),
            )
        if self.anchor is not None:
            object.__setattr__(self, "anchor", floor_second(self.anchor))
        if self.timezone is not None:
            object.__setattr__(self, "timezone", parse_timezone(self.timezone))

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Weeks:
        """Read ``2w mon 09:00``; without a time it is midnight."""
        match = _TEXT.fullmatch(expression.strip())
        if match is None:
            raise InvalidSchedule(
                _('"%(text)s" is no number of weeks with a weekday. Write it like 2w mon 09:00.')
                % {"text": expression[:_SHOWN]},
                field="interval",
                value=expression[:_SHOWN],
            )
        at = read_time(match["time"] or "0:00")
        return cls(int(match["weeks"]), read_weekday(match["day"]), at, timezone, anchor)

    @property
    def expression(self) -> str:
        """Weeks, weekday and time as text."""
        return f"{self.weeks}w {DAYS[self.weekday]} {time_text(self.at)}"

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose wall-clock time it keeps."""
        return self.timezone or _UTC

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due instant strictly later than *moment*; see :class:`Schedule`."""
        latest = wall.last_wall_until(self.zone, floor_second(moment))
        return self._nth(max(0, (latest - self._first) // self._step + 1))

    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last due instant strictly earlier than *moment*; see :class:`Schedule`."""
        end = ceil_second(moment)
        if end <= EARLIEST:
            return None
        number = (wall.first_wall_from(self.zone, end) - SECOND - self._first) // self._step
        return self._nth(number) if number >= 0 else None

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due instants are later than *after* and not later than *until*, without making them."""
        after, until = floor_second(after), floor_second(until)
        return wall.count_meant_once(self.zone, after, until, self._count_walls) if until > after else 0

    def walls_meant_once(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the walls from *low* on and before *high*; a clock change does not take one away or double it."""
        number = max(0, -((self._first - low) // self._step))
        while (found := self._first + number * self._step) < high:
            yield found
            number += 1

    def describe(self) -> str:
        """Return a translated sentence without a full stop."""
        values = {"day": weekday_name(self.weekday + 1), "time": clock(self.at), "count": self.weeks}
        if self.weeks == 1:
            return _("Every %(day)s at %(time)s") % values
        text = ngettext(
            "Every %(count)s week on %(day)s at %(time)s", "Every %(count)s weeks on %(day)s at %(time)s", self.weeks
        )
        return text % values

    @property
    def _step(self) -> timedelta:
        return self.weeks * _WEEK

    @property
    def _first(self) -> datetime:
        """The first wall at which it is due."""
        begin = _MONDAY if self.anchor is None else wall.first_wall_from(self.zone, self.anchor)
        day = begin.date() + (self.weekday - begin.weekday()) % 7 * _DAY
        found = datetime.combine(day, self.at)
        return found if found >= begin else found + _WEEK

    def _count_walls(self, after: datetime, until: datetime) -> int:
        first, step = self._first, self._step
        return max(0, (until - first) // step + 1) - max(0, (after - first) // step + 1)

    def _nth(self, number: int) -> datetime | None:
        try:
            found = self._first + number * self._step
        except OverflowError:
            return None
        return wall.to_instant(found, self.zone) if found.year < wall.LAST_YEAR else None


def read_weekday(name: str) -> int:
    """Return the number of a day of the week, 0 for Monday; raise InvalidSchedule if *name* is none in English."""
    number = _NAMES.get(name.strip().lower())
    if number is None:
        text = _('"%(name)s" is no day of the week. Write it like mon or Monday.')
        raise InvalidSchedule(text % {"name": name[:_SHOWN]}, field="weekday", value=name[:_SHOWN])
    return number
