"""A function for the chaos runner: it leaves a trace of each run outside of the database."""

from __future__ import annotations

import os
import time

from django_scheduled_tasks import context, scheduled_task


def leave_trace(what: str, number: int, attempt: int) -> None:
    """Append a line in one write, so that lines of several processes do not mix."""
    handle = os.open(os.environ["CHAOS_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, f"{what} {number} {attempt} {time.monotonic():.6f} {os.getpid()}\n".encode())
    finally:
        os.close(handle)


@scheduled_task
def traced(seconds: float = 0.0) -> int:
    """Leaves a trace at its start and at its end, and takes some time in between."""
    execution = context.execution
    assert execution is not None
    leave_trace("start", execution.number, execution.attempt)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(0.05, seconds))
        context.progress(None, message="working")
    leave_trace("end", execution.number, execution.attempt)
    return execution.number
