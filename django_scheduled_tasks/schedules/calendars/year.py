"""The days of a year that a calendar excludes, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django_scheduled_tasks.schedules.calendars.calendar import Calendar, DayKind

FIRST_YEAR, LAST_YEAR = 1970, 2200
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ExcludedDay:
    """A day that is excluded as a whole."""

    day: date
    kind: DayKind
    label: str


def excluded_days(calendar: Calendar, year: int) -> list[ExcludedDay]:
    """Return the days of *year* that *calendar* excludes as a whole, in order; windows are no days."""
    found: list[ExcludedDay] = []
    day = date(year, 1, 1)
    while day.year == year:
        if (kind := calendar.kind_of(day)) is not None:
            found.append(ExcludedDay(day, kind, calendar.label_of(day)))
        day += _DAY
    return found
