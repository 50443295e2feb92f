"""How an attempt ended: what is kept of the result or the exception, and writing it down."""

from __future__ import annotations

import json
import logging
import re
import sysconfig
import traceback
from collections.abc import Iterator
from datetime import datetime
from types import FrameType
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import ScheduledTasksError, TaskCancelled, TaskTimedOut
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.registry import exception_name
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.connections import insist
from django_scheduled_tasks.services.running import finish, logs
from django_scheduled_tasks.services.running.logs import log_extra
from django_scheduled_tasks.services.running.redaction import Masker, storable
from django_scheduled_tasks.services.running.retry import Failure

logger = logging.getLogger(__name__)

LIBRARY = "(library) "
"""Stands before ``File "…"`` where a frame of a traceback is not the project's own code."""
FRAMES = 100
"""The most frames kept at the beginning and at the end of a very deep traceback."""
TYPE_MAX_LENGTH = 200
REFUSED_MAX_LENGTH = 2000
"""How much is said of an end that could not be recorded."""
_PACKAGE = "/django_scheduled_tasks/"
_FRAME = re.compile(r'^((?:  \| |    )*  )(File "([^"]*)", line \d+, in )', re.MULTILINE)
_LIBRARY_PATHS = tuple(
    f"{path}/" for name, path in sysconfig.get_paths().items() if name in {"stdlib", "platstdlib", "purelib", "platlib"}
)
_CODES: dict[type[BaseException], str] = {
    SystemExit: "system_exit",
    KeyboardInterrupt: "keyboard_interrupt",
    MemoryError: "out_of_memory",
}
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL as JSON writes it; behind an odd number of backslashes it is one, else these letters."""


def record_end(attempt: RunningAttempt, error: BaseException | None, result: Any) -> None:
    """Record how *attempt* ended, or log what could not be recorded since it no longer owns the execution.

    1. Write the end with the result, or with the exception. While the database is away, try again.
    2. If the database cannot store what the function said, write the end without it.
    3. If nothing was written, another attempt owns the execution, unless the answer to an earlier try was lost: say so.

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
    """Write how it ended; return whether it was written, and what that was."""
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
    """Write how it ended, and nothing of what the function said of it."""
    execution = attempt.execution
    if error is not None:
        failure = bare_failure_of(error)
        return insist(lambda: finish.fail(execution, failure, ended_at=ended_at)), str(failure.outcome)
    text = f"Its result could not be stored: {type(trouble).__name__}"
    written = insist(lambda: finish.succeed(execution, completed_at=ended_at, result=text, result_format="repr"))
    return written, "succeeded"


def _log_refused(attempt: RunningAttempt, tried: str) -> None:
    """Say, in the process's log and in that of the execution, that its end came too late."""
    execution = attempt.execution
    message = f"Attempt {execution.attempt} ended late, and no longer owned its execution. Refused was: {tried}"
    message = message[:REFUSED_MAX_LENGTH]
    extra = log_extra(execution, "late_end")
    logger.error("Execution #%s of %s: %s", execution.pk, execution.task_name, message, extra=extra)
    try:
        logs.append(execution, level="ERROR", message=message, logged_at=attempt.clock.now())
    except DatabaseError:
        logger.exception("That could not be added to its log")


# --- what is kept of a result -------------------------------------------------------------------------------------


def storable_result(result: Any, masker: Masker | None = None) -> tuple[Any, str]:
    """Return *result* as it is stored, and how it is to be read: ``json``, ``repr`` or ``cut``.

    What is not JSON is kept as its ``repr``; what is larger than the limit as a text that is cut.
    """
    if result is None:
        return None, ""
    mask = masker or Masker()
    limit = get_settings().RESULT_MAX_BYTES
    try:
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


# --- what is kept of an exception ----------------------------------------------------------------------------------


def failure_of(error: BaseException, masker: Masker | None = None) -> Failure:
    """Return what is kept of *error*, without what *masker* takes out."""
    limit = get_settings().ERROR_MAX_BYTES
    mask = masker or Masker()
    outcome, code = _kind(error)
    return Failure(
        outcome=outcome,
        code=code,
        message=storable(mask(_message(error)), limit),
        type=exception_name(type(error))[:TYPE_MAX_LENGTH],
        traceback=storable(mask(_traceback(error)), limit),
        kinds=tuple(exception_name(kind) for kind in type(error).__mro__),
    )


def bare_failure_of(error: BaseException) -> Failure:
    """Return what can be kept of *error* in any case: its type."""
    outcome, code = _kind(error)
    name = storable(exception_name(type(error)), TYPE_MAX_LENGTH)
    return Failure(outcome=outcome, code=code, message=name, type=name)


def stack_of(frame: FrameType, masker: Masker) -> str:
    """Return where a thread is that did not yield; like a traceback."""
    lines = traceback.StackSummary.extract(traceback.walk_stack(frame))
    lines.reverse()
    while lines and _is_runner(lines[0].filename):
        lines.pop(0)
    text = _mark("".join(["It was here when its worker was ended:\n", *lines.format()]))
    return storable(masker(text), get_settings().ERROR_MAX_BYTES)


def _kind(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, TaskCancelled):
        return Outcome.CANCELLED, "cancelled"
    if isinstance(error, TaskTimedOut):
        return Outcome.TIMED_OUT, "timed_out"
    if isinstance(error, ScheduledTasksError):
        return Outcome.FAILED, error.code
    return Outcome.FAILED, next((code for kind, code in _CODES.items() if isinstance(error, kind)), "failed")


def _message(error: BaseException) -> str:
    try:
        text = f"The function called sys.exit({error.code!r})." if isinstance(error, SystemExit) else str(error)
    except Exception:  # noqa: BLE001  (an exception's __str__ is user code and may itself fail)
        text = "(its message could not be made)"
    return text or exception_name(type(error))


def _traceback(error: BaseException) -> str:
    """Format *error* with its causes, without the frames of the runner that called the function."""
    try:
        formatted = traceback.TracebackException.from_exception(error, max_group_width=5)
        for one in _chain(formatted):
            _shorten(one.stack)
        return _mark("".join(formatted.format()))
    except Exception:  # noqa: BLE001  (formatting calls user code, and there may be no memory)
        return "".join(traceback.format_tb(error.__traceback__, limit=FRAMES))


def _chain(formatted: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """Yield *formatted*, its causes, and the members of groups."""
    waiting = [formatted]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += filter(None, [one.__cause__, one.__context__, *(one.exceptions or ())])


def _shorten(stack: traceback.StackSummary) -> None:
    """Take out the frames of the runner, and the middle of a recursion that went very deep."""
    while stack and _is_runner(stack[0].filename):
        stack.pop(0)
    if len(stack) > 2 * FRAMES:
        gap = traceback.FrameSummary(f"{len(stack) - 2 * FRAMES} frames left out", 0, "…", lookup_line=False, line="")
        stack[FRAMES:-FRAMES] = [gap]


def _is_runner(filename: str) -> bool:
    path = filename.replace("\\", "/")
    return f"{_PACKAGE}runner/" in path or path.endswith(("/asyncio/runners.py", "/asyncio/base_events.py"))


def _mark(text: str) -> str:
    """Put :data:`LIBRARY` before the frames that are not the project's own."""
    return _FRAME.sub(lambda found: f"{found[1]}{LIBRARY if _is_library(found[3]) else ''}{found[2]}", text)


def _is_library(filename: str) -> bool:
    path = filename.replace("\\", "/")
    return (
        path.startswith(("<", *_LIBRARY_PATHS))
        or "/site-packages/" in path
        or "/dist-packages/" in path
        or _PACKAGE in path
    )
