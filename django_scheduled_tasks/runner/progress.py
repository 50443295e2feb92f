"""The progress that a function reports."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.running.redaction import storable

WRITE_INTERVAL = 0.5
"""Seconds between two writes of progress."""
_MESSAGE_MAX_LENGTH = Execution._meta.get_field("progress_message").max_length


@dataclass
class Progress:
    """The last progress of one attempt; the function reports it, the heartbeat writes it."""

    last: dict[str, Any] = field(default_factory=dict)
    """Columns and values; empty if nothing was reported."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_written: bool = True
    _written_at: float = float("-inf")

    def report(self, current: int | None, total: int | None, message: str) -> None:
        """Remember the progress, in a form that each database can store."""
        message = message[:_MESSAGE_MAX_LENGTH]
        message = storable(message, len(message) * 4)  # in bytes: no character has more than 4
        with self._lock:
            self.last = {"current": _countable(current), "total": _countable(total), "message": message}
            self._is_written = False

    def take_due(self) -> dict[str, Any] | None:
        """Return what is to be written now, and count it as written; None if nothing is new or it is too early."""
        moment = time.monotonic()
        with self._lock:
            if self._is_written or moment - self._written_at < WRITE_INTERVAL:
                return None
            self._is_written, self._written_at = True, moment
            return self.last


def _countable(value: Any) -> int | None:
    """Return *value* as a number that the column can hold; None if it is none."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 2**63 else None
