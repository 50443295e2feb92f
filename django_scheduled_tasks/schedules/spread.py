"""Spreading tasks that are due together over a window, each always at the same offset."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from uuid import UUID


def spread_offset(task_id: UUID, window: timedelta) -> timedelta:
    """Return how long after its nominal instants a task starts: the same at each of them, less than *window*.

    Args:
        task_id: Which task.
        window: Longer than zero.
    Returns:
        Whole milliseconds.
    """
    milliseconds = max(window // timedelta(milliseconds=1), 1)
    # Not hash(): that differs from process to process.
    number = int.from_bytes(hashlib.blake2b(task_id.bytes, digest_size=8).digest())
    return timedelta(milliseconds=number % milliseconds)


def spread_start(
    task_id: UUID, window: timedelta | None, scheduled_for: datetime, following: datetime | None
) -> datetime | None:
    """Return the effective start of an occurrence, or None if that is the nominal instant.

    Args:
        task_id: Which task.
        window: How wide; None or zero: no spread.
        scheduled_for: The nominal instant.
        following: The next nominal instant; the start is never later than it.
    """
    if not window:
        return None
    start = scheduled_for + spread_offset(task_id, window)
    return min(start, following) if following is not None else start
