"""The facade for Python code: ``info, errors = task("billOnDemand").run_once()``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import Field

from django_scheduled_tasks.exceptions import FieldError, InvalidInput, ScheduledTasksError, TaskNotFound
from django_scheduled_tasks.lifecycle import Overlap, Trigger
from django_scheduled_tasks.services.envelope import Errors, ExecutionInfo, envelope
from django_scheduled_tasks.services.queries.lookup import get_execution_of
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.skips import Skipped, skip, undo_skip
from django_scheduled_tasks.users import User

FIRST_POLL, LONGEST_POLL = 0.05, 1.0
"""Seconds between two polls while waiting; they double."""


class Answer(NamedTuple):
    """What a call answers: one of the two is None."""

    info: ExecutionInfo | None
    errors: Errors | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON: ``{"info": …, "errors": …}``."""
        return envelope(self.info, self.errors)


@dataclass(frozen=True, slots=True)
class SkipInfo:
    """What is left out of a task's schedule, or takes place again."""

    scheduled_task_name: str
    instants: tuple[datetime, ...]
    """The first hundred."""
    count: int
    """How many."""
    next_run_at: datetime | None
    """What starts next."""


class SkipAnswer(NamedTuple):
    """What skipping answers: one of the two is None."""

    info: SkipInfo | None
    errors: Errors | None


class RunOnceOptions(TypedDict, total=False):
    """The keyword arguments of :meth:`TaskHandle.run_once`."""

    reason: str
    not_before: datetime | None
    overlap: Overlap | str | None
    user: User | None
    idempotency_key: str | None


class TaskHandle:
    """A scheduled task by its name or id; nothing is asked of the database until a method is called."""

    def __init__(self, name_or_id: str | UUID) -> None:
        self.name_or_id = name_or_id

    def __repr__(self) -> str:
        return f"task({str(self.name_or_id)!r})"

    def run_once(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        reason: str = "",
        not_before: datetime | None = None,
        overlap: Overlap | str | None = None,
        user: User | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Start the task now, outside its schedule, without waiting for it.

        Within a transaction it starts when that commits.

        Args:
            params: Replace the task's own parameters one by one; JSON or typed values.
            reason: Why, for people.
            not_before: Aware; the earliest start.
            overlap: Overrides the task's overlap policy for this run.
            user: On whose behalf; recorded.
            idempotency_key: The same key within 24 hours gives the same execution.
        Returns:
            ``(info, None)``, or ``(None, errors)`` if it was refused; nothing that can be foreseen is raised.
        """
        return _answer(
            lambda: ExecutionInfo.of(
                run_once(
                    self.name_or_id,
                    params=params,
                    reason=reason,
                    not_before=not_before,
                    overlap=_overlap_of(overlap),
                    trigger=Trigger.PYTHON,
                    user=user,
                    idempotency_key=idempotency_key,
                ).execution
            )
        )

    def skip_next(
        self,
        count: int | None = None,
        *,
        at: Sequence[datetime] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        reason: str = "",
        user: User | None = None,
    ) -> SkipAnswer:
        """Leave out runs that are ahead: the next *count* (1), those *at* instants, or all from *start* to *end*.

        Each gets a row that says who and why when it is due. Run once still works.
        """
        how: dict[str, Any] = {"count": count, "at": at, "start": start, "end": end, "reason": reason}
        return _skip_answer(lambda: skip(self.name_or_id, **how, user=user))

    def undo_skip(self, *, at: datetime | None = None, user: User | None = None) -> SkipAnswer:
        """Let what was to be left out take place again: what *at* belongs to, or all that is ahead."""
        return _skip_answer(lambda: undo_skip(self.name_or_id, at=at, user=user))

    def rerun(
        self,
        tracking_id: str | UUID,
        params: Mapping[str, Any] | None = None,
        **options: Unpack[RunOnceOptions],
    ) -> Answer:
        """Start the task once more as the execution with this tracking id, for the same instant if that was of one.

        One that was missed is made good: due when that was, with the task's parameters, and only once.

        Args:
            tracking_id: Which.
            params: Replace the parameters of that execution one by one.
            options: As :meth:`run_once`.
        """

        def act() -> ExecutionInfo:
            earlier = get_execution_of(self.name_or_id, tracking_id)
            if earlier.task is None:
                raise TaskNotFound(earlier.task_name)
            asked: dict[str, Any] = {**options, "overlap": _overlap_of(options.get("overlap"))}
            done = run_once(earlier.task, params=params, trigger=Trigger.RERUN, rerun_of=earlier, **asked)
            return ExecutionInfo.of(done.execution)

        return _answer(act)

    def get_task_status(self, tracking_id: str | UUID) -> Answer:
        """Return where the execution with this tracking id is."""
        return _answer(lambda: ExecutionInfo.of(get_execution_of(self.name_or_id, tracking_id), with_traceback=True))

    def cancel(
        self,
        tracking_id: str | UUID,
        *,
        user: User | None = None,
        force_after: timedelta | None = None,
    ) -> Answer:
        """Cancel the execution with this tracking id; a running one is asked to stop."""

        def act() -> ExecutionInfo:
            execution = get_execution_of(self.name_or_id, tracking_id)
            return ExecutionInfo.of(cancel(execution.tracking_id, user=user, force_after=force_after))

        return _answer(act)

    def wait(self, tracking_id: str | UUID, timeout: float | timedelta | None = None) -> Answer:
        """Wait until the execution has ended, and return where it is.

        Args:
            tracking_id: Which.
            timeout: Seconds or ``timedelta``; None: as long as it takes.
        Returns:
            As :meth:`get_task_status`; still open if the time was up first.
        """
        deadline = _deadline(timeout)
        pause = FIRST_POLL
        while True:
            answer = self.get_task_status(tracking_id)
            if answer.info is None or not answer.info.is_open or time.monotonic() >= deadline:
                return answer
            time.sleep(min(pause, max(deadline - time.monotonic(), 0)))
            pause = min(pause * 2, LONGEST_POLL)

    async def arun_once(self, params: Mapping[str, Any] | None = None, **options: Unpack[RunOnceOptions]) -> Answer:
        """Do what :meth:`run_once` does, from async code."""
        return await sync_to_async(self.run_once)(params, **options)

    async def aget_task_status(self, tracking_id: str | UUID) -> Answer:
        """Do what :meth:`get_task_status` does, from async code."""
        return await sync_to_async(self.get_task_status)(tracking_id)


def task(name_or_id: str | UUID) -> TaskHandle:
    """Return a handle on the scheduled task with this name (whatever its case) or id."""
    return TaskHandle(name_or_id)


def _answer(act: Callable[[], ExecutionInfo]) -> Answer:
    try:
        return Answer(act(), None)
    except ScheduledTasksError as exc:
        return Answer(None, Errors.of(exc))


def _skip_answer(act: Callable[[], Skipped]) -> SkipAnswer:
    try:
        done = act()
    except ScheduledTasksError as exc:
        return SkipAnswer(None, Errors.of(exc))
    return SkipAnswer(SkipInfo(done.task.name, done.instants, done.count, done.next_start_at), None)


def _overlap_of(word: Overlap | str | None) -> Overlap | None:
    """Return the overlap policy called *word*.

    Raises:
        InvalidInput: There is none.
    """
    try:
        return Overlap(word) if word is not None else None
    except ValueError:
        text = str(Field.default_error_messages["invalid_choice"]) % {"value": word}
        raise InvalidInput([FieldError("overlap", text, "invalid_choice")]) from None


def _deadline(timeout: float | timedelta | None) -> float:
    if timeout is None:
        return float("inf")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    return time.monotonic() + seconds
