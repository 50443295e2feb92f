"""When a task is due. Pure: the caller passes instants in; nothing here reads a clock, a database or settings.

:func:`cron`, :func:`every`, :func:`workday` and :func:`at` are what users write; :func:`parse_schedule` reads what is
stored.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django_scheduled_tasks.schedules.base import (
    Schedule,
    floor_second,
    in_utc,
    parse_schedule,
    parse_timezone,
    register_schedule_kind,
    schedule_kinds,
    timezone_names,
)
from django_scheduled_tasks.schedules.description.describe import describe
from django_scheduled_tasks.schedules.description.warnings import warnings_for
from django_scheduled_tasks.schedules.durations import format_duration, parse_duration
from django_scheduled_tasks.schedules.kinds.cron import Cron, cron
from django_scheduled_tasks.schedules.kinds.dates import Dates, at
from django_scheduled_tasks.schedules.kinds.interval import Interval, every
from django_scheduled_tasks.schedules.kinds.manual import Manual
from django_scheduled_tasks.schedules.kinds.weeks import Weeks
from django_scheduled_tasks.schedules.kinds.workday import Workday, workday
from django_scheduled_tasks.schedules.spread import spread_from, spread_offset

__all__ = [
    "Cron",
    "Dates",
    "Interval",
    "Manual",
    "Schedule",
    "Weeks",
    "Workday",
    "at",
    "cron",
    "describe",
    "every",
    "first_from",
    "floor_second",
    "format_duration",
    "in_utc",
    "parse_duration",
    "parse_schedule",
    "parse_timezone",
    "register_schedule_kind",
    "schedule_kinds",
    "spread_from",
    "spread_offset",
    "timezone_names",
    "upcoming",
    "warnings_for",
    "workday",
]


def first_from(schedule: Schedule, moment: datetime) -> datetime | None:
    """Return the first due instant that is not earlier than *moment* without its fraction of a second."""
    return schedule.next_after(floor_second(moment) - timedelta(seconds=1))


def upcoming(
    schedule: Schedule,
    *,
    after: datetime,
    count: int,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> list[datetime]:
    """Return the next due instants.

    Args:
        schedule: Which.
        after: Aware; they are strictly later.
        count: How many at most.
        starts_at: Aware; they are not earlier.
        ends_at: Aware; they are earlier.
    Raises:
        ValueError: One of the instants is naive.
    """
    found: list[datetime] = []
    following = schedule.next_after(after)
    if starts_at is not None and starts_at > after:
        following = first_from(schedule, starts_at)
    while following is not None and len(found) < count and (ends_at is None or following < ends_at):
        found.append(following)
        following = schedule.next_after(following)
    return found
