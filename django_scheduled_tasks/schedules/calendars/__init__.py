"""Calendars: on which days and at which hours nothing is to run, and what becomes of what falls there."""

from django_scheduled_tasks.schedules.calendars.calendar import Calendar, DateSpan, DayKind, Exclusion
from django_scheduled_tasks.schedules.calendars.definition import definition_of, read_calendar, read_date
from django_scheduled_tasks.schedules.calendars.excluding import (
    DELAY,
    MOST_MOVED_DAYS,
    NEXT_ALLOWED,
    ON_EXCLUDED,
    PREVIOUS_ALLOWED,
    SKIP,
    Excluded,
    WithCalendars,
)
from django_scheduled_tasks.schedules.calendars.holiday import HolidayRegion
from django_scheduled_tasks.schedules.calendars.stretches import Landed, LeftOut, landed_at, last_left_out, left_out
from django_scheduled_tasks.schedules.calendars.windows import WeeklyWindow

__all__ = [
    "DELAY",
    "MOST_MOVED_DAYS",
    "NEXT_ALLOWED",
    "ON_EXCLUDED",
    "PREVIOUS_ALLOWED",
    "SKIP",
    "Calendar",
    "DateSpan",
    "DayKind",
    "Excluded",
    "Exclusion",
    "HolidayRegion",
    "Landed",
    "LeftOut",
    "WeeklyWindow",
    "WithCalendars",
    "definition_of",
    "landed_at",
    "last_left_out",
    "left_out",
    "read_calendar",
    "read_date",
]
