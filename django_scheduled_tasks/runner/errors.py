"""What is kept of an exception: type, message and traceback, capped in size."""

from __future__ import annotations

import traceback

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import ScheduledTasksError, TaskCancelled, TaskTimedOut
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.registry import exception_name
from django_scheduled_tasks.services.attempts import Failure

CUT = "… [cut] …"
_RUNNER = "/django_scheduled_tasks/runner/"


def storable(text: str, limit: int) -> str:
    """Return *text* as every database takes it: no NUL, no lone surrogates, at most *limit* bytes, cut in the middle.

    The beginning says where, the end says what; both are kept.
    """
    raw = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode()
    half = max((limit - len(CUT.encode()) - 2) // 2, 0)
    return f"{raw[:half].decode(errors='ignore')}\n{CUT}\n{raw[len(raw) - half :].decode(errors='ignore')}"


def failure_of(error: BaseException) -> Failure:
    """Return what is kept of *error*."""
    limit = get_settings().ERROR_MAX_BYTES
    kinds = tuple(exception_name(kind) for kind in type(error).__mro__)
    if isinstance(error, TaskCancelled):
        return Failure(outcome=Outcome.CANCELLED, code="cancelled", message="It was cancelled while it ran.")
    outcome, code = Outcome.FAILED, "failed"
    if isinstance(error, TaskTimedOut):
        outcome, code = Outcome.TIMED_OUT, "timed_out"
    elif isinstance(error, ScheduledTasksError):
        code = error.code
    elif isinstance(error, SystemExit):
        code = "system_exit"
    return Failure(
        outcome=outcome,
        code=code,
        message=storable(_message(error), limit),
        type=exception_name(type(error))[:200],
        traceback=storable(_traceback(error), limit),
        kinds=kinds,
    )


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  (an exception's __str__ is user code and may itself fail)
        text = "(its message could not be made)"
    if isinstance(error, SystemExit):
        return f"The function called sys.exit({error.code!r})."
    return text or exception_name(type(error))


def _traceback(error: BaseException) -> str:
    """Format *error* with its causes, without the frames of the runner that called the function."""
    try:
        formatted = traceback.TracebackException.from_exception(error, limit=200, max_group_width=5)
        while formatted.stack and _RUNNER in formatted.stack[0].filename.replace("\\", "/"):
            formatted.stack.pop(0)
        return "".join(formatted.format())
    except Exception:  # noqa: BLE001  (as above: formatting calls user code)
        return "".join(traceback.format_tb(error.__traceback__))
