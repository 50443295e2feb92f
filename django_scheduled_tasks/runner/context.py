"""What a function can ask and tell while it runs: ``from django_scheduled_tasks import context``.

Outside of an execution each call is a harmless no-op, so functions stay plain functions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

from django_scheduled_tasks.exceptions import TaskCancelled
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services import attempts

Item = TypeVar("Item")
PROGRESS_INTERVAL = 0.5
"""Seconds between two writes of progress."""
_MESSAGE_MAX_LENGTH: int = Execution._meta.get_field("progress_message").max_length


@dataclass
class Running:
    """One attempt while it runs in this process; shared by the runner, the heartbeat and the context."""

    execution: Execution
    loaded_at: datetime
    """The database's instant at which the row was read."""
    _monotonic: float = field(default_factory=time.monotonic)
    _lock: Lock = field(default_factory=Lock)
    _progress: dict[str, Any] = field(default_factory=dict)
    _written_at: float = float("-inf")
    cancel_requested: bool = False
    lost: bool = False
    """Whether another attempt, or an end, has taken the execution from this one."""

    def now(self) -> datetime:
        """Return the database's present instant without asking it: what it said, and what has elapsed since."""
        return self.loaded_at + timedelta(seconds=time.monotonic() - self._monotonic)

    def progress(self, current: int | None, total: int | None, message: str) -> None:
        """Remember the progress, and write it unless the last write was a moment ago."""
        message = message.replace("\x00", "")[:_MESSAGE_MAX_LENGTH]
        with self._lock:
            self._progress = {"current": current, "total": total, "message": message}
            moment = time.monotonic()
            if moment - self._written_at < PROGRESS_INTERVAL:
                return
            self._written_at = moment
            values, self._progress = self._progress, {}
        if not attempts.report_progress(self.execution, **values):
            self.lost = True

    def last_progress(self) -> dict[str, Any]:
        """Return the columns of the progress that is not written yet; they go with the end's statement."""
        with self._lock:
            return {f"progress_{name}": value for name, value in self._progress.items()}

    def stop_if_cancelled(self) -> None:
        """Raise in the function what ends it, if someone asked for that."""
        if self.cancel_requested:
            raise TaskCancelled


_running: ContextVar[Running | None] = ContextVar("django_scheduled_tasks_running", default=None)
_in_process: list[Running] = []
"""The attempts that run in this process: threads that a function starts do not inherit the context variable."""


def current() -> Running | None:
    """Return the attempt to which the calling code belongs, or None outside of an execution."""
    running = _running.get()
    if running is None and len(_in_process) == 1:
        return _in_process[0]
    return running


def in_process() -> tuple[Running, ...]:
    """Return the attempts that run in this process."""
    return tuple(_in_process)


class entered:  # noqa: N801  (reads as a statement: ``with entered(running):``)
    """Make *running* the current attempt within a ``with`` block."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def __enter__(self) -> Running:
        self._token = _running.set(self._running)
        _in_process.append(self._running)
        return self._running

    def __exit__(self, *_exc: object) -> None:
        _running.reset(self._token)
        _in_process.remove(self._running)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """The execution to which the running code belongs."""

    tracking_id: UUID
    number: int
    """What people call it: Execution #81."""
    task_name: str
    attempt: int
    """1 for the first."""
    trigger: str
    triggered_at: datetime
    scheduled_for: datetime | None
    """The nominal instant, in UTC; None for a run by hand."""
    params: dict[str, Any]
    """As JSON."""

    def previous_success(self) -> datetime | None:
        """Return the nominal instant (or the start) of the last execution of this task that succeeded; one query."""
        mine = Execution.objects.filter(pk=self.number).values("task")
        rows = Execution.objects.filter(task__in=mine, pk__lt=self.number, outcome="succeeded").order_by("-pk")
        found = rows.values_list("scheduled_for", "started_at").first()
        return (found[0] or found[1]) if found else None


class Context:
    """The running execution, as its function sees it."""

    log = logging.getLogger("django_scheduled_tasks.execution")
    """A logger; its lines become the execution's log."""

    @property
    def execution(self) -> ExecutionContext | None:
        """What is running; None outside of an execution."""
        running = current()
        if running is None:
            return None
        row = running.execution
        return ExecutionContext(
            tracking_id=row.tracking_id,
            number=row.pk,
            task_name=row.task_name,
            attempt=row.attempt,
            trigger=row.trigger,
            triggered_at=row.triggered_at,
            scheduled_for=row.scheduled_for,
            params=dict(row.params),
        )

    @property
    def should_cancel(self) -> bool:
        """Whether someone asked for the execution to stop; False outside of one."""
        running = current()
        return running is not None and running.cancel_requested

    def progress(self, done: int | None, total: int | None = None, message: str = "") -> None:
        """Say how far the function is; written at most twice a second, the last one always.

        Args:
            done: How many, of whatever is counted; None: a message only.
            total: Out of how many; None: unknown.
            message: A short text for people, at most 500 characters.
        Raises:
            TaskCancelled: Someone asked for the execution to stop.
        """
        running = current()
        if running is not None:
            running.progress(done, total, message)
            running.stop_if_cancelled()

    def track(self, items: Iterable[Item], total: int | None = None, message: str = "") -> Iterator[Item]:
        """Yield *items*, and report progress after each.

        Args:
            items: Anything iterable.
            total: How many there are; default: its length, if it has one.
            message: A short text for people.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        for done, item in enumerate(items):
            self.progress(done, total, message)
            yield item
        if total is not None:
            self.progress(total, total, message)


context = Context()
"""The running execution."""
