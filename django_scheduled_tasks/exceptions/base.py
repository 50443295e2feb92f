"""What all errors of ours are, and those that are not about what was asked for: who asks, and what does not answer."""

from __future__ import annotations

from typing import Any

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
