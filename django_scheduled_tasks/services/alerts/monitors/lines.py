"""Lines to monitors outside: for each host a thread that says one thing after the other, so that nobody else waits.

What waits is in memory: a process that is killed takes it along. One that ends by itself waits for it a moment. If
more waits than a line holds, since its host hangs, the newest is dropped, and that is logged.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize
from queue import Full, Queue

from django_scheduled_tasks.channels import NotDelivered

logger = logging.getLogger(__name__)

MOST_WAITING = 200
"""So much waits for a line."""
WAITS = (1.0, 4.0)
"""Seconds until the second and the third try of a ping; there is no fourth."""
AT_THE_END = 2.0
"""Seconds for which a process that ends waits for its lines."""
COMPLAIN_EVERY = 60.0
"""Seconds between two log lines about one line."""


class Line:
    """The line to one host.

    Args:
        name: For the log; no secret.
        waits: Seconds until each further try of what the host does not take; None: those of pings.
    """

    def __init__(self, name: str, waits: Sequence[float] | None = None) -> None:
        self._name, self._waits = name, WAITS if waits is None else waits
        self._queue: Queue[Callable[[], object]] = Queue(MOST_WAITING)
        self._is_ending = threading.Event()
        threading.Thread(target=self._work, name="scheduled-tasks-monitor", daemon=True).start()

    def say(self, act: Callable[[], object]) -> None:
        """Let *act* be called in the thread, or drop it if too much waits."""
        try:
            self._queue.put_nowait(act)
        except Full:
            complain(self._name, "too much waits")

    def end(self, until: float) -> None:
        """Wait until nothing waits, or until then; monotonic seconds."""
        self._is_ending.set()
        while self._queue.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.01)

    def _work(self) -> None:
        while True:
            act = self._queue.get()
            try:
                self._try(act)
            finally:
                self._queue.task_done()

    def _try(self, act: Callable[[], object]) -> None:
        for wait in (*self._waits, None):
            try:
                act()
            except NotDelivered as exc:
                said = str(exc)
            except Exception as exc:  # noqa: BLE001  (its text may have an address in it)
                said = type(exc).__name__
            else:
                return
            if wait is None or self._is_ending.wait(wait):
                complain(self._name, said)
                return


_lines: dict[str, Line] = {}
_complained_at: dict[str, float] = {}
_lock = threading.Lock()


def complain(name: str, said: str) -> None:
    """Log that the monitor called *name* was not told something, and why; once a minute at most."""
    if time.monotonic() - _complained_at.get(name, float("-inf")) >= COMPLAIN_EVERY:
        _complained_at[name] = time.monotonic()
        extra = {"event": "monitor_not_told"}
        logger.warning("The monitor %s is not told of everything: %s", name, said, extra=extra)


def line(host: str, name: str, waits: Sequence[float] | None = None) -> Line:
    """Return the line to *host*, which is opened if there is none yet in this process; arguments as :class:`Line`'s."""
    with _lock:
        if not _lines:
            # Workers are forked: for them there is no ``atexit``.
            Finalize(None, end, exitpriority=10)
        if host not in _lines:
            _lines[host] = Line(name, waits)
        return _lines[host]


def end() -> None:
    """Wait a moment for what is still to be said; for a process that ends."""
    until = time.monotonic() + AT_THE_END
    for one in list(_lines.values()):
        one.end(until)


def forget() -> None:
    """Open new lines from now on: after a fork there are no threads, and in tests."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _lines.clear()
    _complained_at.clear()


os.register_at_fork(after_in_child=forget)
