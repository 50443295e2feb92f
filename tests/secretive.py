"""A task with secrets and a failed execution that says something: what tests of the admin and of REST must not show."""

from __future__ import annotations

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Attempt, Execution, ExecutionLog, ScheduledTask, read_now
from tests.factories import EDITOR, LOG_VIEWER, OPERATOR, VIEWER, make_execution, make_task

PARAMS = {"password": "pa55word", "user": "anna", "servers": [{"host": "a", "token": "t0ken-of-a"}]}
NEVER_SHOWN = ("pa55word", "t0ken-of-a", "built-in")
SAID = "said by the function"
LEVELS = {"stranger": (), "viewer": VIEWER, "log viewer": LOG_VIEWER, "operator": OPERATOR, "editor": EDITOR}
"""Who may see what, from nobody to everybody."""


def make_nightly() -> ScheduledTask:
    """Make the task."""
    return make_task(name="nightly", function="testapp.log_in", params=PARAMS)


def make_failed(task: ScheduledTask) -> Execution:
    """Make an execution of it whose message, traceback, first attempt and log say :data:`SAID`."""
    error = {"error_code": "failed", "error_type": "ValueError", "error_message": f"{SAID}\n{SAID}"}
    execution = make_execution(task, status=Status.ERRORS, attempt=2, traceback=SAID, **error)
    Attempt.objects.create(execution=execution, number=1, ended_at=read_now(), outcome=Outcome.FAILED, **error)
    ExecutionLog.objects.create(
        execution=execution, number=1, attempt=1, logged_at=read_now(), level="INFO", logger="x", message=SAID
    )
    return execution
