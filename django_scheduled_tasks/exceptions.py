"""One family of errors: each has a stable code for programs, an HTTP status, and a plain sentence for people.

This module imports nothing of ours but what translates, so that every layer may raise and catch these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django_scheduled_tasks.translation import gettext as _


class ScheduledTasksError(Exception):
    """Base of all errors that this package raises on purpose.

    Attributes:
        code: Stable, for programs.
        status: The HTTP status with which the REST API answers.
        details: What the caller needs in order to react: names in Python's style, values of JSON types only.
    """

    code: str = "error"
    status: int = 500

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message or (self.__doc__ or self.code).splitlines()[0])
        self.details: dict[str, Any] = details

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.args[0])


class TaskNotFound(ScheduledTasksError):
    """There is no such scheduled task."""

    code, status = "task_not_found", 404

    def __init__(self, name: object) -> None:
        super().__init__(_('There is no scheduled task "%(name)s".') % {"name": name})


class ExecutionNotFound(ScheduledTasksError):
    """There is no such execution of this task."""

    code, status = "execution_not_found", 404

    def __init__(self, tracking_id: object, *, task: str = "") -> None:
        text = (
            _('There is no execution %(execution)s of the scheduled task "%(task)s".')
            if task
            else _("There is no execution %(execution)s.")
        )
        super().__init__(text % {"execution": tracking_id, "task": task})


class HoldNotFound(ScheduledTasksError):
    """There is no such hold."""

    code, status = "hold_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no hold %(number)s.") % {"number": number})


class HoldEnded(ScheduledTasksError):
    """The hold is over already."""

    code, status = "hold_ended", 409

    def __init__(self, number: object) -> None:
        super().__init__(_("Hold %(number)s is over already.") % {"number": number})


class AlertNotFound(ScheduledTasksError):
    """There is no such alert."""

    code, status = "alert_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no alert %(number)s.") % {"number": number})


class AlertClosed(ScheduledTasksError):
    """The alert is over already."""

    code, status = "alert_closed", 409

    def __init__(self, number: object) -> None:
        super().__init__(_("Alert %(number)s is over already.") % {"number": number})


class AlertRuleNotFound(ScheduledTasksError):
    """There is no such alert rule."""

    code, status = "rule_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no alert rule %(number)s.") % {"number": number})


class ChannelNotFound(ScheduledTasksError):
    """There is no such channel."""

    code, status = "channel_not_found", 404

    def __init__(self, number: object) -> None:
        super().__init__(_("There is no channel %(number)s.") % {"number": number})


class FunctionNotRegistered(ScheduledTasksError):
    """The function of this task is not in the code."""

    code, status = "function_not_registered", 409

    def __init__(self, function: str) -> None:
        text = _(
            'The function "%(function)s" is not in the code. Put @scheduled_task on it in the tasks.py of an'
            " installed app, or choose another function."
        )
        super().__init__(text % {"function": function})
        self.function = function


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of an input."""

    field: str
    """The argument's or column's name in Python; parts of a nested one are joined with dots."""
    message: str
    """A plain sentence without the field's name."""
    code: str = "invalid"
    """For programs, and stable; ``missing``, ``unknown``, or the kind of validation that failed."""


class InvalidInput(ScheduledTasksError):
    """The input is not valid; one :class:`FieldError` for each wrong field."""

    code, status = "invalid_input", 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class InvalidParameters(InvalidInput):
    """The parameters do not fit the function's signature."""

    code = "invalid_parameters"


class InvalidTask(InvalidInput):
    """A field of the scheduled task is not valid."""

    code = "invalid_task"


class InvalidSchedule(ScheduledTasksError):
    """The schedule cannot be understood, or would never be due.

    Args:
        message: A sentence that says what is wrong and what would be right.
        field: The part that is wrong: ``minute``, ``hour``, …, ``timezone``, ``interval``; empty for the whole.
        value: What was given for it.
        allowed: The lowest and the highest value allowed, where that is the rule that was broken.
    """

    code, status = "invalid_schedule", 422

    def __init__(
        self, message: str, *, field: str = "", value: str = "", allowed: tuple[int, int] | None = None
    ) -> None:
        details = {"field": field or "expression", "value": value, "allowed": list(allowed) if allowed else None}
        super().__init__(message, **details)
        self.field, self.value, self.allowed = field, value, allowed


class TaskChanged(ScheduledTasksError):
    """The scheduled task is not in the version any more that the caller has read."""

    code, status = "task_changed", 412

    def __init__(self, name: str) -> None:
        text = _('Somebody has changed the scheduled task "%(name)s" since you read it. Read it again, then change it.')
        super().__init__(text % {"name": name})


class AlreadyRunning(ScheduledTasksError):
    """Another execution is open, and the overlap policy says no."""

    code, status = "already_running", 409

    def __init__(self, *, tracking_id: UUID, number: int | None = None, task: str = "") -> None:
        text = (
            _('Execution %(execution)s of "%(task)s" is still open.')
            if task
            else _("Execution %(execution)s is still open.")
        )
        super().__init__(text % {"execution": tracking_id, "task": task}, tracking_id=str(tracking_id))
        self.tracking_id = tracking_id
        self.number = number


class AlreadyPaused(ScheduledTasksError):
    """Somebody else, or the scheduler, has paused the task. Resume it before it is paused for another reason."""

    code, status = "already_paused", 409

    def __init__(self, *, task: str, since: datetime, by: str = "", reason: str = "") -> None:
        self.task, self.since, self.by, self.reason = task, since, by, reason
        super().__init__(self.sentence(f"{since:%Y-%m-%d %H:%M} UTC"), since=since.isoformat(), reason=reason)

    def sentence(self, since: str) -> str:
        """Return the sentence for people, with the instant as *since* has it."""
        text = (
            _('"%(task)s" has been paused by %(user)s since %(instant)s')
            if self.by
            else _('"%(task)s" has been paused since %(instant)s')
        )
        said = text % {"task": self.task, "user": self.by, "instant": since}
        return f"{said}: “{self.reason}”." if self.reason else f"{said}."


class ConfirmationRequired(ScheduledTasksError):
    """The task asks before Run once, and nobody has been asked."""

    code, status = "confirmation_required", 409

    def __init__(self, *, task: str) -> None:
        super().__init__(_('"%(task)s" asks before Run once.') % {"task": task})


class FunctionChanged(ScheduledTasksError):
    """The task has another function than the execution that is to be repeated."""

    code, status = "function_changed", 409

    def __init__(self, *, number: int, then: str, now: str) -> None:
        text = _(
            'Execution #%(number)s ran "%(then)s", but its task now runs "%(now)s", which does not get the parameters'
            " of another function. Run the task once instead."
        )
        super().__init__(text % {"number": number, "then": then, "now": now}, function=now)


class IdempotencyMismatch(ScheduledTasksError):
    """The idempotency key was used before with another request."""

    code, status = "idempotency_mismatch", 422

    def __init__(self, *, tracking_id: UUID) -> None:
        super().__init__(
            _("This idempotency key was used before with another request. Use a new key for a new request."),
            tracking_id=str(tracking_id),
        )
        self.tracking_id = tracking_id


class StaleTransaction(ScheduledTasksError):
    """The caller's transaction does not see that the same was started meanwhile; only under REPEATABLE READ."""

    code, status = "stale_transaction", 409

    def __init__(self) -> None:
        super().__init__(
            _(
                "The same was started meanwhile, which this transaction does not see since it began before. Try again"
                " in a new transaction."
            )
        )


class NotCancellable(ScheduledTasksError):
    """The execution has ended already, so it cannot be cancelled."""

    code, status = "not_cancellable", 409

    def __init__(self, *, tracking_id: UUID, outcome: str) -> None:
        text = _("Execution %(execution)s has ended already (%(outcome)s).")
        super().__init__(text % {"execution": tracking_id, "outcome": outcome}, outcome=outcome)


class EngineUnavailable(ScheduledTasksError):
    """The engine could not take the execution. Its row is kept, and the scheduler sends it again."""

    code, status = "engine_unavailable", 503


class DatabaseUnavailable(ScheduledTasksError):
    """The database does not answer."""

    code, status = "database_unavailable", 503

    def __init__(self) -> None:
        super().__init__(_("The database does not answer. Try again later."))


class HeldCopy(ScheduledTasksError):
    """This database is a copy: nothing runs by schedule until somebody says that this is its new home."""

    code, status = "held_copy", 503

    def __init__(self, why: str) -> None:
        text = _("Nothing runs by schedule: the database is taken for a copy. %(why)s")
        super().__init__(text % {"why": why})


class PermissionDenied(ScheduledTasksError):
    """You do not have permission to do this."""

    code, status = "permission_denied", 403

    def __init__(self, message: str = "") -> None:
        super().__init__(message or _("You do not have permission to do this."))


class NotAuthenticated(ScheduledTasksError):
    """Authentication credentials were not provided."""

    code, status = "not_authenticated", 401

    def __init__(self, message: str = "") -> None:
        super().__init__(message or _("Authentication credentials were not provided."))


class Throttled(ScheduledTasksError):
    """Too many requests; try again later."""

    code, status = "throttled", 429


class TaskCancelled(BaseException):
    """Raised inside a function whose execution is being cancelled.

    A ``BaseException``, so that a function's own ``except Exception`` does not swallow it by accident.
    """


class TaskTimedOut(BaseException):
    """Raised inside a function that has reached its time limit; a ``BaseException`` for the same reason."""
