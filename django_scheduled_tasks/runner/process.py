"""What this process is and what runs in it, in one object: :data:`process`."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TextIO

from django_scheduled_tasks.logs import tell_with
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.capture.buffer import Capture
from django_scheduled_tasks.runner.capture.hooks import OutputHooks
from django_scheduled_tasks.services.running import logs

logger = logging.getLogger(__name__)

GO_ON_FOR = 0.05
"""A worker whose message took no longer than this, in seconds, takes a few more from the broker by itself."""
BEGIN_WITHIN = 0.5
"""Seconds after the arrival of a message in which its executions may begin; later ones go to other workers. The engine
has one time limit for the whole message, so each execution has nearly all of it."""
TOLERANCE = 0.9
"""Seconds by which the watchdog may be early or late for an execution that has just begun."""
TakeWaiting = Callable[[int | None], Sequence[str]]
"""Takes tracking ids that wait in the engine's broker, given the engine's time limit for a message in seconds."""


class Batch:
    """The executions of one message, which run one after the other.

    Args:
        tracking_ids: In their order.
    """

    def __init__(self, tracking_ids: Sequence[str]) -> None:
        self.waiting = deque(tracking_ids)
        """Those that have not begun."""
        self.is_handed_back = False
        """Whether those that wait have been left to other workers."""
        self._began = time.monotonic()

    @property
    def was_quick(self) -> bool:
        """Whether it took so little time that this worker may take more messages."""
        return time.monotonic() - self._began < GO_ON_FOR

    @property
    def takes_long(self) -> bool:
        """Whether it has taken so much time that what waits should not begin here."""
        return time.monotonic() - self._began > BEGIN_WITHIN


class Watchdog:
    """Ends the process at an instant, even while a function in C keeps Python code from running.

    It is that of ``faulthandler``: a thread in C, which writes the stacks of all threads to stderr first. Python has
    one for a process; a function that calls ``faulthandler.dump_traceback_later`` itself replaces it.

    To start that thread takes about a tenth of the time of a short execution. So the watchdog stays set from one
    execution to the next as long as it is nearly right; the heartbeat makes it exact, and stops it when nothing runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due_at: float | None = None
        self._is_usable = True

    def set(self, due_at: float | None, *, tolerance: float = 0.0) -> None:
        """End this process at *due_at*, instead of whatever was set before.

        Args:
            due_at: Monotonic seconds; None: never.
            tolerance: Keep what was set before if it differs by no more seconds than that.
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
        except RuntimeError as exc:  # no thread could be started
            logger.warning(
                "No watchdog; if a function does not end, only the scheduler notices: %s",
                exc,
                extra={"event": "no_watchdog"},
            )

    def after_fork(self) -> None:
        """Leave it alone in a child if it was set in the parent: Python would wait for ever for its thread."""
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


class Process:
    """What this process is and what runs in it.

    1. At first it is any process, a web server for example. With an engine that runs executions in the caller,
       functions run in it, and write their progress themselves.
    2. :meth:`become_worker` makes it a worker: its heartbeat writes progress and log lines for the functions.
    3. :meth:`working_off` and :meth:`running` add what runs, and remove it when it has ended.
    4. A forked child begins with 1 again. What ran at the fork runs in the parent; the child records nothing of it.
    """

    def __init__(self) -> None:
        self.heartbeat: threading.Thread | None = None
        """The thread that renews leases; in a worker only."""
        self.take_waiting: TakeWaiting | None = None
        """Takes further messages, if the engine can."""
        self.attempts: tuple[RunningAttempt, ...] = ()
        """The attempts that run here."""
        self.batches: tuple[Batch, ...] = ()
        """The messages whose executions run here."""
        self.hooks = OutputHooks(self._log_of_caller)
        self.watchdog = Watchdog()
        self._lock = threading.Lock()
        self._current: ContextVar[RunningAttempt | None] = ContextVar("django_scheduled_tasks_attempt", default=None)

    @property
    def is_worker(self) -> bool:
        """Whether this is a worker process with a heartbeat."""
        return self.heartbeat is not None and self.heartbeat.is_alive()

    def become_worker(self, heartbeat: threading.Thread, take_waiting: TakeWaiting | None) -> None:
        """Start *heartbeat*; this process counts as a worker from now on."""
        self.heartbeat, self.take_waiting = heartbeat, take_waiting
        heartbeat.start()

    @contextmanager
    def working_off(self, tracking_ids: Sequence[str]) -> Iterator[Batch]:
        """Keep a message in :attr:`batches` within the block."""
        batch = Batch(tracking_ids)
        with self._lock:
            self.batches += (batch,)
        try:
            yield batch
        finally:
            with self._lock:
                self.batches = tuple(one for one in self.batches if one is not batch)

    @contextmanager
    def running(self, attempt: RunningAttempt) -> Iterator[None]:
        """Make *attempt* the current one within the block, and capture what it logs and prints."""
        if attempt.execution.attempt > 1 and attempt.log.keeps_anything:  # earlier attempts may have used up a part
            attempt.log.used = logs.used(attempt.execution)
        token = self._current.set(attempt)
        with self._lock:
            self.attempts += (attempt,)
        if attempt.log.keeps_anything:
            self.hooks.enter(attempt.log)
        try:
            yield
        finally:
            self._current.reset(token)
            if not attempt.is_inherited:
                self._leave(attempt)

    def _leave(self, attempt: RunningAttempt) -> None:
        attempt.is_over = True
        with self._lock:
            self.attempts = tuple(one for one in self.attempts if one is not attempt)
        if attempt.log.keeps_anything:
            self.hooks.leave(attempt.log, stay=self.is_worker)
        attempt.log.close()

    def current(self) -> RunningAttempt | None:
        """Return the attempt to which the calling code belongs; None outside of an execution."""
        attempt = self._current.get()
        if attempt is not None:
            return None if attempt.is_over else attempt
        # A thread that a function starts does not inherit the context variable.
        attempts = self.attempts
        if len(attempts) == 1 and attempts[0].thread.has_started(threading.current_thread()):
            return attempts[0]
        return None

    def log_fields(self) -> dict[str, Any]:
        """Return what the records of the calling code have of its execution; nothing outside of one."""
        attempt = self.current()
        return {} if attempt is None else attempt.execution.log_fields

    def _log_of_caller(self) -> Capture | None:
        attempt = self.current()
        if attempt is None or attempt.is_inherited or not attempt.log.keeps_anything:
            return None
        return attempt.log

    def after_fork(self) -> None:
        """Begin anew in a child process, without the threads of the parent, of which one may have held a lock."""
        for attempt in self.attempts:
            attempt.is_inherited = True
        self.heartbeat = self.take_waiting = None
        self.attempts, self.batches = (), ()
        self._lock = threading.Lock()
        self.hooks.after_fork()
        self.watchdog.after_fork()


process = Process()
"""This process."""
tell_with(process.log_fields, process.hooks.is_wanted)
os.register_at_fork(after_in_child=process.after_fork)
