"""What a function can read and report while it runs: ``from django_scheduled_tasks import context``.

Outside of an execution each call is a harmless no-op, so functions stay plain functions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Subquery

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.runner.process import process

Item = TypeVar("Item")


class ExecutionLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that raises TaskCancelled in a function that someone asked to stop."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log, then raise TaskCancelled if someone asked for the execution to stop."""
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        super().log(level, msg, *args, **kwargs)
        attempt = process.current()
        if attempt is not None:
            attempt.stop_if_asked()


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
        every = Execution.objects.using(write_alias())
        mine = every.filter(pk=self.number).values("task")[:1]
        rows = every.of_task(Subquery(mine)).filter(pk__lt=self.number, outcome=Outcome.SUCCEEDED)
        found = rows.values_list("scheduled_for", "started_at").first()
        return (found[0] or found[1]) if found else None


class Context:
    """The running execution, as its function sees it."""

    log = ExecutionLogger(logging.getLogger("django_scheduled_tasks.execution"), {})
    """A logger whose lines become the execution's log, as those of any other logger do. This one also raises
    TaskCancelled if someone asked for the execution to stop."""

    @property
    def execution(self) -> ExecutionContext | None:
        """The execution that runs; None outside of one."""
        attempt = process.current()
        if attempt is None:
            return None
        row = attempt.execution
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
        attempt = process.current()
        return attempt is not None and attempt.stop.should_stop

    def progress(self, done: int | None, total: int | None = None, message: str = "") -> None:
        """Report how far the function is; written at most twice a second, the last report always.

        A child process that the function forks reports nothing.

        Args:
            done: How many are done; None: a message only.
            total: How many there are; None: unknown.
            message: A short text for people, at most 500 characters.
        Raises:
            TaskCancelled: Someone asked for the execution to stop.
        """
        attempt = process.current()
        if attempt is None or attempt.is_inherited:
            return
        attempt.progress.report(done, total, attempt.masker(message))
        # In a worker the heartbeat writes it: here it would be part of the function's transaction, and be seen late.
        if not process.is_worker and not _is_in_event_loop():
            attempt.write_progress()
            attempt.read_signals()
        attempt.stop_if_asked()

    def track(self, items: Iterable[Item], total: int | None = None, message: str = "") -> Iterator[Item]:
        """Yield *items*, and report progress after each.

        Args:
            items: Anything iterable.
            total: How many there are; default: its length, if it has one.
            message: A short text for people.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        done = 0
        for item in items:
            self.progress(done, total, message)
            yield item
            done += 1
        self.progress(done, total, message)


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


context = Context()
"""The running execution."""
