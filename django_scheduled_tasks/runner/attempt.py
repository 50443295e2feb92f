"""One attempt while it runs in this process; shared by its function's thread and the heartbeat."""

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
"""Seconds between two questions whether someone asked for the execution to stop; a shorter run costs no question."""
YIELD_WITHIN = 3.0
"""Seconds that a function gets to end after the exception that tells it to."""


class Clock:
    """The database's clock without asking it: what it said when the row was read, and what has elapsed since.

    Args:
        loaded_at: The database's instant at which the row was read.
    """

    def __init__(self, loaded_at: datetime) -> None:
        self._loaded_at = loaded_at
        self.started_at = self.renewed_at = self.signals_read_at = time.monotonic()
        """When the attempt began, when its lease was last renewed, and when its signals were last read: monotonic
        seconds, as everything in this module."""

    def now(self) -> datetime:
        """Return the database's present instant."""
        return self._loaded_at + timedelta(seconds=self.elapsed)

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return time.monotonic() - self.started_at


@dataclass
class StopSignals:
    """Why and when the function has to end. Each is set once, by one thread, and read by others."""

    cancel_requested: bool = False
    """Someone asked for the execution to stop."""
    lost: bool = False
    """Another attempt, or an end, has taken the execution from this one."""
    limit_at: float | None = None
    """When its time is up."""
    force_at: float | None = None
    """When it is stopped by force."""
    yield_within: float = YIELD_WITHIN
    """Seconds that it then gets to end; after them its process is ended."""
    kill_at: float | None = None
    """When the watchdog ends its process, if nothing else could."""

    @property
    def should_stop(self) -> bool:
        """Whether there is no use in going on."""
        return self.cancel_requested or self.lost

    @property
    def is_late(self) -> bool:
        """Whether its time is up."""
        return self.limit_at is not None and time.monotonic() >= self.limit_at

    def stop_at(self) -> float | None:
        """Return when the function has to end, one way or another; None if that is not yet."""
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
        """Whether the function has ended, so that the thread does other things."""
        self.was_interrupted = False
        """Whether another thread has raised in it what ends the function."""
        self.interrupting = threading.Lock()
        """Held while it is interrupted: the thread waits for that before it goes on to anything else."""
        self.coroutine: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        """Where an async function runs."""
        # Threads that were there before belong to somebody else: in a worker, to a function that ran before this one.
        self._others = set(threading.enumerate()) - {self.thread}

    @property
    def is_main(self) -> bool:
        """Whether it is the main thread of the process."""
        return self.thread is threading.main_thread()

    @property
    def identity(self) -> int:
        """What Python and the system call it."""
        return self.thread.ident or 0

    def has_started(self, thread: threading.Thread) -> bool:
        """Whether *thread*, which knows of no execution, was started by this function."""
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
        self.is_over = False
        """Whether the function has ended; threads and contexts that it left behind no longer belong to it."""
        self.is_inherited = False
        """Whether this process is a child that the function has forked: the attempt is its parent's alone."""
        self._end = threading.Lock()

    @cached_property
    def masker(self) -> Masker:
        """Takes the secrets among the parameters out of texts."""
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
        """Ask the database whether this attempt still owns the execution, and is to stop; at most once a second."""
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
        """Raise in the function what ends it, if someone asked for that."""
        if self.stop.should_stop:
            raise self.cancelled()

    def cancelled(self) -> TaskCancelled:
        """Return the exception that says why the function has to stop."""
        return TaskCancelled(messages.CANCELLED if self.stop.cancel_requested else messages.NOT_OWNED)

    def reason_to_end(self) -> TaskTimedOut | TaskCancelled:
        """Return the exception that says why the function has to end now."""
        if self.stop.is_late and self.stop.limit_at is not None:
            limit = self.stop.limit_at - self.clock.started_at
            return TaskTimedOut(messages.TIMED_OUT % {"number": f"{limit:g}"})
        return self.cancelled()

    def claim_end(self) -> bool:
        """Let the caller record how the attempt ended; True for the first caller only.

        That is the function's thread or the heartbeat; the other one must not write.
        """
        return self._end.acquire(blocking=False)


def _level_of(execution: Execution) -> int:
    level = logging.getLevelName(execution.task.log_level if execution.task else "INFO")
    return level if isinstance(level, int) else logging.INFO
