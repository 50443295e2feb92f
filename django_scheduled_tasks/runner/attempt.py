"""One attempt while it runs in this process, as its function's thread and the heartbeat share it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django_scheduled_tasks.exceptions import TaskCancelled, TaskTimedOut
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.capture.buffer import Capture
from django_scheduled_tasks.runner.progress import Progress
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.running import lease
from django_scheduled_tasks.services.running.redaction import Masker
from django_scheduled_tasks.services.secrets import secret_texts

SIGNALS_INTERVAL = 1.0
"""Seconds between two queries whether someone asked for the execution to stop; a shorter run costs no query."""
YIELD_WITHIN = 3.0
"""Seconds in which a function has to end after the exception that ends it was raised."""


class Clock:
    """The database's clock without a query: its instant when the row was read, and the time that has passed since.

    Args:
        loaded_at: The database's instant at which the row was read.
    """

    def __init__(self, loaded_at: datetime) -> None:
        self._loaded_at = loaded_at
        self.started_at = self.renewed_at = self.signals_read_at = time.monotonic()
        """When the attempt began, its lease was last renewed, and its signals were last read; in monotonic seconds, as
        all instants of this module that are no ``datetime``."""

    def now(self) -> datetime:
        """Return the database's present instant."""
        return self._loaded_at + timedelta(seconds=self.elapsed)

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return time.monotonic() - self.started_at


@dataclass
class StopSignals:
    """Why and when the function has to end. Any thread may set one of them; none is ever taken back."""

    cancel_requested: bool = False
    """Someone asked for the execution to stop."""
    lost: bool = False
    """This attempt no longer owns the execution: its lease was over."""
    limit_at: float | None = None
    """When its time limit is over."""
    force_at: float | None = None
    """When it is stopped by force."""
    yield_within: float = YIELD_WITHIN
    """Seconds that it has to end after that; then its process is ended."""
    kill_at: float | None = None
    """When the watchdog ends its process, if nothing else has."""

    @property
    def should_stop(self) -> bool:
        """Whether the function should not go on."""
        return self.cancel_requested or self.lost

    @property
    def is_late(self) -> bool:
        """Whether its time limit is over."""
        return self.limit_at is not None and time.monotonic() >= self.limit_at

    def stop_at(self) -> float | None:
        """Return since when the function should have ended; None if it may go on."""
        moment = time.monotonic()
        return min((at for at in (self.limit_at, self.force_at) if at is not None and at <= moment), default=None)


class FunctionThread:
    """The thread in which the function runs.

    Args:
        thread: Which; None: the present one.
    """

    def __init__(self, thread: threading.Thread | None = None) -> None:
        self.thread = thread or threading.current_thread()
        self.has_ended = False
        """Whether the function has ended; the thread goes on with something else."""
        self.was_interrupted = False
        """Whether another thread has raised in it what ends the function."""
        self.interrupting = threading.Lock()
        """Held while it is interrupted; the thread waits for that before it goes on with something else."""
        self.coroutine: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        """The event loop and the asyncio task of an async function."""
        # Threads that were there before are not this function's: in a worker, an earlier one may have left them behind.
        self._others = set(threading.enumerate()) - {self.thread}

    @property
    def is_main(self) -> bool:
        """Whether it is the main thread of the process."""
        return self.thread is threading.main_thread()

    @property
    def identity(self) -> int:
        """Its number, for Python and the operating system."""
        return self.thread.ident or 0

    def has_started(self, thread: threading.Thread) -> bool:
        """Whether *thread*, which has no execution of its own, was started by this function."""
        return thread not in self._others

    def cancel_coroutine(self) -> None:
        """Cancel the async function, if it is one, at its next await."""
        if self.coroutine is not None:
            loop, task = self.coroutine
            with suppress(RuntimeError):  # it has just ended, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)


class RunningAttempt:
    """One attempt while it runs in this process.

    Args:
        execution: As claimed, its task with it.
        loaded_at: The database's instant at which the row was read.
    """

    def __init__(self, execution: Execution, *, loaded_at: datetime) -> None:
        self.execution = execution
        self.clock = Clock(loaded_at)
        self.stop = StopSignals()
        self.thread = FunctionThread()
        self.progress = Progress()
        self.log = Capture(execution, level=_level_of(execution), now=self.clock.now, masker=lambda: self.masker)
        self.has_overrun = False
        """Whether the alert for its ``max_runtime`` has been given."""
        self.has_called = False
        """Whether the function was called; before that nothing of it has run."""
        self.is_over = False
        """Whether the function has ended; threads and contexts that it left behind no longer belong to the attempt."""
        self.is_inherited = False
        """Whether this process is a child that the function has forked; only its parent records anything."""
        self.error: BaseException | None = None
        """What the function has raised."""
        self._end = threading.Lock()

    @cached_property
    def masker(self) -> Masker:
        """What masks the secrets of the parameters in a text."""
        return Masker(*secret_texts(self.execution))

    def write_progress(self) -> None:
        """Write the progress if it has changed, at most twice a second."""
        values = self.progress.take_due()
        if values is not None:
            self.stop.lost |= not lease.report_progress(self.execution, **values)

    def last_progress(self) -> dict[str, Any]:
        """Return the columns of the last progress; they are written with the end."""
        return {f"progress_{name}": value for name, value in self.progress.last.items()}

    def read_signals(self) -> None:
        """Read whether this attempt still owns the execution, and whether it is to stop; at most once a second."""
        moment = time.monotonic()
        if moment - self.clock.signals_read_at < SIGNALS_INTERVAL:
            return
        self.clock.signals_read_at = moment
        signals = lease.read_signals(self.execution)
        if not signals.is_owned:
            self.stop.lost = True
        elif signals.cancel is not None:
            self.stop.cancel_requested = True
            if signals.cancel.force_in is not None:
                self.stop.force_at = moment + signals.cancel.force_in.total_seconds()
        if self.stop.should_stop:
            self.thread.cancel_coroutine()

    def stop_if_asked(self) -> None:
        """Raise TaskCancelled if the function should not go on."""
        if self.stop.should_stop:
            raise self.cancelled()

    def cancelled(self) -> TaskCancelled:
        """Return the exception for a function that should not go on."""
        return TaskCancelled(messages.CANCELLED if self.stop.cancel_requested else messages.NOT_OWNED)

    def reason_to_end(self) -> TaskTimedOut | TaskCancelled:
        """Return the exception that ends the function now, and says why."""
        if self.stop.is_late and self.stop.limit_at is not None:
            limit = self.stop.limit_at - self.clock.started_at
            return TaskTimedOut(messages.TIMED_OUT % {"number": f"{limit:g}"})
        return self.cancelled()

    def claim_end(self) -> bool:
        """Claim the right to record how the attempt ended; True for the first caller only.

        The callers are the function's thread and the heartbeat. The one that gets False must not write.
        """
        return self._end.acquire(blocking=False)


def _level_of(execution: Execution) -> int | None:
    if not execution.keeps_log:
        return None
    level = logging.getLevelName(execution.task.log_level if execution.task else "INFO")
    return level if isinstance(level, int) else logging.INFO
