"""What a schedule will do: the next instants of a task, and a preview of one that is not stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django_scheduled_tasks import schedules
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Hold, ScheduledTask, read_now
from django_scheduled_tasks.planner import Coming, Window, excluded_ahead, forecast
from django_scheduled_tasks.schedules import Schedule
from django_scheduled_tasks.schedules.calendars import Excluded
from django_scheduled_tasks.services.queries.holds import concerns, lasting, over_at

MOST_EXCLUDED = 20
"""So many excluded occurrences are shown."""
_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule says."""

    schedule: Schedule
    timezone: str
    description: str
    warnings: list[str]
    upcoming: list[Coming]
    excluded: list[Excluded]
    """What calendars leave out or move among these, by their nominal instants."""


def occurrences_ahead(
    task: ScheduledTask, *, count: int, now: datetime, holds: Iterable[Hold] | None = None
) -> list[Coming]:
    """Return the next occurrences of *task* as its schedule, its pause and its ends say; none while it stands still.

    Args:
        task: Which; it need not be stored.
        count: How many at most.
        now: Aware; the present instant.
        holds: What holds tasks now; None: it is read, in one statement.
    Raises:
        InvalidSchedule: What is stored is not valid (any more).
    """
    windows = windows_of(task, lasting() if holds is None else holds)
    return list(islice(forecast(task.policy, now=now, run_count=task.run_count, holds=windows), count))


def excluded_among(task: ScheduledTask, ahead: Sequence[Coming], *, now: datetime) -> list[Excluded]:
    """Return what calendars leave out or move from *now* to the last of *ahead*; :data:`MOST_EXCLUDED` at most.

    If nothing is ahead: what they do in the year to come.
    """
    if not task.calendars:
        return []
    until = ahead[-1].scheduled_for if ahead else now + _YEAR
    return excluded_ahead(task.policy, after=now, until=until, most=MOST_EXCLUDED)


def windows_of(task: ScheduledTask, holds: Iterable[Hold]) -> list[Window]:
    """Return from when until when *holds* are for *task*, as the planner takes it."""
    return [(hold.starts_at, over_at(hold)) for hold in holds if concerns(hold, task)]


def preview(
    kind: str,
    expression: str,
    *,
    timezone: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    max_runs: int | None = None,
    spread: timedelta | None = None,
    calendars: Sequence[str] = (),
    on_excluded: str = "skip",
    count: int = 5,
) -> Preview:
    """Return what a task with this schedule would do if it were stored now. Two statements: the instant, and holds.

    Args:
        kind: Of the schedule.
        expression: As somebody types it.
        timezone: IANA name; empty: the project's.
        starts_at: Aware; inclusive.
        ends_at: Aware; exclusive.
        max_runs: After so many it is done.
        spread: Its window; the offset in it is that of a new task, which is another one for each.
        calendars: Names of calendars.
        on_excluded: What becomes of what they exclude.
        count: How many occurrences at most.
    Raises:
        InvalidSchedule: It is not valid, or would never be due.
    """
    now = read_now()
    zone = timezone or get_settings().time_zone
    task = ScheduledTask(
        schedule_kind=kind,
        expression=expression,
        timezone=zone,
        starts_at=starts_at,
        ends_at=ends_at,
        max_runs=max_runs,
        spread=spread,
        on_excluded=on_excluded,
        created_at=now.replace(microsecond=0),
    )
    task.calendars = list(calendars)
    ahead: Sequence[Coming] = occurrences_ahead(task, count=count, now=now)
    schedule = task.schedule
    return Preview(
        schedule=schedule,
        timezone=zone,
        description=schedules.describe(schedule),
        warnings=schedules.warnings_for(schedule, now=now),
        upcoming=list(ahead),
        excluded=excluded_among(task, ahead, now=now),
    )
