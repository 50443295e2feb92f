"""The words for people: what a status is called, how durations and distances in time are said. Defined once.

Used by the admin, by the labels of the API and by logs. It knows no model: values come in as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, npgettext_lazy, pgettext_lazy

from django_scheduled_tasks.admin.ui.humanize import say_about, say_duration
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger


class Tone(StrEnum):
    """The colour of a word; never the only sign, each has an icon of its own outline."""

    OK = "ok"
    BAD = "bad"
    RUN = "run"
    WAIT = "wait"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Word:
    """What a status is called."""

    key: str
    """Also the name of the icon."""
    label: Any
    """Lazily translated."""
    tone: Tone

    @property
    def icon(self) -> str:
        """The name of its icon."""
        return self.key


WORDS: Mapping[str, Word] = {
    word.key: word
    for word in (
        Word("pending", pgettext_lazy("status", "Pending"), Tone.WAIT),
        Word("retrying", pgettext_lazy("status", "Retrying"), Tone.WAIT),
        Word("running", pgettext_lazy("status", "Running"), Tone.RUN),
        Word("completed", pgettext_lazy("status", "Completed"), Tone.OK),
        Word("failed", pgettext_lazy("status", "Failed"), Tone.BAD),
        Word("timed_out", pgettext_lazy("status", "Timed out"), Tone.BAD),
        Word("worker_lost", pgettext_lazy("status", "Worker lost"), Tone.WARN),
        Word("cancelled", pgettext_lazy("status", "Cancelled"), Tone.WAIT),
        Word("expired", pgettext_lazy("status", "Expired"), Tone.WARN),
        Word("skipped", pgettext_lazy("status", "Skipped"), Tone.WAIT),
        Word("missed", pgettext_lazy("status", "Missed"), Tone.WARN),
    )
}
"""The statuses of an execution, as people see them."""

STATES: Mapping[str, Word] = {
    word.key: word
    for word in (
        Word("active", pgettext_lazy("state of a task", "Active"), Tone.OK),
        Word("paused", pgettext_lazy("state of a task", "Paused"), Tone.WAIT),
        Word("late", pgettext_lazy("state of a task", "Late"), Tone.WARN),
        Word("broken", pgettext_lazy("state of a task", "Broken"), Tone.BAD),
        Word("done", pgettext_lazy("state of a task", "Done"), Tone.WAIT),
    )
}
"""The states of a task; *active* is not shown."""

COUNTED: Mapping[str, Any] = {
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
"""How many executions are in a status, as a part of a sentence."""

TRIGGERS: Mapping[str, Any] = {
    Trigger.SCHEDULE: gettext_lazy("Schedule"),
    Trigger.ADMIN: gettext_lazy("Run once"),
    Trigger.API: "API",
    Trigger.PYTHON: "Python",
    Trigger.CLI: gettext_lazy("Command line"),
    Trigger.RERUN: gettext_lazy("Run again"),
    Trigger.BACKFILL: gettext_lazy("Backfill"),
}
"""What brought an execution about."""


def word_of(status: str, outcome: str = "", attempt: int = 1) -> Word:
    """Return the word for an execution in this state."""
    if status == Status.PENDING:
        return WORDS["retrying" if attempt > 1 else "pending"]
    if status == Status.PROCESSING:
        return WORDS["running"]
    if status == Status.COMPLETED:
        return WORDS["completed"]
    return WORDS[outcome or Outcome.FAILED]


# --- durations and distances in time ------------------------------------------------------------------------------


# --- sentences ----------------------------------------------------------------------------------------------------


class Described(Protocol):
    """What a sentence is made of; an execution's row has it."""

    status: Any
    outcome: Any
    attempt: Any
    not_before: Any
    started_at: Any
    worker_host: Any
    blocked_by_id: Any


def sentence_of(
    execution: Described,
    *,
    now: datetime | None = None,
    max_attempts: int = 1,
    timeout: timedelta | None = None,
    expires_after: timedelta | None = None,
    cancelled_by: str = "",
) -> str:
    """Return one sentence that says what an execution's status means.

    Args:
        execution: Which.
        now: Aware; default: the present.
        max_attempts: Of its task.
        timeout: The time limit of its task.
        expires_after: How long its task lets it wait.
        cancelled_by: Who cancelled it; empty if that is not known.
    """
    now = now or datetime.now(UTC)
    key = word_of(execution.status, execution.outcome, execution.attempt).key
    if key == "pending":
        if execution.not_before and execution.not_before > now:
            return _("Starts in %(duration)s.") % {"duration": say_about(execution.not_before - now)}
        return _("Waiting for a worker.")
    if key == "retrying":
        return _retrying(execution, now, max_attempts)
    if key == "running":
        ago = say_about(now - (execution.started_at or now))
        return _("Started %(duration)s ago by %(worker)s.") % {"duration": ago, "worker": execution.worker_host}
    if key == "timed_out" and timeout is not None:
        return _("Stopped at its time limit of %(duration)s.") % {"duration": say_duration(timeout)}
    if key == "cancelled" and cancelled_by:
        return _("Cancelled by %(user)s.") % {"user": cancelled_by}
    if key == "expired" and expires_after is not None:
        return _("Waited longer than %(duration)s for a worker.") % {"duration": say_duration(expires_after)}
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


def _retrying(execution: Described, now: datetime, max_attempts: int) -> str:
    values = {"attempt": execution.attempt, "attempts": max(max_attempts, execution.attempt)}
    if execution.not_before and execution.not_before > now:
        values["duration"] = say_about(execution.not_before - now)
        return _("Attempt %(attempt)s of %(attempts)s starts in %(duration)s.") % values
    return _("Attempt %(attempt)s of %(attempts)s is waiting for a worker.") % values
