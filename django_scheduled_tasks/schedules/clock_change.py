"""What a change of a zone's clock makes of a time that somebody asks about."""

from __future__ import annotations

from datetime import datetime, timedelta

from django_scheduled_tasks.schedules.base import SECOND, Schedule, parse_timezone
from django_scheduled_tasks.schedules.wall import Transition, to_instant, transitions_between

_TWO_DAYS = timedelta(days=2)


def meant(wall: datetime, timezone: str) -> tuple[datetime, Transition | None]:
    """Return the instant that *wall* means in *timezone*, and the change of the clock that skipped it, if one did.

    A time that is shown twice means the first time; one that is skipped means the first instant after the gap.
    """
    zone = parse_timezone(timezone)
    at = to_instant(wall, zone)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at, None
    changes = transitions_between(zone, at - SECOND, at)
    return at, next((change for change in changes if change.is_gap), None)


def first_pass(schedule: Schedule, at: datetime, timezone: str) -> datetime | None:
    """Return when *schedule* is due the first time that the clock of *timezone* shows what it shows at *at*.

    None if *at* is not the second time, or *schedule* is not due the first time.
    """
    zone = parse_timezone(timezone)
    first = to_instant(at.astimezone(zone).replace(tzinfo=None), zone)
    if not timedelta(0) < at - first < _TWO_DAYS:
        return None
    return first if schedule.next_after(first - SECOND) == first else None
