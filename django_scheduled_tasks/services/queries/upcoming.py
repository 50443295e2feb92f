"""What a schedule will do: the next instants of a task, and a preview of one that is not stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django_scheduled_tasks import schedules
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.planner import first_not_skipped, first_run_at, following
from django_scheduled_tasks.schedules import Schedule, spread_from


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One due instant."""

    scheduled_for: datetime
    """The nominal instant."""
    not_before: datetime | None = None
    """When it starts, where the task is spread."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule says."""

    schedule: Schedule
    timezone: str
    description: str
    warnings: list[str]
    upcoming: list[Occurrence]


def occurrences_ahead(task: ScheduledTask, *, count: int, now: datetime) -> list[Occurrence]:
    """Return what starts of *task* next, as its schedule, its pause, its ends and what is to be skipped say.

    None while it stands still.

    Args:
        task: Which.
        count: How many at most.
        now: Aware; the present instant.
    Raises:
        InvalidSchedule: What is stored is not valid (any more).
    """
    policy = task.policy
    first = first_run_at(policy, now=now, run_count=task.run_count)
    if first is None:
        return []
    if task.max_runs is not None:
        count = min(count, task.max_runs - task.run_count)
    found: list[Occurrence] = []
    instant = first_not_skipped(policy, first)
    while instant is not None and len(found) < count:
        after = following(policy, instant)
        # The spread ends where the next occurrence is due, whether that starts or not.
        spread = spread_from(instant, after, task_id=task.pk, window=task.spread) if task.spread else None
        found.append(Occurrence(instant, spread))
        instant = first_not_skipped(policy, after)
    return found


def preview(
    kind: str,
    expression: str,
    *,
    timezone: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    count: int = 5,
) -> Preview:
    """Return what a schedule would do if it were stored now. One statement, for the present instant.

    Raises:
        InvalidSchedule: It is not valid, or would never be due.
    """
    now = read_now()
    zone = timezone or get_settings().time_zone
    anchor = starts_at or now.replace(microsecond=0)
    schedule = schedules.parse_schedule(kind, expression, timezone=zone, anchor=anchor)
    ahead: Sequence[datetime] = schedules.upcoming(
        schedule, after=now, count=count, starts_at=starts_at, ends_at=ends_at
    )
    return Preview(
        schedule=schedule,
        timezone=zone,
        description=schedules.describe(schedule),
        warnings=schedules.warnings_for(schedule, now=now),
        upcoming=[Occurrence(instant) for instant in ahead],
    )
