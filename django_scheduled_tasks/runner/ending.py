"""When a function has ended: its database connections are cleaned, and how it ended is recorded."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.connections.errors import gave_way
from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.failure import bare_failure_of, failure_of
from django_scheduled_tasks.services.running import finish, logs
from django_scheduled_tasks.services.running.logs import log_extra
from django_scheduled_tasks.services.running.redaction import Masker, storable, without_named

logger = logging.getLogger(__name__)
Value = TypeVar("Value")

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds between two tries while the database is away; each wait is twice the one before."""
REFUSED_MAX_LENGTH = 2000
"""How many characters are logged of an end that could not be recorded."""
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL in JSON: its escape after an even number of backslashes; after an odd one, the backslash itself is escaped."""


def record_end(attempt: RunningAttempt, error: BaseException | None, result: Any) -> None:
    """Record how *attempt* ended, or log what could not be recorded since it no longer owns the execution.

    1. Write the end with the result, or with the exception. While the database is away, try again.
    2. If the database cannot store what the function said, write the end without it.
    3. If nothing was written though no earlier try has written it, the attempt no longer owns the execution: log that.

    Args:
        attempt: Which.
        error: What the function raised; None if it returned.
        result: What it returned.
    """
    ended_at = attempt.clock.now()
    try:
        written, tried = _record(attempt, error, result, ended_at)
    except (OperationalError, InterfaceError):
        raise
    except Exception as exc:  # what is to be stored is more than the database, or its own code, can take
        number = attempt.execution.pk
        extra = log_extra(attempt.execution, "end_not_storable")
        logger.exception("The end of execution #%s cannot be recorded as it is", number, extra=extra)
        written, tried = _record_bare(attempt, error, exc, ended_at)
    if not written and not finish.has_ended(attempt.execution, ended_at):
        _log_refused(attempt, tried)


def _record(attempt: RunningAttempt, error: BaseException | None, result: Any, ended_at: datetime) -> tuple[bool, str]:
    """Write the end; return whether it was written, and a text that says what."""
    execution, last = attempt.execution, attempt.last_progress()
    if error is not None:
        failure = failure_of(error, attempt.masker)
        written = insist(lambda: finish.fail(execution, failure, ended_at=ended_at, **last))
        return written, f"{failure.outcome}: {failure.message}"
    stored, kind = storable_result(result, attempt.masker) if result is not None else (None, "")
    written = insist(
        lambda: finish.succeed(execution, completed_at=ended_at, result=stored, result_format=kind, **last)
    )
    return written, f"succeeded, with the result {stored!r}"


def _record_bare(
    attempt: RunningAttempt, error: BaseException | None, trouble: Exception, ended_at: datetime
) -> tuple[bool, str]:
    """Write the end without the result, or with no more than the type of the exception."""
    execution = attempt.execution
    if error is not None:
        failure = bare_failure_of(error)
        return insist(lambda: finish.fail(execution, failure, ended_at=ended_at)), str(failure.outcome)
    text = f"Its result could not be stored: {type(trouble).__name__}"
    written = insist(lambda: finish.succeed(execution, completed_at=ended_at, result=text, result_format="repr"))
    return written, "succeeded"


def _log_refused(attempt: RunningAttempt, tried: str) -> None:
    """Log in the process's log and in that of the execution that its end came too late."""
    execution = attempt.execution
    message = f"Attempt {execution.attempt} ended late, and no longer owned its execution. Refused was: {tried}"
    message = message[:REFUSED_MAX_LENGTH]
    extra = log_extra(execution, "late_end")
    logger.error("Execution #%s of %s: %s", execution.pk, execution.task_name, message, extra=extra)
    if not execution.keeps_log:
        return
    try:
        logs.append(execution, level="ERROR", message=message, logged_at=attempt.clock.now())
    except DatabaseError:
        logger.exception("That could not be added to its log", extra={"event": "log_not_written"})


# --- the result ---------------------------------------------------------------------------------------------------


def storable_result(result: Any, masker: Masker | None = None) -> tuple[Any, str]:
    """Return *result* as it is stored, and its format: ``json``, ``repr`` or ``cut``.

    What is not JSON is kept as its ``repr``; what is larger than the limit as a text that is cut.
    """
    if result is None:
        return None, ""
    mask = masker or Masker()
    limit = get_settings().RESULT_MAX_BYTES
    try:
        result = without_named(result)
        text, kind = json.dumps(result, allow_nan=False), "json"
    except Exception:  # noqa: BLE001  (no JSON; or user code failed, or a thread changes it meanwhile)
        text, kind = _repr(result), "repr"
    if len(text.encode("utf-8", "replace")) > limit:
        return storable(mask(text), limit), "cut"
    if kind == "repr":
        return storable(mask(text), limit), kind
    try:
        value = json.loads(text)
        if _is_storable(text, value):
            return mask.json(value), kind
    except RecursionError:
        return storable(mask(text), limit), "repr"
    return storable(mask(_repr(result)), limit), "repr"


def _is_storable(text: str, value: Any) -> bool:
    """Whether each database takes the JSON *text*, which is *value*.

    A NUL is legal in JSON but not in PostgreSQL's jsonb, nor is half a surrogate pair; a whole pair is an emoji.
    """
    if _NUL.search(text):
        return False
    try:
        return "\\ud" not in text or bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a __repr__ is user code and may itself fail)
        return f"<{type(value).__qualname__}: its repr failed>"


# --- the database connections -------------------------------------------------------------------------------------


def insist(act: Callable[[], Value], *, within: float | None = None) -> Value:
    """Call *act* and return its value; while the database is away, try again.

    Args:
        act: Uses our database.
        within: For how many seconds; None: for as long as a lease lasts.
    """
    began = time.monotonic()
    wait = FIRST_WAIT
    while True:
        try:
            return act()
        except (DatabaseError, InterfaceError) as exc:
            limit = get_settings().LEASE.total_seconds() if within is None else within
            # The first error may come from a connection that the function has broken, whatever its type.
            is_first = wait == FIRST_WAIT
            may_be_away = is_first or isinstance(exc, (OperationalError, InterfaceError))
            is_too_late = time.monotonic() + wait > began + limit
            connection = connections[write_alias()]
            if connection.in_atomic_block or is_too_late or not may_be_away:
                raise
            if gave_way(exc):
                logger.info(
                    "A statement gave way to another transaction, trying again: %s", exc, extra={"event": "gave_way"}
                )
            else:
                logger.warning(
                    "The database does not answer, trying again: %s", exc, extra={"event": "database_unavailable"}
                )
                close(connection)
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


def open_blocks() -> frozenset[str]:
    """Return the aliases on which a transaction is open: with an engine that runs executions in the caller, its own."""
    return frozenset(alias for alias in connections if connections[alias].in_atomic_block)


def clean_connections(outer: frozenset[str] = frozenset()) -> None:
    """Roll back transactions that the function left open, and close connections that it has broken.

    Args:
        outer: Aliases whose transaction was open before; it is left alone.
    """
    for connection in connections.all(initialized_only=True):
        if connection.alias in outer:
            continue
        if connection.in_atomic_block or _is_manual(connection):
            logger.warning(
                "The function left a transaction open on %s; it is rolled back.",
                connection.alias,
                extra={"event": "transaction_left_open"},
            )
            _roll_back(connection)
        elif connection.errors_occurred:
            _close_if_unusable(connection)


def clean_thread() -> None:
    """Clean the connections of the thread in which async code uses the database; Django cleans it only in requests."""
    clean_connections()
    close_old_connections()


def close(connection: Connection) -> None:
    """Close *connection*, even if it is broken."""
    try:
        connection.close()
    except Exception:  # noqa: BLE001  (each driver has its own errors for a broken or closed connection)
        connection.connection = None


def _is_manual(connection: Connection) -> bool:
    """Whether the function has switched autocommit off and not on again."""
    return connection.connection is not None and not connection.autocommit and connection.settings_dict["AUTOCOMMIT"]


def _roll_back(connection: Connection) -> None:
    """Roll back whatever is open on *connection*, in nested blocks too, by closing it.

    Then it is opened again, which resets what Django remembers of the blocks. Django does not close an SQLite database
    in memory, which would be lost; the old connection to it is closed after the new one is open.
    """
    close(connection)
    kept = connection.connection
    try:
        connection.connect()
    except Exception as exc:  # noqa: BLE001  (as in close; it is opened when it is next used)
        logger.warning("The connection to %s could not be opened again: %s", connection.alias, exc)
        close(connection)
    if kept is not None:
        with suppress(Exception):  # most often it is closed already
            kept.close()


def _close_if_unusable(connection: Connection) -> None:
    # Not close_if_unusable_or_obsolete(): without CONN_MAX_AGE that closes every connection, also the good ones, and
    # the end would have to open another one.
    if connection.is_usable():
        connection.errors_occurred = False
    else:
        close(connection)
