"""Collecting what is due: the newest ones one by one, and how many came before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.planner.model import MOST_CAUGHT_UP, MOST_MISSED_ROWS, TaskPolicy

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
    """Return the first occurrence after *instant* that lies between the task's start and end."""
    if policy.starts_at is not None and instant < policy.starts_at:
        instant = policy.starts_at - INSTANT
    found = policy.schedule.next_after(instant)
    return None if found is None or (policy.ends_at is not None and found >= policy.ends_at) else found


def collect(policy: TaskPolicy, first: datetime, now: datetime) -> Due:
    """Return what is due from *first*, inclusive, to *now*, inclusive.

    It walks back from now, and counts what is before that without walking: a task that is due each second has
    31 million occurrences in a year of downtime, and must not stop everybody else.

    Args:
        policy: The task's.
        first: Itself an occurrence, not later than *now*, and before the schedule's end.
        now: The present instant.
    """
    end = now + INSTANT if policy.ends_at is None else min(now + INSTANT, policy.ends_at)
    newest: list[datetime] = []
    instant = policy.schedule.previous_before(end)
    while instant is not None and instant > first and len(newest) < KEPT:
        newest.append(instant)
        instant = policy.schedule.previous_before(instant)
    if len(newest) < KEPT:
        newest.append(first)  # whatever the schedule says today: it was due when it was planned
        earlier, last_earlier = 0, None
    else:
        earlier, last_earlier = max(policy.schedule.count_between(first, newest[-1]), 1), instant or first
    return Due(tuple(reversed(newest)), earlier, last_earlier, following(policy, now))
