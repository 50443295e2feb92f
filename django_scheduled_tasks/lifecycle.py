"""The life of an execution: statuses, outcomes, and the one table of legal transitions. Pure.

::

    pending ──claim──▶ processing ──▶ completed
       │  ▲                │  └─────▶ errors (failed, timed_out, worker_lost, cancelled)
       │  └────retry───────┘
       └──▶ errors (cancelled, expired; skipped, if it waited in a database that was copied)

    What a worker gives back to those of another release goes the way of a retry, but counts as no attempt.
    A skipped or a missed occurrence is written in its final state and never moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

LATE_AFTER = timedelta(seconds=30)
"""A task whose next instant is this far in the past is late; before that it is merely due."""


class Status(StrEnum):
    """Where an execution is; the four words that programs see."""

    PENDING = "pending"
    """Recorded; waits for a worker, for ``not_before``, for its turn, or for its next attempt."""
    PROCESSING = "processing"
    """A worker holds its lease and runs the function."""
    COMPLETED = "completed"
    """The function returned."""
    ERRORS = "errors"
    """It ended in any other way; the outcome says which."""


class Outcome(StrEnum):
    """How an execution ended."""

    SUCCEEDED = "succeeded"
    """The function returned."""
    FAILED = "failed"
    """The function raised an error, or could not be called."""
    TIMED_OUT = "timed_out"
    """It was ended at its time limit."""
    WORKER_LOST = "worker_lost"
    """The worker stopped renewing its lease."""
    CANCELLED = "cancelled"
    """Somebody cancelled it."""
    EXPIRED = "expired"
    """It waited longer than allowed and never started."""
    SKIPPED = "skipped"
    """It was due while another execution of the task was open, or while the task stood still, or it waited in a copied
    database; it never started."""
    MISSED = "missed"
    """No scheduler got to it in time, and the task's catch-up or grace says not to start it so late."""


FAILED_OUTCOMES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.WORKER_LOST)
"""The ends of an execution that ran and did not succeed."""
RAN_OUTCOMES = (Outcome.SUCCEEDED, *FAILED_OUTCOMES)
"""The ends of an execution that ran until it was done, one way or the other."""
BAD_OUTCOMES = tuple(sorted(map(str, (*FAILED_OUTCOMES, Outcome.MISSED))))
"""The ends from which alerts may follow."""


class PauseCode(StrEnum):
    """Why the scheduler has paused a task."""

    UNKNOWN_FUNCTION = "unknown_function"
    """No process that runs knows its function."""
    INVALID_SCHEDULE = "invalid_schedule"
    """No process that runs can read its schedule."""
    NOT_PLANNED = "not_planned"
    """It could not be planned, or its occurrences could not be written."""
    KEEPS_FAILING = "keeps_failing"
    """As many executions in a row failed as it allows."""
    NOT_IN_CODE = "not_in_code"
    """It is no longer declared in the code."""


BROKEN: frozenset[PauseCode] = frozenset({PauseCode.UNKNOWN_FUNCTION, PauseCode.INVALID_SCHEDULE})
"""A pause for one of these is a downtime: it ends by itself once a process knows what was not known, and catch-up and
grace decide about what was due meanwhile."""


EXCLUDED = "excluded"
"""What a skipped occurrence says in ``error_code`` if calendars have left it out."""
SKIPPED_BY_HAND = "by_hand"
"""What a skipped occurrence says in ``error_code`` if somebody asked for that."""


class Trigger(StrEnum):
    """What brought an execution about."""

    SCHEDULE = "schedule"
    """It was due."""
    ADMIN = "admin"
    """Somebody pressed Run once in the admin."""
    API = "api"
    """A program asked for it over REST."""
    PYTHON = "python"
    """Python code asked for it."""
    CLI = "cli"
    """Somebody asked for it on the command line."""
    RERUN = "rerun"
    """Somebody asked for an earlier execution to be repeated."""
    BACKFILL = "backfill"
    """Somebody asked for the occurrences of a past range."""


class Overlap(StrEnum):
    """What happens when a task is due, or run once, while an execution of it is open."""

    SKIP = "skip"
    """Start nothing; record the occurrence as skipped."""
    QUEUE_ONE = "queue_one"
    """Keep at most one waiting; later ones are skipped."""
    QUEUE_ALL = "queue_all"
    """All wait, one at a time, in order."""
    CANCEL_RUNNING = "cancel_running"
    """Ask the open one to stop and start when it has ended."""
    ALLOW = "allow"
    """Run side by side."""


class CatchUp(StrEnum):
    """Which of several late occurrences are started."""

    LATEST = "latest"
    """The newest; the others are recorded as missed."""
    ALL = "all"
    """Each one, oldest first, at most the 100 newest; they wait for each other unless they may overlap.
    Under ``cancel_running`` the newest alone starts."""
    NONE = "none"
    """None; all that are found more than 10 seconds late (``ON_TIME`` in the settings) are recorded as missed."""


class OnExcluded(StrEnum):
    """What becomes of an occurrence that a calendar excludes."""

    SKIP = "skip"
    """It is left out."""
    NEXT_ALLOWED = "next_allowed"
    """It moves to the next day on which its time is allowed."""
    PREVIOUS_ALLOWED = "previous_allowed"
    """It moves to the last day before on which its time is allowed."""
    DELAY = "delay"
    """It waits until the excluded days or hours are over."""


class Replay(StrEnum):
    """What becomes of the runs that were due while a task was paused."""

    FROM_NOW = "from_now"
    """None of them starts; they stay in the history as skipped."""
    LATEST = "latest"
    """The latest starts; the others stay as skipped."""
    ALL = "all"
    """Each one, oldest first, one after the other; at most 1,000."""


class OnWorkerLost(StrEnum):
    """What happens to an execution whose worker died."""

    FAIL = "fail"
    """It ends; the work may have half happened."""
    RETRY = "retry"
    """It gets its next attempt, if one is left."""


class LogLevel(StrEnum):
    """Which log lines of an execution are kept."""

    DEBUG = "DEBUG"
    """All."""
    INFO = "INFO"
    """What happens, and all that is worse."""
    WARNING = "WARNING"
    """What may be wrong, and all that is worse."""
    ERROR = "ERROR"
    """What went wrong."""
    CRITICAL = "CRITICAL"
    """What stops everything."""
    NONE = "NONE"
    """None at all, and nothing of what it prints."""


class Origin(StrEnum):
    """Where a task was defined."""

    CODE = "code"
    """Declared with ``@scheduled_task``."""
    ADMIN = "admin"
    """Made in the admin or over REST."""


OPEN: frozenset[Status] = frozenset({Status.PENDING, Status.PROCESSING})
"""Statuses of executions that have not ended."""

ENDED: frozenset[Status] = frozenset({Status.COMPLETED, Status.ERRORS})
"""Statuses that are final."""

TRANSITIONS: Mapping[Status, Mapping[Status, frozenset[Outcome | None]]] = {
    Status.PENDING: {
        Status.PROCESSING: frozenset({None}),
        Status.ERRORS: frozenset({Outcome.CANCELLED, Outcome.EXPIRED, Outcome.SKIPPED}),
    },
    Status.PROCESSING: {
        Status.COMPLETED: frozenset({Outcome.SUCCEEDED}),
        Status.ERRORS: frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.WORKER_LOST, Outcome.CANCELLED}),
        Status.PENDING: frozenset({None}),
    },
    Status.COMPLETED: {},
    Status.ERRORS: {},
}
"""From status, to status, with which outcomes. Nothing else ever happens to an execution."""

BORN: Mapping[Status, frozenset[Outcome | None]] = {
    Status.PENDING: frozenset({None}),
    Status.ERRORS: frozenset({Outcome.SKIPPED, Outcome.MISSED}),
}
"""The states in which an execution may be written first."""


def sources(to: Status, outcome: Outcome | None = None) -> frozenset[Status]:
    """Return the statuses from which an execution may move to *to* with *outcome*."""
    return frozenset(status for status, after in TRANSITIONS.items() if outcome in after.get(to, frozenset()))


def outcomes_of(status: Status) -> frozenset[Outcome | None]:
    """Return the outcomes that an execution in *status* can have; ``{None}`` while it is open."""
    reached = {outcome for after in TRANSITIONS.values() for outcome in after.get(status, frozenset())}
    return frozenset(reached | BORN.get(status, frozenset()))
