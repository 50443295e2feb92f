"""One execution in the worker: load, claim, call the function, finish. Three statements when all goes well."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner.context import Running, entered
from django_scheduled_tasks.runner.errors import failure_of, storable
from django_scheduled_tasks.services import attempts

logger = logging.getLogger("django_scheduled_tasks")


def execute(tracking_id: str) -> None:
    """Run the execution with this tracking id, if it is still to be run; what engines call in a worker.

    Nothing that the function does is raised here: it is in the record. A second message for the same execution, one
    that is late, or one that comes too early changes nothing.

    Raises:
        DatabaseError: The row could not be read or claimed; it stays pending and is sent again.
    """
    execution = attempts.load(tracking_id)
    if execution is None:
        logger.warning("Execution %s is gone; nothing to run", tracking_id)
        return
    running = Running(execution, loaded_at=execution.database_now)
    if not attempts.claim(execution, now=running.loaded_at):
        logger.debug("Execution %s is not to be run now", tracking_id)
        return
    outer = {alias for alias in connections if connections[alias].in_atomic_block}
    try:
        with entered(running):
            result = _call(running)
    except BaseException as error:  # noqa: BLE001  (SystemExit and the like are ends of the function, not of the worker)
        failure = failure_of(error)
        _clean_connections(outer)
        written = _insist(
            lambda: attempts.fail(execution, failure, ended_at=running.now(), **running.last_progress())
        )
    else:
        stored, kind = storable_result(result)
        _clean_connections(outer)
        written = _insist(
            lambda: attempts.succeed(
                execution, completed_at=running.now(), result=stored, result_format=kind, **running.last_progress()
            )
        )
    if not written:
        logger.error(
            "Attempt %s of execution %s ended, but no longer owned it; what it tried to write was refused",
            execution.attempt,
            tracking_id,
        )


def _call(running: Running) -> Any:
    """Call the function with its typed parameters and return what it returns."""
    function = registry.get(running.execution.function)
    arguments = function.parameters.typed(running.execution.params)
    if function.is_async:
        return asyncio.run(function.function(**arguments))
    return function.function(**arguments)


def storable_result(result: Any) -> tuple[Any, str]:
    """Return *result* as it is stored, and how it is to be read: ``json``, ``repr`` or ``cut``.

    What is not JSON is kept as its ``repr``; what is larger than the limit as a text that is cut.
    """
    if result is None:
        return None, ""
    limit = get_settings().RESULT_MAX_BYTES
    try:
        text, kind = json.dumps(result, allow_nan=False), "json"
    except (TypeError, ValueError, RecursionError):
        text, kind = _repr(result), "repr"
    if len(text.encode("utf-8", "replace")) > limit:
        return storable(text, limit), "cut"
    if kind == "repr":
        return storable(text, limit), kind
    # A NUL is legal in JSON but not in PostgreSQL's jsonb, nor is half a surrogate pair; both become a replacement.
    plain = text.encode("utf-8", "replace").decode()
    if "\\u0000" in plain or "\\ud" in plain.lower():
        return storable(_repr(result), limit), "repr"
    return json.loads(plain), kind


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a __repr__ is user code and may itself fail)
        return f"<{type(value).__qualname__}: its repr failed>"


def _clean_connections(outer: set[str]) -> None:
    """Leave no transaction open that the function began, and no broken connection to the next execution."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block and connection.alias not in outer:
            logger.warning("The function left a transaction open on %s; it is rolled back", connection.alias)
            connection.close()
            connection.in_atomic_block = False
            connection.savepoint_ids = []
            connection.needs_rollback = False
        elif not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _insist(write: Callable[[], bool]) -> bool:
    """Call *write*, again while the database is away, for as long as the lease may last."""
    deadline = time.monotonic() + get_settings().LEASE.total_seconds()
    wait = 0.1
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as exc:
            if connections[write_alias()].in_atomic_block or time.monotonic() + wait > deadline:
                raise
            logger.warning("The end could not be recorded, trying again: %s", exc)
            connections[write_alias()].close()
            time.sleep(wait)
            wait = min(wait * 2, 5)
        except DatabaseError:
            logger.exception("The end could not be recorded")
            raise
