"""What engines call in a worker: it runs the executions of a message, one after the other."""

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

from django_scheduled_tasks.db.connections.tenants import remember_tenants
from django_scheduled_tasks.exceptions import TaskCancelled, TaskTimedOut
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.ending import clean_connections, clean_thread, insist, open_blocks, record_end
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.runner.sentry import reported
from django_scheduled_tasks.runner.timeout import Alarm, alert_if_overrun, enforced
from django_scheduled_tasks.services.delivery.dispatch import send_again
from django_scheduled_tasks.services.running.claim import take, was_taken_here
from django_scheduled_tasks.services.running.giveback import give_back, wait_for_others
from django_scheduled_tasks.services.running.logs import log_extra

logger = logging.getLogger(__name__)

CLAIM_WITHIN = 10.0
"""Seconds for which the database may be away when an execution begins; after them the message is dropped."""


def execute(*tracking_ids: str) -> None:
    """Run the executions with these tracking ids, as far as they are still to be run.

    Nothing that a function raises is raised here: it is recorded. A second message for the same execution changes
    nothing, and neither does one that comes too early or too late.

    Raises:
        DatabaseError: The row could not be read or claimed; it stays pending and is sent again.
    """
    for tracking_id in _in_turn(tracking_ids):
        _execute(tracking_id)


def _in_turn(tracking_ids: Sequence[str]) -> Iterator[str]:
    """Yield *tracking_ids* one after the other, and a few that wait in the broker. After each, which has run by then:

    1. If nothing is left and the message was quick, take a few more; once, since django-q2 counts only its own messages
       when it ends a worker after so many.
    2. If the message takes long, send those that have not begun again, each in a message of its own, to any worker.
    3. Otherwise give the next one the whole of the engine's time limit.
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

    1. Claim it. If it may not start, there is nothing to do.
    2. Call its function.
    3. If this is a child process that the function has forked, end it: only the parent records the end.
    4. Claim the right to record the end. If the heartbeat has it, the function did not stop in time: wait until the
       heartbeat ends this process.
    5. Roll back transactions that the function left open.
    6. If the function could not be called since it is of another release, leave the execution to others.
    7. Otherwise write the last lines of its log, and record the end.
    """
    attempt = _begin(tracking_id)
    if attempt is None:
        return
    with reported(attempt.execution):
        _run_to_end(attempt)


def _run_to_end(attempt: RunningAttempt) -> None:
    """Do what follows the claim."""
    outer, put_tenants_back = open_blocks(), remember_tenants()
    error, result = _run(attempt)
    if attempt.is_inherited:
        _end_child(error)
    if not attempt.claim_end():
        threading.Event().wait()
    put_tenants_back()
    clean_connections(outer)
    if error is not None and not attempt.has_called and _give_back(attempt, error):
        return
    attempt.log.flush()
    record_end(attempt, error, result)


def _begin(tracking_id: str) -> RunningAttempt | None:
    """Claim the execution; while the database is away, try again. None if there is nothing to run."""
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
        logger.warning(
            "Execution %s is gone; nothing to run", tracking_id, extra={"tracking_id": tracking_id, "event": "gone"}
        )
        return None
    if not is_ours and (tried_since is None or not _was_claimed(execution, tried_since)):
        logger.debug("Execution %s is not to be run now", tracking_id, extra=log_extra(execution, "not_claimed"))
        return None
    return RunningAttempt(execution, loaded_at=execution.database_now)


def _was_claimed(execution: Execution, since: float) -> bool:
    """Whether an earlier try has claimed it, and the answer was lost with the connection."""
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


def _give_back(attempt: RunningAttempt, error: BaseException) -> bool:
    """Leave the execution to workers of other releases if there may be some that can run it; whether there may."""
    execution = attempt.execution
    wait = insist(lambda: wait_for_others(execution, error))
    if wait is None:
        return False
    again_at = attempt.clock.now() + wait
    insist(lambda: give_back(execution, error, again_at=again_at))
    return True


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
    attempt.has_called = True
    # If a plain decorator wraps an async function, only the value that it returns shows that it is async.
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
    """Await what the function returned, so that other threads can cancel it."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  (for the type checker: this is one)
    attempt.thread.coroutine = asyncio.get_running_loop(), task
    return await value


def _end_child(error: BaseException | None) -> NoReturn:
    """End this child process as Python ends a program."""
    if error is not None and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if error is None or getattr(error, "code", 1) in {None, 0} else 1)
