"""A working day of each month: the last, the third, the second last.

A working day is a day from Monday to Friday that is no public holiday of the region, if one is named. With a calendar
it is a day that the calendar does not exclude as a whole; one that excludes no day of the week leaves Monday to Friday.
A month that has too few of them has no occurrence. A clock change is as for a fixed hour of cron.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import ClassVar
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.base import (
    EARLIEST,
    Schedule,
    ceil_second,
    floor_second,
    parse_timezone,
    register_schedule_kind,
)
from django_scheduled_tasks.schedules.calendars.calendar import ALL_WEEKDAYS, Calendar
from django_scheduled_tasks.schedules.calendars.holiday import HolidayRegion
from django_scheduled_tasks.schedules.calendars.named import calendar_named
from django_scheduled_tasks.schedules.kinds.clock_time import TIME, read_time, time_text
from django_scheduled_tasks.schedules.texts import clock, ngettext
from django_scheduled_tasks.schedules.texts import gettext as _

MOST = 23
"""No month has more days from Monday to Friday."""
MONTHS_SEARCHED = 240
"""If no month of so many has such a day, there is none."""
_WEEKDAYS = frozenset(range(5))
_UTC = ZoneInfo("UTC")
_SHOWN = 100
_TEXT = re.compile(
    rf"(?P<number>first|last|-?\d{{1,2}})\s+(?P<time>{TIME})"
    r"(?:\s+(?:holidays=(?P<holidays>[\w-]{1,16})|calendar=(?P<calendar>\S.{0,99})))?",
    re.IGNORECASE | re.ASCII,
)


@register_schedule_kind
@dataclass(frozen=True, slots=True)
class Workday(Schedule):
    """Once in each month, on one of its working days."""

    kind: ClassVar[str] = "workday"
    number: int
    """1 is the first of the month, -1 the last."""
    at: time
    """On the zone's clock."""
    timezone: ZoneInfo | None = None
    """None: the project's default; UTC until the task is stored."""
    holidays: str = ""
    """The region whose public holidays are no working days, such as ``DE-BE``."""
    calendar: str = ""
    """The name of the calendar that says which days are working days."""

    def __post_init__(self) -> None:
        """Check number and time; raise InvalidSchedule."""
        if not 1 <= abs(self.number) <= MOST:
            text = _(
                "%(number)s is no working day of a month: 1 is the first, -1 the last, and there are at most %(most)s."
            )
            raise InvalidSchedule(
                text % {"number": self.number, "most": MOST}, field="number", value=str(self.number), allowed=(1, MOST)
            )
        if self.holidays and self.calendar:
            raise InvalidSchedule(_("Name a calendar or holidays, not both."), field="calendar")
        if self.timezone is not None:
            object.__setattr__(self, "timezone", parse_timezone(self.timezone))

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Workday:
        """Read ``last 17:00``, ``3 09:00 holidays=DE-BE``; *anchor* is ignored."""
        del anchor
        match = _TEXT.fullmatch(expression.strip())
        if match is None:
            raise InvalidSchedule(
                _('"%(text)s" is no working day of a month. Write it like last 17:00 or -2 17:00 holidays=DE-BE.')
                % {"text": expression[:_SHOWN]},
                field="expression",
                value=expression[:_SHOWN],
            )
        words = {"first": 1, "last": -1}
        number = words.get(match["number"].lower()) or int(match["number"])
        holidays, name = (match["holidays"] or "").upper().replace("_", "-"), (match["calendar"] or "").strip().lower()
        found = cls(number, read_time(match["time"]), timezone, holidays, name)
        found._check_days()
        return found

    def _check_days(self) -> None:
        """Raise InvalidSchedule if there is no such calendar or region, or no month has so many working days."""
        if next(self._days(2024, 1, step=1), None) is None:
            text = ngettext(
                "No month has %(count)s such working day.",
                "No month has %(count)s such working days.",
                abs(self.number),
            )
            raise InvalidSchedule(text % {"count": abs(self.number)}, field="number", value=str(self.number))

    @property
    def expression(self) -> str:
        """The number, the time, and what says which days are working days."""
        number = {1: "first", -1: "last"}.get(self.number, str(self.number))
        more = f" calendar={self.calendar}" if self.calendar else f" holidays={self.holidays}" if self.holidays else ""
        return f"{number} {time_text(self.at)}{more}"

    @property
    def zone(self) -> ZoneInfo:
        """The zone by whose clock days and time are meant."""
        return self.timezone or _UTC

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due instant strictly later than *moment*; see :class:`Schedule`."""
        found = self._wall_after(wall.last_wall_until(self.zone, floor_second(moment)))
        return None if found is None else wall.to_instant(found, self.zone)

    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last due instant strictly earlier than *moment*; see :class:`Schedule`."""
        end = ceil_second(moment)
        if end <= EARLIEST:
            return None
        limit = wall.first_wall_from(self.zone, end)
        walls = (datetime.combine(day, self.at) for day in self._days(limit.year, limit.month, step=-1))
        found = next((one for one in walls if one < limit), None)
        return None if found is None else wall.to_instant(found, self.zone)

    def walls_meant_once(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the walls from *low* on and before *high*; a clock change does not take one away or double it."""
        found = self._wall_after(low - timedelta(seconds=1))
        while found is not None and found < high:
            yield found
            found = self._wall_after(found)

    def describe(self) -> str:
        """Return a translated sentence without a full stop."""
        values = {"number": abs(self.number), "count": abs(self.number) - 1, "time": clock(self.at)}
        if self.number in {1, -1}:
            text = (
                _("First working day of each month at %(time)s")
                if self.number == 1
                else _("Last working day of each month at %(time)s")
            )
        elif self.number > 0:
            text = _("Working day %(number)s of each month at %(time)s")
        else:
            text = ngettext(
                "%(count)s working day before the last of each month at %(time)s",
                "%(count)s working days before the last of each month at %(time)s",
                abs(self.number) - 1,
            )
        said = text % values
        if self.calendar:
            return _("%(sentence)s, by the calendar “%(name)s”") % {"sentence": said, "name": self.calendar}
        if self.holidays:
            return _("%(sentence)s, without the holidays of %(region)s") % {"sentence": said, "region": self.holidays}
        return said

    def _wall_after(self, moment: datetime) -> datetime | None:
        walls = (datetime.combine(day, self.at) for day in self._days(moment.year, moment.month, step=1))
        return next((one for one in walls if one > moment), None)

    def _days(self, year: int, month: int, *, step: int) -> Iterator[date]:
        """Yield the day of each month that has it, from this month on or back."""
        calendar = self._calendar()
        weekdays = _WEEKDAYS if calendar.weekdays == ALL_WEEKDAYS else ALL_WEEKDAYS
        without = 0
        while 1 < year < wall.LAST_YEAR and without < MONTHS_SEARCHED:
            day = _day_of(calendar, weekdays, self.number, year, month)
            without = without + 1 if day is None else 0
            if day is not None:
                yield day
            year, place = divmod(12 * year + month - 1 + step, 12)
            month = place + 1

    def _calendar(self) -> Calendar:
        return calendar_named(self.calendar) if self.calendar else _of_region(self.holidays, self.zone)


def _day_of(calendar: Calendar, weekdays: frozenset[int], number: int, year: int, month: int) -> date | None:
    last = monthrange(year, month)[1]
    numbers = range(1, last + 1) if number > 0 else range(last, 0, -1)
    days = (date(year, month, one) for one in numbers)
    working = (day for day in days if day.weekday() in weekdays and not calendar.label_of(day))
    return next(islice(working, abs(number) - 1, None), None)


@lru_cache(maxsize=256)
def _of_region(holidays: str, zone: ZoneInfo) -> Calendar:
    region = HolidayRegion.parse(holidays) if holidays else None
    return Calendar(name=holidays, zone=zone, weekdays=_WEEKDAYS, holidays=region)


def workday(
    number: int | str,
    at: str | time,
    *,
    calendar: str = "",
    holidays: str = "",
    timezone: str | ZoneInfo | None = None,
) -> Workday:
    """Return the schedule of a working day of each month: ``workday("last", "17:00", holidays="DE-BE")``.

    Args:
        number: 1 is the first, 2 the second; ``"last"`` or -1 the last, -2 the one before it.
        at: The time of day, such as ``17:00``.
        calendar: The name of the calendar that says which days are working days.
        holidays: Instead of it a region whose public holidays are none: ``DE``, ``DE-BE``; with the extra ``holidays``.
        timezone: An IANA name; None: the project's default.
    Raises:
        InvalidSchedule: Number, time or zone is not valid. Whether calendar and region are known is checked when the
            task is stored.
    """
    words = {"first": 1, "last": -1}
    known = words.get(number.lower(), 0) if isinstance(number, str) else number
    zone = None if timezone is None else parse_timezone(timezone)
    return Workday(known, read_time(at), zone, holidays.upper().replace("_", "-"), calendar)
