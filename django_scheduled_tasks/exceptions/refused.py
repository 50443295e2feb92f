"""What was asked for does not go with what is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django_scheduled_tasks.exceptions.base import ScheduledTasksError
from django_scheduled_tasks.translation import gettext as _


class TaskChanged(ScheduledTasksError):
    """The scheduled task is not in the version any more that the caller has read."""

    code, status = "task_changed", 412

    def __init__(self, name: str) -> None:
        text = _('Somebody has changed the scheduled task "%(name)s" since you read it. Read it again, then change it.')
        super().__init__(text % {"name": name})


class CalendarChanged(ScheduledTasksError):
    """The calendar is not in the version any more that the caller has read."""

    code, status = "calendar_changed", 412

    def __init__(self, name: str) -> None:
        text = _('Somebody has changed the calendar "%(name)s" since you read it. Read it again, then change it.')
        super().__init__(text % {"name": name})


class CalendarInUse(ScheduledTasksError):
    """A calendar that tasks name cannot be deleted."""

    code, status = "calendar_in_use", 409

    def __init__(self, name: str, tasks: Sequence[str]) -> None:
        text = _('The calendar "%(name)s" is used by %(tasks)s. Take it from these tasks first.')
        super().__init__(text % {"name": name, "tasks": ", ".join(tasks)}, tasks=list(tasks))


class AlreadyRunning(ScheduledTasksError):
    """Another execution is open, and the overlap policy says no."""

    code, status = "already_running", 409

    def __init__(self, *, tracking_id: UUID, number: int | None = None, task: str = "", waits: bool = False) -> None:
        text = (
            _('Execution %(execution)s of "%(task)s" is still open.')
            if task
            else _("Execution %(execution)s is still open.")
        )
        super().__init__(text % {"execution": tracking_id, "task": task}, tracking_id=str(tracking_id))
        self.tracking_id = tracking_id
        self.number = number
        self.waits = waits
        """Whether it has not started yet."""


class AlreadyMadeGood(ScheduledTasksError):
    """What was missed has been made good since: another execution for the same instant has completed, or is open."""

    code, status = "already_made_good", 409

    def __init__(self, *, number: int, by: int, tracking_id: UUID) -> None:
        text = _(
            "Execution #%(number)s has been made good by execution #%(by)s. Repeat that one, if it is to run again."
        )
        super().__init__(text % {"number": number, "by": by}, tracking_id=str(tracking_id))
        self.by = by


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


class StreamRefused(ScheduledTasksError):
    """This server process does not stream what happens: each listener would hold one of its threads."""

    code, status = "stream_refused", 501

    def __init__(self) -> None:
        super().__init__(
            _(
                "This server streams nothing: it runs under WSGI, where each listener would hold a thread. Ask for the"
                " status again and again instead, or serve the project under ASGI, or allow some listeners with"
                " MAX_STREAMS_IN_THREADS."
            )
        )


class TooManyStreams(ScheduledTasksError):
    """This server process serves as many listeners as it may."""

    code, status = "too_many_streams", 503

    def __init__(self, most: int) -> None:
        text = _("This server process serves %(number)s listeners already, which is the most. Try again later.")
        super().__init__(text % {"number": most})


class NotCancellable(ScheduledTasksError):
    """The execution has ended already, so it cannot be cancelled."""

    code, status = "not_cancellable", 409

    def __init__(self, *, tracking_id: UUID, outcome: str) -> None:
        text = _("Execution %(execution)s has ended already (%(outcome)s).")
        super().__init__(text % {"execution": tracking_id, "outcome": outcome}, outcome=outcome)
