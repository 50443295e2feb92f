"""The label, icon and colour of each status, and the sentence that explains it.

Every label for a status, a task's state or a trigger is defined here, once. No model is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, npgettext_lazy, pgettext_lazy

from django_scheduled_tasks.admin.ui.text.humanize import duration_text, short_duration_text
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger


class Tone(StrEnum):
    """The colour of a label. Each label also has an icon with its own outline, so colour is never the only sign."""

    OK = "ok"
    BAD = "bad"
    RUN = "run"
    WAIT = "wait"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class StatusLabel:
    """How a status is shown."""

    key: str
    """The key of the status; also the name of the icon, as a rule."""
    label: Any
    """Lazily translated text."""
    tone: Tone
    shape: str = ""
    """The name of the icon, if it is not the key."""

    @property
    def icon(self) -> str:
        """The name of the icon."""
        return self.shape or self.key


STATUS_LABELS: Mapping[str, StatusLabel] = {
    word.key: word
    for word in (
        StatusLabel("pending", pgettext_lazy("status", "Pending"), Tone.WAIT),
        StatusLabel("retrying", pgettext_lazy("status", "Retrying"), Tone.WAIT),
        StatusLabel("running", pgettext_lazy("status", "Running"), Tone.RUN),
        StatusLabel("completed", pgettext_lazy("status", "Completed"), Tone.OK),
        StatusLabel("failed", pgettext_lazy("status", "Failed"), Tone.BAD),
        StatusLabel("timed_out", pgettext_lazy("status", "Timed out"), Tone.BAD),
        StatusLabel("worker_lost", pgettext_lazy("status", "Worker lost"), Tone.WARN),
        StatusLabel("cancelled", pgettext_lazy("status", "Cancelled"), Tone.WAIT),
        StatusLabel("expired", pgettext_lazy("status", "Expired"), Tone.WARN),
        StatusLabel("skipped", pgettext_lazy("status", "Skipped"), Tone.WAIT),
        StatusLabel("missed", pgettext_lazy("status", "Missed"), Tone.WARN),
    )
}
"""The statuses of an execution as people see them."""
WAS_RUNNING = StatusLabel("was_running", pgettext_lazy("status", "Was running"), Tone.WAIT, shape="running")
"""Of what was running when the database was copied."""

STATE_LABELS: Mapping[str, StatusLabel] = {
    word.key: word
    for word in (
        StatusLabel("active", pgettext_lazy("state of a task", "Active"), Tone.OK),
        StatusLabel("paused", pgettext_lazy("state of a task", "Paused"), Tone.WAIT),
        StatusLabel("late", pgettext_lazy("state of a task", "Late"), Tone.WARN),
        StatusLabel("broken", pgettext_lazy("state of a task", "Broken"), Tone.BAD),
        StatusLabel("elsewhere", pgettext_lazy("state of a task", "Elsewhere"), Tone.WAIT, shape="skipped"),
        StatusLabel("held", pgettext_lazy("state of a task", "Held"), Tone.WAIT, shape="paused"),
        StatusLabel("done", pgettext_lazy("state of a task", "Done"), Tone.WAIT),
    )
}
"""The states of a task; *active* has no pill."""

STATUS_COUNTS: Mapping[str, Any] = {
    "pending": npgettext_lazy("executions", "%(count)s pending", "%(count)s pending", "count"),
    "retrying": npgettext_lazy("executions", "%(count)s retrying", "%(count)s retrying", "count"),
    "running": npgettext_lazy("executions", "%(count)s running", "%(count)s running", "count"),
    "completed": npgettext_lazy("executions", "%(count)s completed", "%(count)s completed", "count"),
    "failed": npgettext_lazy("executions", "%(count)s failed", "%(count)s failed", "count"),
    "timed_out": npgettext_lazy("executions", "%(count)s timed out", "%(count)s timed out", "count"),
    "worker_lost": npgettext_lazy("executions", "%(count)s worker lost", "%(count)s worker lost", "count"),
    "cancelled": npgettext_lazy("executions", "%(count)s cancelled", "%(count)s cancelled", "count"),
    "expired": npgettext_lazy("executions", "%(count)s expired", "%(count)s expired", "count"),
    "skipped": npgettext_lazy("executions", "%(count)s skipped", "%(count)s skipped", "count"),
    "missed": npgettext_lazy("executions", "%(count)s missed", "%(count)s missed", "count"),
}
"""The number of executions in a status, as part of a sentence."""

TRIGGER_LABELS: Mapping[str, Any] = {
    Trigger.SCHEDULE: gettext_lazy("Schedule"),
    Trigger.ADMIN: gettext_lazy("Run once"),
    Trigger.API: "API",
    Trigger.PYTHON: "Python",
    Trigger.CLI: gettext_lazy("Command line"),
    Trigger.RERUN: gettext_lazy("Run again"),
    Trigger.BACKFILL: gettext_lazy("Backfill"),
}
"""What started an execution."""


def label_of(status: str, outcome: str = "", attempt: int = 1) -> StatusLabel:
    """Return the label of an execution with this status and outcome."""
    if status == Status.PENDING:
        return STATUS_LABELS["retrying" if attempt > 1 else "pending"]
    if status == Status.PROCESSING:
        return STATUS_LABELS["running"]
    if status == Status.COMPLETED:
        return STATUS_LABELS["completed"]
    return STATUS_LABELS[outcome or Outcome.FAILED]


# --- sentences ----------------------------------------------------------------------------------------------------


class Explainable(Protocol):
    """The attributes of an execution that :func:`explain` reads."""

    status: Any
    outcome: Any
    attempt: Any
    not_before: Any
    started_at: Any
    worker_host: Any
    blocked_by_id: Any


def explain(
    execution: Explainable,
    *,
    now: datetime | None = None,
    max_attempts: int = 1,
    timeout: timedelta | None = None,
    expires_after: timedelta | None = None,
    cancelled_by: str = "",
) -> str:
    """Return one sentence that explains the status of an execution.

    Args:
        execution: The execution.
        now: Aware; default: the present.
        max_attempts: The limit of attempts of its task.
        timeout: The time limit of its task.
        expires_after: How long its task lets it wait for a worker.
        cancelled_by: The name of the user who cancelled it; empty if unknown.
    """
    now = now or datetime.now(UTC)
    key = label_of(execution.status, execution.outcome, execution.attempt).key
    if key == "pending":
        if execution.not_before and execution.not_before > now:
            return _("Starts in %(duration)s.") % {"duration": short_duration_text(execution.not_before - now)}
        return _("Waiting for a worker.")
    if key == "retrying":
        return _retrying(execution, now, max_attempts)
    if key == "running":
        ago = short_duration_text(now - (execution.started_at or now))
        return _("Started %(duration)s ago by %(worker)s.") % {"duration": ago, "worker": execution.worker_host}
    if key == "timed_out" and timeout is not None:
        return _("Stopped at its time limit of %(duration)s.") % {"duration": duration_text(timeout)}
    if key == "cancelled" and cancelled_by:
        return _("Cancelled by %(user)s.") % {"user": cancelled_by}
    if key == "expired" and expires_after is not None:
        return _("Waited longer than %(duration)s for a worker.") % {"duration": duration_text(expires_after)}
    if key == "skipped" and execution.blocked_by_id:
        return _("Execution #%(number)s was still running.") % {"number": execution.blocked_by_id}
    return str(_SENTENCES[key])


_SENTENCES = {
    "completed": gettext_lazy("Finished without an error."),
    "failed": gettext_lazy("The function raised an error."),
    "timed_out": gettext_lazy("Stopped at its time limit."),
    "worker_lost": gettext_lazy("The worker stopped answering."),
    "cancelled": gettext_lazy("Cancelled."),
    "expired": gettext_lazy("Waited too long for a worker."),
    "skipped": gettext_lazy("Another execution was still running."),
    "missed": gettext_lazy("No scheduler got to it in time."),
}


def _retrying(execution: Explainable, now: datetime, max_attempts: int) -> str:
    values = {"attempt": execution.attempt, "attempts": max(max_attempts, execution.attempt)}
    if execution.not_before and execution.not_before > now:
        values["duration"] = short_duration_text(execution.not_before - now)
        return _("Attempt %(attempt)s of %(attempts)s starts in %(duration)s.") % values
    return _("Attempt %(attempt)s of %(attempts)s is waiting for a worker.") % values


def starter_text(row: Any) -> str:
    """Return who or what started an execution: Schedule, anna, Run once, API."""
    trigger = str(TRIGGER_LABELS[row.trigger])
    return f"{row.triggered_by}, {trigger}" if row.triggered_by_id else trigger
