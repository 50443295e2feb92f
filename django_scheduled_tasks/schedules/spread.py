"""Spreading tasks that are due at the same instant over a window, each always by the same offset.

Source:
    Trigger.dev's windows.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta


def spread_offset(task_id: object, window: timedelta) -> timedelta:
    """Return a stable offset for a task: whole seconds, at least 0 and less than *window*.

    Args:
        task_id: What tells tasks apart; its text counts.
        window: Over which tasks are spread; less than a second means no offset.
    """
    seconds = int(window.total_seconds())
    if seconds < 1:
        return timedelta(0)
    digest = hashlib.blake2b(str(task_id).encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest, "big") % seconds)


def spread_from(scheduled_for: datetime, following: datetime | None, *, task_id: object, window: timedelta) -> datetime:
    """Return when the occurrence of *scheduled_for* may start: always before the *following* one is due.

    Where occurrences are closer together than the window, the window is what lies between them; so tasks stay spread,
    which cutting all late offsets down to the same instant would undo.
    """
    room = window if following is None else min(window, following - scheduled_for)
    return scheduled_for + spread_offset(task_id, room)
