"""Which tasks name a calendar, and how many of their runs of a year it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import Calendar, ScheduledTask
from django_scheduled_tasks.planner import excluded_ahead
from django_scheduled_tasks.schedules.calendars import WithCalendars
from django_scheduled_tasks.services.tasks.calendars.edit import users_of
from django_scheduled_tasks.services.visibility import visible
from django_scheduled_tasks.users import User

MOST_COUNTED = 2_000
"""Runs of a year; of tasks that are due more often it is not counted how many are excluded."""
MOST_TASKS = 100
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Use:
    """A task that names the calendar."""

    task: ScheduledTask
    runs: int | None
    """How many runs its schedule has in the year without calendars; None: it cannot be read."""
    excluded: int | None
    """How many of them its calendars exclude; None: they were not counted."""
    left_out: int | None
    """How many of these do not run at another instant."""


def uses(calendar: Calendar, year: int, *, user: User | None) -> tuple[list[Use], int]:
    """Return the first tasks that name *calendar* and that *user* may see, with *year*; and how many name it."""
    rows = visible(user, users_of(calendar.name)) if user is not None else users_of(calendar.name)
    return [_use(task, year) for task in rows.order_by("name_key")[:MOST_TASKS]], rows.count()


def _use(task: ScheduledTask, year: int) -> Use:
    first, last = datetime(year, 1, 1, tzinfo=UTC) - _SECOND, datetime(year + 1, 1, 1, tzinfo=UTC) - _SECOND
    try:
        policy = task.policy
    except InvalidSchedule:
        return Use(task, None, None, None)
    schedule = policy.schedule
    if not isinstance(schedule, WithCalendars):
        return Use(task, 0, 0, 0)
    runs = schedule.schedule.count(first, last)
    if runs > MOST_COUNTED:
        return Use(task, runs, None, None)
    found = excluded_ahead(policy, after=first, until=last, most=MOST_COUNTED)
    return Use(task, runs, len(found), sum(one.moved_to is None for one in found))


def years_around(now: datetime) -> Sequence[int]:
    """Return the years that are offered first."""
    today: date = now.date()
    return (today.year, today.year + 1)
