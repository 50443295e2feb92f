"""Offsets that spread tasks due at the same instant over a window; a task always has the same offset.

Source:
    Trigger.dev's windows.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta


def spread_offset(task_id: object, window: timedelta) -> timedelta:
    """Return a stable offset for a task: whole seconds, at least 0 and less than *window*.

    Args:
        task_id: Identifies the task; its text is hashed.
        window: How far tasks are spread; less than a second means no offset.
    """
    seconds = int(window.total_seconds())
    if seconds < 1:
        return timedelta(0)
    digest = hashlib.blake2b(str(task_id).encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest, "big") % seconds)


def spread_from(scheduled_for: datetime, following: datetime | None, *, task_id: object, window: timedelta) -> datetime:
    """Return when the occurrence of *scheduled_for* may start: always before the *following* one is due.

    Where occurrences are closer together than the window, the time between them is the window. Cutting off all late
    offsets instead would put those tasks at the same instant again.
    """
    room = window if following is None else min(window, following - scheduled_for)
    return scheduled_for + spread_offset(task_id, room)
