"""The words, colours and sentences for the state of an execution: defined once, used wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.lifecycle import Outcome, Status

LATE_AFTER = timedelta(seconds=30)
"""A task whose next instant is this far in the past is late; before that it is merely due."""
Text = str | Promise


@dataclass(frozen=True, slots=True)
class Word:
    """How one state is shown."""

    key: str
    label: Text
    tone: str
    """``ok``, ``bad``, ``run``, ``wait`` or ``warn``: the colour."""
    icon: str
    """The outline, distinct without colour; the name of a symbol in the icons' template."""


PENDING = Word("pending", gettext_lazy("Pending"), "wait", "ring-dashed")
RETRYING = Word("retrying", gettext_lazy("Retrying"), "wait", "ring-dashed-arrow")
RUNNING = Word("running", gettext_lazy("Running"), "run", "ring-quarter")
COMPLETED = Word("completed", gettext_lazy("Completed"), "ok", "disc-tick")
_ENDS = {
    Outcome.SUCCEEDED: COMPLETED,
    Outcome.FAILED: Word("failed", gettext_lazy("Failed"), "bad", "octagon-cross"),
    Outcome.TIMED_OUT: Word("timed_out", gettext_lazy("Timed out"), "bad", "disc-clock"),
    Outcome.WORKER_LOST: Word("worker_lost", gettext_lazy("Worker lost"), "warn", "ring-broken"),
    Outcome.CANCELLED: Word("cancelled", gettext_lazy("Cancelled"), "wait", "ring-slash"),
    Outcome.EXPIRED: Word("expired", gettext_lazy("Expired"), "warn", "hourglass"),
    Outcome.SKIPPED: Word("skipped", gettext_lazy("Skipped"), "wait", "chevrons"),
    Outcome.MISSED: Word("missed", gettext_lazy("Missed"), "warn", "triangle"),
}


def word_of(status: str, outcome: str = "", attempt: int = 1) -> Word:
    """Return how an execution in this state is shown."""
    if status == Status.PENDING:
        return RETRYING if attempt > 1 else PENDING
    if status == Status.PROCESSING:
        return RUNNING
    return _ENDS[Outcome(outcome)]


def sentence_of(execution: Any) -> str:
    """Return one sentence that says what the state of *execution* means; nothing is asked of the database."""
    word = word_of(execution.status, execution.outcome, execution.attempt)
    if word is RUNNING:
        return _("Started by %(host)s.") % {"host": execution.worker_host}
    if execution.outcome in {Outcome.SKIPPED, Outcome.MISSED, Outcome.EXPIRED, Outcome.WORKER_LOST}:
        return str(execution.error_message)
    return {
        "pending": _("Waiting for a worker."),
        "retrying": _("Waiting for its next attempt."),
        "completed": _("Finished without an error."),
        "failed": _("The function raised an error."),
        "timed_out": _("Stopped at its time limit."),
        "cancelled": _("Somebody cancelled it."),
    }[word.key]
