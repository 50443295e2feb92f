"""Schedules as pure values: cron, interval, dates, manual. No model, no database, no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.base import Schedule, register_schedule_kind, schedule_kinds
from django_scheduled_tasks.schedules.cron import Cron, cron
from django_scheduled_tasks.schedules.dates import Dates, at
from django_scheduled_tasks.schedules.describe import describe
from django_scheduled_tasks.schedules.durations import format_duration, parse_duration
from django_scheduled_tasks.schedules.interval import Interval, every
from django_scheduled_tasks.schedules.manual import Manual
from django_scheduled_tasks.schedules.spread import spread_offset, spread_start
from django_scheduled_tasks.schedules.warnings import warnings_for
from django_scheduled_tasks.schedules.zones import load_zone

__all__ = [
    "Cron",
    "Dates",
    "Interval",
    "Manual",
    "Schedule",
    "at",
    "cron",
    "describe",
    "every",
    "format_duration",
    "load_zone",
    "parse_duration",
    "parse_schedule",
    "register_schedule_kind",
    "schedule_kinds",
    "spread_offset",
    "spread_start",
    "upcoming",
    "warnings_for",
]


_JUST_BEFORE = timedelta(microseconds=1)


def parse_schedule(kind: str, expression: str, *, timezone: str = "UTC", anchor: datetime | None = None) -> Schedule:
    """Return the schedule that is stored as these texts.

    Args:
        kind: ``cron``, ``interval``, ``dates``, ``manual``, or one that an app has registered.
        expression: The text form.
        timezone: An IANA name.
        anchor: Aware; where intervals count from.
    Raises:
        InvalidSchedule: With the field, the value and the range that is allowed. Nothing else.
    """
    known = schedule_kinds()
    if kind not in known:
        raise InvalidSchedule(
            _("There is no kind of schedule called %(value)s; there are %(known)s.")
            % {"value": kind[:40], "known": ", ".join(sorted(known))},
            field="schedule_kind",
            value=kind[:40],
        )
    return known[kind].parse(expression, timezone=load_zone(timezone), anchor=anchor)


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
        schedule: Of what.
        after: Aware; only later ones.
        count: How many at most.
        starts_at: Inclusive; earlier ones do not count.
        ends_at: Exclusive; this and later ones do not count.
    Returns:
        Aware, in UTC, in order.
    """
    found: list[datetime] = []
    moment = after
    while len(found) < count:
        following = schedule.next_after(moment)
        if following is None or (ends_at is not None and following >= ends_at):
            break
        if starts_at is None or following >= starts_at:
            found.append(following)
            moment = following
        else:  # not one by one: there may be millions before the start
            moment = max(following, starts_at - _JUST_BEFORE)
    return found
