"""Counts the occurrences that were due while a task stood still, so that one row accounts for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django_scheduled_tasks.planner.late import INSTANT
from django_scheduled_tasks.planner.model import TaskPolicy


@dataclass(frozen=True, slots=True)
class Stretch:
    """The occurrences of an unbroken stretch."""

    last: datetime
    """The nominal instant of the last one."""
    count: int


def occurrences_between(policy: TaskPolicy, *, after: datetime, until: datetime, run_count: int = 0) -> Stretch | None:
    """Return the occurrences later than *after* and not later than *until*, counted without visiting them.

    Args:
        policy: The task's; whether it is enabled or paused has no say.
        after: Aware; exclusive.
        until: Aware; inclusive.
        run_count: How many occurrences have started an execution: a task that is done has no more.
    Returns:
        None if there is none.
    """
    if policy.max_runs is not None and run_count >= policy.max_runs:
        return None
    low = after if policy.starts_at is None else max(after, policy.starts_at - INSTANT)
    high = until if policy.ends_at is None else min(until, policy.ends_at - INSTANT)
    last = policy.schedule.previous_before(high + INSTANT) if high > low else None
    if last is None or last <= low:
        return None
    return Stretch(last, max(policy.schedule.count(low, last), 1))
