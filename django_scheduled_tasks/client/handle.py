"""The facade for Python code: ``info, errors = task("billOnDemand").run_once()``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import Field
from django.utils.translation import gettext as _

from django_scheduled_tasks.client.answers import Answer, ManyAnswer, SkipAnswer, answer, many_answer, skip_answer
from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidSchedule, TaskNotFound
from django_scheduled_tasks.lifecycle import Overlap, Trigger
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.schedules import parse_duration
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.queries.lookup import get_execution_of
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.starting.one_shot import cancel_at, run_at
from django_scheduled_tasks.services.starting.run_many import RunMany, run_many
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.skips import skip, undo_skip
from django_scheduled_tasks.users import User

FIRST_POLL, LONGEST_POLL = 0.05, 1.0
"""Seconds between two polls while waiting; they double."""


class RunOnceOptions(TypedDict, total=False):
    """The keyword arguments of :meth:`TaskHandle.run_once`."""

    reason: str
    not_before: datetime | None
    delay: timedelta | str | None
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
        delay: timedelta | str | None = None,
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
            delay: The same as a duration from now on, such as ``2h``.
            overlap: Overrides the task's overlap policy for this run.
            user: On whose behalf; recorded.
            idempotency_key: The same key within 24 hours gives the same execution.
        Returns:
            ``(info, None)``, or ``(None, errors)`` if it was refused; nothing that can be foreseen is raised.
        """
        return answer(
            lambda: ExecutionInfo.of(
                run_once(
                    self.name_or_id,
                    params=params,
                    reason=reason,
                    not_before=_earliest(not_before, delay),
                    overlap=_overlap_of(overlap),
                    trigger=Trigger.PYTHON,
                    user=user,
                    idempotency_key=idempotency_key,
                ).execution
            )
        )

    def run_many(self, params: Iterable[Mapping[str, Any] | None], **options: Unpack[RunOnceOptions]) -> ManyAnswer:
        """Start the task once for each of *params*, with one statement for each 500; it takes no longer for a few.

        One that is wrong does not stop the others. Unless the task's overlap policy is ``allow``, they run one at a
        time (``queue_all``), and at most 1,000 wait.

        Args:
            params: For each run, what replaces the task's own parameters; None: nothing.
            options: As :meth:`run_once`, for all of them. With an ``idempotency_key`` the same call within 24 hours
                answers what it has started, and starts what it could not.
        Returns:
            ``(infos, errors)``: for each its information or None, in their order, and why some were refused or None.
        """
        rows = list(params)

        def act() -> RunMany:
            asked: dict[str, Any] = {**options, "overlap": _overlap_of(options.get("overlap"))}
            asked["not_before"] = _earliest(options.get("not_before"), asked.pop("delay", None))
            return run_many(self.name_or_id, rows, trigger=Trigger.PYTHON, **asked)

        return many_answer(act)

    def run_at(
        self,
        when: datetime,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        replace: bool = True,
        reason: str = "",
        user: User | None = None,
    ) -> Answer:
        """Start the task once at an instant, or as soon as it can after it.

        Until then it is in nobody's way, whatever the task's overlap policy; then it waits for its turn.

        Args:
            when: Aware.
            params: Replace the task's own parameters one by one.
            key: At most one execution of the task with this key waits at any time; None: any number.
            replace: Whether one that waits with this key is moved, and gets these parameters, or stays as it is.
            reason: Why, for people.
            user: On whose behalf; recorded.
        """
        how: dict[str, Any] = {"key": key, "replace": replace, "params": params, "reason": reason, "user": user}
        return answer(lambda: ExecutionInfo.of(run_at(self.name_or_id, when, **how).execution))

    def cancel_at(self, key: str, *, user: User | None = None) -> Answer:
        """Cancel what waits to be started with this key of :meth:`run_at`."""
        return answer(lambda: ExecutionInfo.of(cancel_at(self.name_or_id, key, user=user)))

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
        return skip_answer(lambda: skip(self.name_or_id, **how, user=user))

    def undo_skip(self, *, at: datetime | None = None, user: User | None = None) -> SkipAnswer:
        """Let what was to be left out take place again: what *at* belongs to, or all that is ahead."""
        return skip_answer(lambda: undo_skip(self.name_or_id, at=at, user=user))

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
            asked["not_before"] = _earliest(options.get("not_before"), asked.pop("delay", None))
            done = run_once(earlier.task, params=params, trigger=Trigger.RERUN, rerun_of=earlier, **asked)
            return ExecutionInfo.of(done.execution)

        return answer(act)

    def get_task_status(self, tracking_id: str | UUID) -> Answer:
        """Return where the execution with this tracking id is."""
        return answer(lambda: ExecutionInfo.of(get_execution_of(self.name_or_id, tracking_id), with_traceback=True))

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

        return answer(act)

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

    async def arun_many(
        self, params: Iterable[Mapping[str, Any] | None], **options: Unpack[RunOnceOptions]
    ) -> ManyAnswer:
        """Do what :meth:`run_many` does, from async code."""
        return await sync_to_async(self.run_many)(params, **options)

    async def aget_task_status(self, tracking_id: str | UUID) -> Answer:
        """Do what :meth:`get_task_status` does, from async code."""
        return await sync_to_async(self.get_task_status)(tracking_id)


def task(name_or_id: str | UUID) -> TaskHandle:
    """Return a handle on the scheduled task with this name (whatever its case) or id."""
    return TaskHandle(name_or_id)


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


def _earliest(not_before: datetime | None, delay: timedelta | str | None) -> datetime | None:
    """Return the earliest start that is asked for, in one way or the other.

    Raises:
        InvalidInput: In both, or *delay* is no duration.
    """
    if delay is None:
        return not_before
    if not_before is not None:
        raise InvalidInput([FieldError("delay", _("it cannot be given together with not_before."), "invalid")])
    try:
        found = parse_duration(delay) if isinstance(delay, str) else delay
    except InvalidSchedule as exc:
        raise InvalidInput([FieldError("delay", exc.message, exc.code)]) from None
    return read_now() + found if found else None


def _deadline(timeout: float | timedelta | None) -> float:
    if timeout is None:
        return float("inf")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    return time.monotonic() + seconds
