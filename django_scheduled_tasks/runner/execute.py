"""What engines call in a worker: one message, whose executions are claimed, called and ended, one after the other."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any, NoReturn

from asgiref.sync import sync_to_async

from django_scheduled_tasks.db.tenants import remember_tenants
from django_scheduled_tasks.exceptions import TaskCancelled, TaskTimedOut
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.ending import clean_connections, clean_thread, insist, open_blocks, record_end
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.runner.timeout import Alarm, alert_if_overrun, enforced
from django_scheduled_tasks.services.delivery.dispatch import send_again
from django_scheduled_tasks.services.running.claim import take, was_taken_here
from django_scheduled_tasks.services.running.logs import log_extra

logger = logging.getLogger(__name__)

CLAIM_WITHIN = 10.0
"""Seconds for which the database may be away when an execution begins; then the message is given up."""


def execute(*tracking_ids: str) -> None:
    """Run the executions with these tracking ids, those that are still to be run; what engines call in a worker.

    Nothing that the function does is raised here: it is in the record. A second message for the same execution, one
    that is late, or one that comes too early changes nothing.

    Raises:
        DatabaseError: The row could not be read or claimed; it stays pending and is sent again.
    """
    for tracking_id in _in_turn(tracking_ids):
        _execute(tracking_id)


def _in_turn(tracking_ids: Sequence[str]) -> Iterator[str]:
    """Yield *tracking_ids* one after the other, and a few that wait in the broker; the caller runs each meanwhile.

    1. If that was quick, take a few more messages; once, since django-q2 ends a worker after so many of its own.
    2. If it took its time, send what has not begun again: it must not wait here.
    3. Else give the next one the whole of the engine's time limit.
    """
    alarm, take_waiting = Alarm(), process.take_waiting
    with process.working_off(tracking_ids) as batch:
        while batch.waiting:
            yield batch.waiting.popleft()
            if take_waiting is not None and batch.was_quick and not batch.waiting:
                batch.waiting.extend(take_waiting(alarm.seconds))
                take_waiting = None
            if batch.waiting and batch.takes_long:
                send_again(batch.waiting)
                return
            alarm.set_again()


def _execute(tracking_id: str) -> None:
    """Run one execution, from its claim to its end.

    1. Claim it. If it is not to be run by us, now, there is nothing to do.
    2. Call its function.
    3. If this is a child process that the function has forked, end it: the execution is its parent's.
    4. Decide who records the end: this thread, unless the heartbeat is ending this process, since the function did not
       stop in time.
    5. Roll back what the function left open, write the last lines of its log, and record the end.
    """
    attempt = _begin(tracking_id)
    if attempt is None:
        return
    outer, put_tenants_back = open_blocks(), remember_tenants()
    error, result = _run(attempt)
    if attempt.is_inherited:
        _end_child(error)
    if not attempt.claim_end():
        threading.Event().wait()
    put_tenants_back()
    clean_connections(outer)
    attempt.log.flush()
    record_end(attempt, error, result)


def _begin(tracking_id: str) -> RunningAttempt | None:
    """Claim the execution, again while the database is away; None if there is nothing to run."""
    began, tries = time.monotonic(), count()
    return insist(lambda: _claim(tracking_id, began if next(tries) else None), within=CLAIM_WITHIN)


def _claim(tracking_id: str, tried_since: float | None = None) -> RunningAttempt | None:
    """Claim the execution and load it; None if there is nothing to run.

    Args:
        tracking_id: Which.
        tried_since: If this is not the first try, the monotonic instant of that one.
    """
    execution, is_ours = take(tracking_id)
    if execution is None:
        logger.warning("Execution %s is gone; nothing to run", tracking_id, extra={"tracking_id": tracking_id})
        return None
    if not is_ours and (tried_since is None or not _was_claimed(execution, tried_since)):
        logger.debug("Execution %s is not to be run now", tracking_id, extra=log_extra(execution, "not_claimed"))
        return None
    return RunningAttempt(execution, loaded_at=execution.database_now)


def _was_claimed(execution: Execution, since: float) -> bool:
    """Whether an earlier try did claim it, and its answer got lost with the connection."""
    is_alone = threading.current_thread() is threading.main_thread()  # else another thread may have claimed it
    runs_here = any(attempt.execution.pk == execution.pk for attempt in process.attempts)
    if runs_here or not is_alone:
        return False
    return was_taken_here(execution, within=timedelta(seconds=time.monotonic() - since))


def _run(attempt: RunningAttempt) -> tuple[BaseException | None, Any]:
    """Call the function, and return what it raised and what it returned."""
    try:
        with process.running(attempt):
            try:
                with enforced(attempt):
                    return None, _call(attempt)
            finally:
                alert_if_overrun(attempt)
    except asyncio.CancelledError as error:
        return _why_cancelled(attempt, error), None
    except BaseException as error:  # noqa: BLE001  (SystemExit and the like end the function, not the worker)
        return error, None


def _why_cancelled(attempt: RunningAttempt, error: asyncio.CancelledError) -> BaseException:
    """Return why an async function was cancelled: our reason, or *error* if it is something of its own."""
    if isinstance(error.__context__, (TaskCancelled, TaskTimedOut)):
        return error.__context__
    if attempt.thread.coroutine is not None and (attempt.stop.should_stop or attempt.stop.is_late):
        return attempt.reason_to_end().with_traceback(error.__traceback__)
    return error


def _call(attempt: RunningAttempt) -> Any:
    """Call the function with its typed parameters and return what it returns."""
    function = registry.get(attempt.execution.function)
    arguments = function.parameters.typed(attempt.execution.params)
    # Of an async function behind a plain decorator only the call tells that it is one.
    value = function.function(**arguments)
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise TypeError("The function returned a generator: nothing of it ran.")
    if not inspect.isawaitable(value):
        return value
    with asyncio.Runner() as runner:
        try:
            return runner.run(_await(attempt, value))
        finally:
            runner.run(sync_to_async(clean_thread)())


async def _await(attempt: RunningAttempt, value: Awaitable[Any]) -> Any:
    """Await what the function returned; others may cancel it meanwhile."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  (for the type checker: this is one)
    attempt.thread.coroutine = asyncio.get_running_loop(), task
    return await value


def _end_child(error: BaseException | None) -> NoReturn:
    """End this child process as Python would have, had the function not come back in it."""
    if error is not None and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if error is None or getattr(error, "code", 1) in {None, 0} else 1)
