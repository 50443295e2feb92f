"""One execution in the worker: take it, call the function, finish. At most three statements when all goes well."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NoReturn, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import TaskCancelled, TaskTimedOut
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner import overrun
from django_scheduled_tasks.runner.attempt import Running, entered, in_process
from django_scheduled_tasks.runner.batch import handed
from django_scheduled_tasks.runner.capture.hooks import captured
from django_scheduled_tasks.runner.connections import clean_connections, close, open_blocks
from django_scheduled_tasks.runner.failure import bare_failure_of, failure_of
from django_scheduled_tasks.runner.result import storable_result
from django_scheduled_tasks.runner.timeout import enforced, reason
from django_scheduled_tasks.services.running import finish, logs
from django_scheduled_tasks.services.running.claim import take, was_taken_here

logger = logging.getLogger(__name__)
Value = TypeVar("Value")
CLAIM_WITHIN = 10.0
"""Seconds for which the database may be away when an execution begins; then the message is given up."""


def execute(*tracking_ids: str) -> None:
    """Run the executions with these tracking ids, those that are still to be run; what engines call in a worker.

    Nothing that the function does is raised here: it is in the record. A second message for the same execution, one
    that is late, or one that comes too early changes nothing.

    Raises:
        DatabaseError: The row could not be read or claimed; it stays pending and is sent again.
    """
    for tracking_id in handed(tracking_ids):
        _execute(tracking_id)


def _execute(tracking_id: str) -> None:
    began, tries = time.monotonic(), count()
    running = _insist(lambda: _begin(tracking_id, began if next(tries) else None), within=CLAIM_WITHIN)
    if running is None:
        return
    outer, process = open_blocks(), os.getpid()
    error, result = _run(running)
    if os.getpid() != process:
        _end_fork(error)
    if not running.take_end():
        threading.Event().wait()  # the heartbeat is ending this process
    clean_connections(outer)
    overrun.alert(running)
    running.flush()
    _finish(running, error, result)


def _begin(tracking_id: str, tried_since: float | None = None) -> Running | None:
    """Load and claim the execution; None if there is nothing to run.

    Args:
        tracking_id: Which.
        tried_since: If it is not the first try, the monotonic instant of that one.
    """
    execution, is_ours = take(tracking_id)
    if execution is None:
        logger.warning("Execution %s is gone; nothing to run", tracking_id)
        return None
    if not is_ours and (tried_since is None or not _was_taken(execution, tried_since)):
        logger.debug("Execution %s is not to be run now", tracking_id)
        return None
    return Running(execution, loaded_at=execution.database_now)


def _was_taken(execution: Execution, since: float) -> bool:
    """Whether an earlier try did claim it, and its answer got lost with the connection."""
    is_alone = threading.current_thread() is threading.main_thread()  # else another thread may have claimed it
    if not is_alone or any(running.execution.pk == execution.pk for running in in_process()):
        return False
    return was_taken_here(execution, within=timedelta(seconds=time.monotonic() - since))


def _end_fork(error: BaseException | None) -> NoReturn:
    """End a child of this process that came back from the function: the execution is its parent's alone."""
    if error is not None and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if error is None or getattr(error, "code", 1) in {None, 0} else 1)


def _run(running: Running) -> tuple[BaseException | None, Any]:
    """Call the function, and return what it raised and what it returned."""
    try:
        with entered(running), captured(running):
            try:
                with enforced(running):
                    return None, _call(running)
            finally:
                overrun.alert(running)
    except asyncio.CancelledError as error:
        return _why_cancelled(running, error), None
    except BaseException as error:  # noqa: BLE001  (SystemExit and the like end the function, not the worker)
        return error, None


def _why_cancelled(running: Running, error: asyncio.CancelledError) -> BaseException:
    """Return what stands behind the cancellation of an async function: us, or something of its own."""
    if isinstance(error.__context__, (TaskCancelled, TaskTimedOut)):
        return error.__context__
    is_late = running.limit_at is not None and time.monotonic() >= running.limit_at
    if running.main_coroutine is not None and (running.should_stop or is_late):
        return reason(running).with_traceback(error.__traceback__)
    return error


def _call(running: Running) -> Any:
    """Call the function with its typed parameters and return what it returns."""
    function = registry.get(running.execution.function)
    arguments = function.parameters.typed(running.execution.params)
    # Of an async function behind a plain decorator only the call tells that it is one.
    value = function.function(**arguments)
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise TypeError("The function returned a generator: nothing of it ran.")
    if not inspect.isawaitable(value):
        return value
    with asyncio.Runner() as runner:
        try:
            return runner.run(_await(running, value))
        finally:
            runner.run(sync_to_async(_leave_thread)())


def _leave_thread() -> None:
    """Clean the connections of the thread in which Django's async methods use the database; nobody else would."""
    clean_connections()
    close_old_connections()


async def _await(running: Running, value: Awaitable[Any]) -> Any:
    """Await what the function returned; others may cancel it meanwhile."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  (for the type checker: this is one)
    running.main_coroutine = asyncio.get_running_loop(), task
    return await value


def _finish(running: Running, error: BaseException | None, result: Any) -> None:
    """Record how it ended, or log what could not be recorded since the attempt no longer owns the execution."""
    execution, ended_at = running.execution, running.now()
    try:
        written, tried = _record(running, error, result, ended_at)
    except (OperationalError, InterfaceError):
        raise
    except Exception as exc:  # what is to be stored is more than the database, or its own code, can take
        logger.exception("The end of execution #%s cannot be recorded as it is", execution.pk)
        written, tried = _record_bare(running, error, exc, ended_at)
    if not written and not finish.has_ended(execution, ended_at):
        message = f"Attempt {execution.attempt} ended late, and no longer owned its execution. Refused was: {tried}"
        logger.error("Execution #%s of %s: %s", execution.pk, execution.task_name, message[:2000])
        try:
            logs.append(execution, level="ERROR", message=message[:2000], logged_at=running.now())
        except DatabaseError:
            logger.exception("That could not be added to its log")


def _record(running: Running, error: BaseException | None, result: Any, ended_at: datetime) -> tuple[bool, str]:
    """Write how it ended; return whether it was written, and what that was."""
    execution, last = running.execution, running.last_progress()
    if error is not None:
        failure = failure_of(error, running.masker)
        written = _insist(lambda: finish.fail(execution, failure, ended_at=ended_at, **last))
        return written, f"{failure.outcome}: {failure.message}"
    stored, kind = storable_result(result, running.masker) if result is not None else (None, "")
    written = _insist(
        lambda: finish.succeed(execution, completed_at=ended_at, result=stored, result_format=kind, **last)
    )
    return written, f"succeeded, with the result {stored!r}"


def _record_bare(
    running: Running, error: BaseException | None, trouble: Exception, ended_at: datetime
) -> tuple[bool, str]:
    """Write how it ended, and nothing of what the function said of it."""
    execution = running.execution
    if error is not None:
        failure = bare_failure_of(error)
        return _insist(lambda: finish.fail(execution, failure, ended_at=ended_at)), str(failure.outcome)
    text = f"Its result could not be stored: {type(trouble).__name__}"
    written = _insist(lambda: finish.succeed(execution, completed_at=ended_at, result=text, result_format="repr"))
    return written, "succeeded"


def _insist(write: Callable[[], Value], *, within: float | None = None) -> Value:
    """Call *write*, again while the database is away, for as long as the lease may last or *within* seconds."""
    deadline = time.monotonic() + (get_settings().LEASE.total_seconds() if within is None else within)
    wait = 0.1
    is_first = True
    while True:
        try:
            return write()
        except (DatabaseError, InterfaceError) as exc:
            # Any error may come of a connection that the function has broken; a second time, only some mean "away".
            is_away = is_first or isinstance(exc, (OperationalError, InterfaceError))
            connection = connections[write_alias()]
            if not is_away or connection.in_atomic_block or time.monotonic() + wait > deadline:
                raise
            logger.warning("The database does not answer, trying again: %s", exc)
            close(connection)
            time.sleep(wait)
            wait = min(wait * 2, 5)
            is_first = False
