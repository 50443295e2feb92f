"""A calendar: which days and hours it excludes, and by which name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.calendars.holiday import HolidayRegion
from django_scheduled_tasks.schedules.calendars.windows import WeeklyWindow
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import weekday_name

ALL_WEEKDAYS = frozenset(range(7))
MOST_REMEMBERED = 4_096
"""Days whose labels a calendar remembers."""
_LOOKED_AHEAD = 8
_DAY = timedelta(days=1)


class DayKind(StrEnum):
    """What excludes a day as a whole."""

    WEEKDAY = "weekday"
    """Its day of the week."""
    HOLIDAY = "holiday"
    """It is a public holiday."""
    DATE = "date"
    """It is among the dates."""


@dataclass(frozen=True, slots=True, order=True)
class DateSpan:
    """Dates that are excluded, or one of them."""

    first: date
    last: date
    """Inclusive."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A day or a window in which nothing runs."""

    start: datetime
    """UTC, inclusive."""
    end: datetime
    """UTC, exclusive."""
    label: str
    """What it is: ``New Year's Day``, ``Saturday``, ``Fri 18:00 – Mon 06:00``."""
    calendar: str
    version: int = 1
    """Of the calendar."""


@dataclass(frozen=True)
class Calendar:
    """Days and hours on which tasks that name it do not run. A value; what is stored is read into it.

    Args:
        name: As tasks name it.
        zone: Whose days and clock.
        weekdays: Those on which tasks may run; 0 is Monday.
        holidays: Whose public holidays are excluded.
        dates: Further dates that are excluded.
        windows: Parts of each week that are excluded.
        version: Counts its changes.
    """

    name: str
    zone: ZoneInfo
    weekdays: frozenset[int] = ALL_WEEKDAYS
    holidays: HolidayRegion | None = None
    dates: tuple[DateSpan, ...] = ()
    windows: tuple[WeeklyWindow, ...] = ()
    version: int = 1
    _firsts: tuple[date, ...] = field(init=False, repr=False, compare=False)
    _labels: dict[date, str | int] = field(init=False, repr=False, compare=False, default_factory=dict)
    _edges: dict[date, tuple[datetime, datetime]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the dates; raise InvalidSchedule if no day of the week is left, or dates overlap or are turned round."""
        if not self.weekdays or not self.weekdays <= ALL_WEEKDAYS:
            raise InvalidSchedule(_("At least one day of the week has to be left."), field="weekdays")
        spans = tuple(sorted(self.dates))
        for span in spans:
            if span.last < span.first:
                raise InvalidSchedule(
                    _("%(first)s comes after %(last)s.") % {"first": span.first, "last": span.last}, field="dates"
                )
        object.__setattr__(self, "dates", _merged(spans))
        object.__setattr__(self, "_firsts", tuple(span.first for span in self.dates))

    def label_of(self, day: date) -> str:
        """Return why *day* is excluded as a whole: a date's label, a holiday's name, a weekday; empty if it is not."""
        found = self._labels.get(day)
        if found is None:
            if len(self._labels) >= MOST_REMEMBERED:
                self._labels.clear()
            found = self._labels[day] = self._find_label(day)
        if isinstance(found, str):
            return found
        return weekday_name(found) if found else _("excluded date")

    def kind_of(self, day: date) -> DayKind | None:
        """Return what excludes *day* as a whole; None if nothing does."""
        if self._span_of(day) is not None:
            return DayKind.DATE
        if self.holidays is not None and day in self.holidays.in_year(day.year):
            return DayKind.HOLIDAY
        return None if day.weekday() in self.weekdays else DayKind.WEEKDAY

    def _span_of(self, day: date) -> DateSpan | None:
        place = bisect_right(self._firsts, day) - 1
        return self.dates[place] if place >= 0 and day <= self.dates[place].last else None

    def _find_label(self, day: date) -> str | int:
        """Return a label; of what is called otherwise in each language the day of the week, or 0 for a date."""
        if (span := self._span_of(day)) is not None:
            return span.label or 0
        if self.holidays is not None and (name := self.holidays.in_year(day.year).get(day)):
            return name
        return "" if day.weekday() in self.weekdays else day.weekday() + 1

    def exclusion_at(self, instant: datetime) -> Exclusion | None:
        """Return the day or window that *instant*, aware, falls into; of several, the day."""
        local = instant.astimezone(self.zone)
        day = local.date()
        label = "" if self._labels.get(day) == "" else self.label_of(day)
        if label:
            return Exclusion(*self._edges_of(day), label, self.name, self.version)
        for window in self.windows:
            if window.may_hold(local) and (found := window.around(instant, self.zone)) is not None:
                return Exclusion(*found, str(window), self.name, self.version)
        return None

    def excluded_until(self, found: Exclusion) -> datetime:
        """Return until when days after *found* are excluded as well, without a gap; a week at most."""
        day = first = found.end.astimezone(self.zone).date()
        while day - first < _LOOKED_AHEAD * _DAY and self.label_of(day):
            day += _DAY
        return found.end if day == first else self._edges_of(day)[0]

    def _edges_of(self, day: date) -> tuple[datetime, datetime]:
        """Return when *day* begins and ends, remembered as labels are."""
        found = self._edges.get(day)
        if found is None:
            if len(self._edges) >= MOST_REMEMBERED:
                self._edges.clear()
            found = self._edges[day] = midnight(day, self.zone), midnight(day + _DAY, self.zone)
        return found

    def allowed_until(self, instant: datetime) -> datetime:
        """Return an instant, at most a week ahead, before which nothing is excluded; *instant* itself is not."""
        day = instant.astimezone(self.zone).date()
        days = (day + number * _DAY for number in range(1, _LOOKED_AHEAD))
        excluded = next((one for one in days if self.label_of(one)), day + _LOOKED_AHEAD * _DAY)
        starts = (window.next_start(instant, self.zone) for window in self.windows)
        return min((midnight(excluded, self.zone), *starts))

    def excludes_between(self, start: datetime, end: datetime) -> bool:
        """Whether anything is excluded from *start* to *end*."""
        day, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        while day <= last:
            if self.label_of(day):
                return True
            day += _DAY
        return any(
            window.around(start, self.zone) is not None or window.next_start(start, self.zone) <= end
            for window in self.windows
        )

    @property
    def last_known_day(self) -> date | None:
        """The last day whose holidays are known; None if it excludes no holidays."""
        return None if self.holidays is None else date(self.holidays.last_year, 12, 31)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which *day* begins in *zone*."""
    return wall.to_instant(datetime.combine(day, time()), zone).astimezone(UTC)


def _merged(spans: Sequence[DateSpan]) -> tuple[DateSpan, ...]:
    """Return *spans*, sorted, without overlaps: of dates in two of them the earlier one's label counts."""
    found: list[DateSpan] = []
    for span in spans:
        first = max(span.first, found[-1].last + _DAY) if found else span.first
        if first <= span.last:
            found.append(DateSpan(first, span.last, span.label))
    return tuple(found)
