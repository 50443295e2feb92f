"""One attempt while it runs in this process; shared by the runner, the heartbeat and the functions' context."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django_scheduled_tasks.exceptions import FunctionNotRegistered, TaskCancelled
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.running import lease
from django_scheduled_tasks.services.running.redaction import Masker, storable

if TYPE_CHECKING:
    from django_scheduled_tasks.runner.capture.buffer import Capture

PROGRESS_INTERVAL = 0.5
"""Seconds between two writes of progress."""
LOOK_INTERVAL = 1.0
"""Seconds between two looks whether someone asked for the execution to stop; a shorter run costs no look."""
YIELD_WITHIN = 3.0
"""Seconds that a function gets to end after the exception that tells it to."""
_MESSAGE_MAX_LENGTH = Execution._meta.get_field("progress_message").max_length


class WorkerProcess:
    """What this process is: a worker, whose heartbeat writes for the functions, or something else."""

    heartbeat: threading.Thread | None = None
    """The thread, in a worker process only."""

    @classmethod
    def is_here(cls) -> bool:
        """Whether this is a worker process with a heartbeat."""
        return cls.heartbeat is not None and cls.heartbeat.is_alive()


class Running:
    """One attempt while it runs in this process.

    Args:
        execution: As claimed, its task with it.
        loaded_at: The database's instant at which the row was read.
    """

    def __init__(self, execution: Execution, *, loaded_at: datetime) -> None:
        self.execution = execution
        self.started = self.looked = self.renewed = time.monotonic()
        """Monotonic seconds, as all that follow."""
        self.cancel_requested = False
        self.force_at: float | None = None
        """When the function is stopped by force."""
        self.limit_at: float | None = None
        """When its time is up."""
        self.yield_within = YIELD_WITHIN
        """Seconds that it then gets to end; after them its process is ended."""
        self.lost = False
        """Whether another attempt, or an end, has taken the execution from this one."""
        self.interrupted = False
        """Whether the heartbeat has raised in the function's thread what ends it."""
        self.interrupting = threading.Lock()
        self.has_ended = False
        """Whether the function has."""
        self.overran = False
        """Whether the alert for its ``max_runtime`` has been given."""
        self.capture: Capture | None = None
        self.thread = threading.current_thread()
        self.main_coroutine: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._loaded_at = loaded_at
        # Threads that were there before belong to somebody else: in a worker, to a function that ran before this one.
        self._strangers = set(threading.enumerate()) - {self.thread}
        self._lock = threading.Lock()
        self._end = threading.Lock()
        self._progress: dict[str, Any] = {}
        self._progress_is_written = True
        self._progress_written = float("-inf")

    def now(self) -> datetime:
        """Return the database's present instant without asking it: what it said, and what has elapsed since."""
        return self._loaded_at + timedelta(seconds=self.elapsed)

    @property
    def elapsed(self) -> float:
        """Seconds since it was loaded."""
        return time.monotonic() - self.started

    @cached_property
    def masker(self) -> Masker:
        """Takes the secrets among the parameters out of texts."""
        try:
            parameters = registry.get(self.execution.function).parameters
            return Masker(parameters.secrets(self.execution.params))
        except FunctionNotRegistered:
            return Masker()

    def owns_thread(self, thread: threading.Thread) -> bool:
        """Whether *thread*, which knows of no execution, was started by this one's function."""
        return thread is not WorkerProcess.heartbeat and thread not in self._strangers

    # --- progress -------------------------------------------------------------------------------------------------

    def progress(self, current: int | None, total: int | None, message: str) -> None:
        """Remember the progress. The heartbeat writes it: in the function's own transaction it would be seen late."""
        message = self.masker(message)[:_MESSAGE_MAX_LENGTH]
        message = storable(message, len(message) * 4)  # bytes: it is short enough already
        with self._lock:
            self._progress = {"current": _countable(current), "total": _countable(total), "message": message}
            self._progress_is_written = False
        if not WorkerProcess.is_here() and not _in_event_loop():
            self.write_progress()
            self.look()

    def write_progress(self) -> None:
        """Write the progress if it has changed, at most twice a second."""
        moment = time.monotonic()
        with self._lock:
            if self._progress_is_written or moment - self._progress_written < PROGRESS_INTERVAL:
                return
            self._progress_is_written, self._progress_written = True, moment
            values = dict(self._progress)
        self.lost |= not lease.report_progress(self.execution, **values)

    def last_progress(self) -> dict[str, Any]:
        """Return the columns of the last progress; they go with the end's statement."""
        with self._lock:
            return {f"progress_{name}": value for name, value in self._progress.items()}

    # --- orders ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask the record whether the attempt still owns it, and whether someone asked for it to stop; once a second."""
        moment = time.monotonic()
        if moment - self.looked < LOOK_INTERVAL:
            return
        self.looked = moment
        orders = lease.look(self.execution)
        if orders is None:
            self.lost = True
        elif orders.cancel:
            self.cancel_requested = True
            if orders.force_at is not None:
                self.force_at = moment + (orders.force_at - orders.now).total_seconds()
        if self.should_stop:
            self.cancel_coroutine()

    @property
    def should_stop(self) -> bool:
        """Whether there is no use in going on."""
        return self.cancel_requested or self.lost

    def stop_if_asked(self) -> None:
        """Raise in the function what ends it, if someone asked for that."""
        if self.should_stop:
            raise TaskCancelled(self.why_cancelled())

    def why_cancelled(self) -> str:
        """Say why it is to stop."""
        return messages.CANCELLED if self.cancel_requested else messages.NOT_OWNED

    def cancel_coroutine(self) -> None:
        """Cancel the async function, if it is one, at its next await."""
        if self.main_coroutine is not None:
            loop, task = self.main_coroutine
            with suppress(RuntimeError):  # it has just ended, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)

    # --- the end --------------------------------------------------------------------------------------------------

    def take_end(self) -> bool:
        """Let the caller decide how the attempt ended; True for the first only.

        It is the function's thread or the heartbeat; who is told False must not write.
        """
        return self._end.acquire(blocking=False)

    def flush(self) -> None:
        """Write the captured log lines; they are lost, with a word in the process's own log, if that fails."""
        if self.capture is not None:
            try:
                self.capture.flush()
            except Exception as exc:  # noqa: BLE001  (whatever it is, how the attempt ended must still be recorded)
                self.capture.report_failure(exc)


def _countable(value: Any) -> int | None:
    """Return *value* as a column takes it; None if it is no number that fits."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 2**63 else None


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_running: ContextVar[Running | None] = ContextVar("django_scheduled_tasks_running", default=None)
_in_process: list[Running] = []
"""The attempts that run in this process: threads that a function starts do not inherit the context variable."""


def current() -> Running | None:
    """Return the attempt to which the calling code belongs, or None outside of an execution."""
    if not _in_process:
        return None
    running = _running.get()
    if running is None and len(_in_process) == 1:
        only = _in_process[0]
        return only if only.owns_thread(threading.current_thread()) else None
    return running


def in_process() -> tuple[Running, ...]:
    """Return the attempts that run in this process."""
    return tuple(_in_process)


class entered:  # noqa: N801  (reads as a statement: ``with entered(running):``)
    """Make *running* the current attempt within a ``with`` block."""

    _token: Token[Running | None]

    def __init__(self, running: Running) -> None:
        self._running = running

    def __enter__(self) -> Running:
        self._token = _running.set(self._running)
        _in_process.append(self._running)
        return self._running

    def __exit__(self, *_exc: object) -> None:
        _in_process.remove(self._running)
        _running.reset(self._token)
