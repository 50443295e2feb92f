"""What is kept of an exception: type, message and traceback, capped in size and without secrets."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterator
from types import FrameType

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import ScheduledTasksError, TaskCancelled, TaskTimedOut
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.policies import exception_name
from django_scheduled_tasks.services.running.redaction import Masker, storable
from django_scheduled_tasks.services.running.retry import Failure

LIBRARY = "(library) "
"""Stands before ``File "…"`` where a frame of a traceback is not the project's own code."""
FRAMES = 100
"""The most frames kept at the beginning and at the end of a very deep traceback."""
TYPE_MAX_LENGTH = 200
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


def failure_of(error: BaseException, masker: Masker | None = None) -> Failure:
    """Return what is kept of *error*; *masker* takes the secrets out."""
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
    """Return what can always be kept of *error*: its type."""
    outcome, code = _kind(error)
    name = storable(exception_name(type(error)), TYPE_MAX_LENGTH)
    return Failure(outcome=outcome, code=code, message=name, type=name)


def stack_of(frame: FrameType, masker: Masker) -> str:
    """Return the stack of a function that did not yield, written like a traceback."""
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
