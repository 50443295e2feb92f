"""What the functions of all releases do: they leave a trace outside of the database, and start other tasks."""

from __future__ import annotations

import os
import time

from django_scheduled_tasks import context, task
from tests.chaos.deploys import tempo

tempo.apply()


def run(line: int, release: str) -> int:
    """Leave a trace of this execution, which is one of the task *line*, as it is in *release*."""
    execution = context.execution
    assert execution is not None
    time.sleep((execution.number % 7) * 0.004)
    _trace("end", execution.number, execution.attempt, line, release)
    return execution.number


def start(name: str, release: str) -> str:
    """Start the task called *name*, as a page of this *release* does."""
    info, errors = task(name).run_once()
    if info is not None:
        _trace("asked", info.tracking_id, release)
        return str(info.tracking_id)
    code = errors.items[0].code if errors is not None and errors.items else "unknown"
    _trace("refused", code, release)
    return code


def _trace(*words: object) -> None:
    """Append a line in one write, so that lines of several processes do not mix."""
    handle = os.open(os.environ["DEPLOYS_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, (" ".join(map(str, (*words, os.getpid()))) + "\n").encode())
    finally:
        os.close(handle)
