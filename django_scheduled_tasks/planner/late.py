"""Collects the occurrences that are due: the newest one by one, and the number of those before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.planner.model import MOST_CAUGHT_UP, MOST_MISSED_ROWS, TaskPolicy
from django_scheduled_tasks.schedules import first_from

KEPT = MOST_CAUGHT_UP + MOST_MISSED_ROWS
"""How many of the newest are looked at one by one: as many as may be started, and as may be missed singly."""
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Due:
    """The occurrences that are due."""

    newest: tuple[datetime, ...]
    """In order; at most :data:`KEPT`."""
    earlier: int
    """How many were due before those."""
    last_earlier: datetime | None
    """The last of them."""
    following: datetime | None
    """The first that is not due yet, if there is one before the schedule's end."""


def following(policy: TaskPolicy, instant: datetime) -> datetime | None:
    """Return the first occurrence after *instant* that lies between the task's start, inclusive, and end, exclusive."""
    if policy.starts_at is not None and instant < policy.starts_at:
        return before_end(policy, first_from(policy.schedule, policy.starts_at))
    return before_end(policy, policy.schedule.next_after(instant))


def first_not_skipped(policy: TaskPolicy, instant: datetime | None) -> datetime | None:
    """Return *instant*, an occurrence, or the first after it that nobody has asked to be left out."""
    while instant is not None and (skip := policy.skip_at(instant)) is not None:
        instant = following(policy, skip.end)
    return instant


def before_end(policy: TaskPolicy, instant: datetime | None) -> datetime | None:
    """Return *instant* if it is earlier than the task's end, else None."""
    return None if instant is None or (policy.ends_at is not None and instant >= policy.ends_at) else instant


def collect(policy: TaskPolicy, first: datetime, now: datetime) -> Due:
    """Return what is due from *first*, inclusive, to *now*, inclusive.

    It goes forward from *first*, which usually takes one step. If there are too many it goes back from the present
    instead, and counts the earlier ones without visiting them: a task that is due each second has 31 million
    occurrences in a year of downtime, and planning it must not delay other tasks.

    Args:
        policy: The task's.
        first: Itself an occurrence, not later than *now*, and before the schedule's end.
        now: The present instant.
    """
    newest = [first]
    instant = policy.schedule.next_after(first)
    while (instant := before_end(policy, instant)) is not None and instant <= now:
        if len(newest) == KEPT:
            return _collect_backwards(policy, first, now)
        newest.append(instant)
        instant = policy.schedule.next_after(instant)
    return Due(tuple(newest), 0, None, instant)


def _collect_backwards(policy: TaskPolicy, first: datetime, now: datetime) -> Due:
    """Return what is due where more than :data:`KEPT` are."""
    schedule = policy.schedule
    instant = schedule.previous_before(now + INSTANT if policy.ends_at is None else min(now + INSTANT, policy.ends_at))
    newest: list[datetime] = []
    while instant is not None and instant > first and len(newest) < KEPT:
        newest.append(instant)
        instant = schedule.previous_before(instant)
    last_earlier = first if instant is None else max(first, instant)
    # The first counts whatever the schedule says today: it was due when it was planned.
    return Due(tuple(reversed(newest)), 1 + schedule.count(first, last_earlier), last_earlier, following(policy, now))
