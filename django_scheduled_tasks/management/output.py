"""Printing executions and errors, and waiting, for the commands."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import NoReturn

from django.core.management.base import BaseCommand, CommandError

from django_scheduled_tasks.client import task as handle_of
from django_scheduled_tasks.exceptions import InvalidInput, InvalidParameters, ScheduledTasksError
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.printable import behind, on_one_line, printable_json
from django_scheduled_tasks.services.envelope import Errors, ExecutionInfo, Progress, envelope
from django_scheduled_tasks.services.following.follow import LOOK_EVERY, Follower, look


def wait_for(command: BaseCommand, info: ExecutionInfo, timeout: timedelta | None = None) -> ExecutionInfo:
    """Wait for the end of an execution, and return where it is then; Ctrl-C and the timeout leave it as it is."""
    try:
        answer = handle_of(info.scheduled_task_name).wait(info.tracking_id, timeout)
    except KeyboardInterrupt:
        command.stderr.write(f"Not waiting any longer; execution {info.tracking_id} goes on.")
        sys.exit(130)
    info = answer.info or info
    if info.is_open:
        command.stderr.write(f"It has not ended yet; ask again: manage.py task_status {info.tracking_id}")
    return info


def follow(command: BaseCommand, execution: Execution, *, as_json: bool, timeout: timedelta | None = None) -> None:
    """Print the log of *execution*, and how far it says it is, until it ends; Ctrl-C and the timeout leave it as it is.

    Args:
        command: Which prints.
        execution: Which.
        as_json: Whether the standard output is for the envelope; then this goes to standard error.
        timeout: For how long; None: until it ends.
    """
    follower = Follower(execution)
    until = time.monotonic() + timeout.total_seconds() if timeout is not None else float("inf")
    out = command.stderr if as_json else command.stdout
    try:
        while not follower.is_over and time.monotonic() < until:
            for event in look([follower]).get(follower, ()):
                if event.line is not None:
                    head = f"{event.line.logged_at:%H:%M:%S} {on_one_line(event.line.level)} "
                    out.write(behind(head, event.line.message))
                elif event.info is not None and event.info.is_open and event.info.progress is not None:
                    progress = event.info.progress
                    out.write(f"  {_counted(progress)}{on_one_line(progress.message)}".rstrip())
                out.flush()
            if not follower.is_over:
                time.sleep(max(min(LOOK_EVERY, until - time.monotonic()), 0))
    except KeyboardInterrupt:
        command.stderr.write(f"Not following any longer; execution {execution.tracking_id} goes on.")
        sys.exit(130)


def show(command: BaseCommand, info: ExecutionInfo, *, as_json: bool) -> None:
    """Print where an execution is: as the envelope, or as a line or two for people."""
    if as_json:
        command.stdout.write(printable_json(envelope(info), indent=2))
        return
    state = info.outcome or info.status
    command.stdout.write(f"{on_one_line(info.scheduled_task_name)}: {state}, tracking id {info.tracking_id}")
    if info.progress is not None and info.is_open:
        command.stdout.write(f"  {_counted(info.progress)}{on_one_line(info.progress.message)}".rstrip())
    if info.has_result:
        command.stdout.write(f"  result: {printable_json(info.result)}")
    for item in info.errors:
        command.stderr.write(behind("  ", item.message))


def _counted(progress: Progress) -> str:
    """Return how far it is in numbers, and a blank; nothing if the function only said something."""
    if progress.current is None:
        return ""
    return f"{progress.current} of {progress.total} " if progress.total is not None else f"{progress.current} "


def refuse(command: BaseCommand, error: ScheduledTasksError, *, as_json: bool) -> NoReturn:
    """Print why a call was refused, a line for each thing that is wrong, and exit with 1."""
    if as_json:
        command.stdout.write(printable_json(envelope(None, Errors.of(error)), indent=2))
        sys.exit(1)
    raise CommandError("\n".join(on_one_line(item.message) for item in Errors.of(error, name_of=option_name).items))


def option_name(error: InvalidInput, field: str) -> str:
    """Return the option that a wrong field was given by."""
    if isinstance(error, InvalidParameters) and field != "params":
        return f"--param {field}"
    return "--" + field.replace("_", "-")
