"""Ends the process at an instant, even if something holds the interpreter and no Python code can run."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from functools import cache
from typing import Any, TextIO

logger = logging.getLogger(__name__)

TOLERANCE = 0.9
"""Seconds by which the watchdog may be off for an execution that has just begun."""


class Watchdog:
    """The watchdog of one process; ``faulthandler``'s, which waits in a thread written in C.

    At its instant it writes the stacks of all threads to stderr and ends the process.

    To set it takes about a tenth of the time of a short execution. So it stays set from one execution to the next, and
    the heartbeat sets it to the second, or stops it if nothing runs.

    A process has one of them: if a function calls ``faulthandler.dump_traceback_later`` itself, its own counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due_at: float | None = None
        self._is_usable = True

    def set(self, due_at: float | None, *, tolerance: float = 0.0) -> None:
        """End this process at *due_at*, instead of whatever was set before.

        Args:
            due_at: Monotonic seconds; None: never.
            tolerance: Leave what was set before as it is if it is off by no more seconds than that.
        """
        with self._lock:
            if self._is_usable and not self._is_near(due_at, tolerance):
                self._due_at = due_at
                if due_at is None:
                    faulthandler.cancel_dump_traceback_later()
                else:
                    self._start(max(due_at - time.monotonic(), 0.001))

    def _is_near(self, due_at: float | None, tolerance: float) -> bool:
        if due_at is None or self._due_at is None:
            return due_at is self._due_at
        return abs(due_at - self._due_at) <= tolerance

    def _start(self, seconds: float) -> None:
        try:
            faulthandler.dump_traceback_later(seconds, exit=True, file=_stderr())
        except RuntimeError as exc:  # the system gives us no thread
            logger.warning("No watchdog: the scheduler alone notices if a function does not end: %s", exc)

    def after_fork(self) -> None:
        """Leave the watchdog alone in a child: its thread is not there, and Python would wait for it for ever."""
        self._lock = threading.Lock()
        self._is_usable = self._is_usable and self._due_at is None


def _stderr() -> Any:
    stream: TextIO | None = sys.__stderr__
    try:
        return stream if stream is not None and stream.fileno() >= 0 else _nowhere()
    except (ValueError, OSError):  # it has no file descriptor
        return _nowhere()


@cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)
