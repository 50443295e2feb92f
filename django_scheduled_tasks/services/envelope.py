"""What programs get to see of an execution or an error: the one shape used by Python, REST and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django_scheduled_tasks.exceptions import InvalidInput, ScheduledTasksError
from django_scheduled_tasks.instants import camel, iso_milliseconds
from django_scheduled_tasks.lifecycle import OPEN, Outcome, Status
from django_scheduled_tasks.models import Attempt, Execution
from django_scheduled_tasks.services.messages import for_everybody

CLIENT_ERROR, SERVER_ERROR = "client_error", "server_error"
ORIGINS: Mapping[str, str] = {Outcome.FAILED: "function", Outcome.TIMED_OUT: "function"}


STATUS_TEXTS: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
"""The text of each status that we answer with. Python's own texts differ between its versions."""
MOST_ITEMS = 20
"""The most items of one answer: whoever sends a thousand wrong fields need not get them all back."""


def python_name(_error: InvalidInput, field: str) -> str:
    """Return what Python code calls a wrong field."""
    return field


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorItem:
    """One thing that is wrong."""

    origin: str
    """``client_error`` (the request), ``server_error``, or ``function`` (the task's own code)."""
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        details = {camel(name): value for name, value in self.details.items()}
        return {"origin": self.origin, "code": self.code, "message": self.message, "details": details}


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Why a call was refused."""

    status: int
    """The HTTP status."""
    items: tuple[ErrorItem, ...]

    def __str__(self) -> str:
        return " ".join(item.message for item in self.items)

    @property
    def status_text(self) -> str:
        """What the status means, in English; of one that is not ours, whose fault it is."""
        return STATUS_TEXTS.get(self.status) or f"{origin_of(self.status).replace('_', ' ').title()}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, with the keys ``status``, ``statusText``, ``items``."""
        return {
            "status": self.status,
            "statusText": self.status_text,
            "items": [item.as_dict() for item in self.items],
        }

    @classmethod
    def of(cls, error: ScheduledTasksError, *, name_of: Callable[[InvalidInput, str], str] = python_name) -> Errors:
        """Return the shape of *error*; one item for each wrong field of an invalid input.

        Args:
            error: What was raised.
            name_of: Returns what the caller calls a field, such as a JSON key or an option of a command.
        """
        origin = origin_of(error.status)
        if isinstance(error, InvalidInput):
            wrong = [(name_of(error, item.field), item) for item in error.errors[:MOST_ITEMS]]
            items = [
                ErrorItem(
                    origin=origin,
                    code=error.code,
                    message=f"{name}: {item.message}",
                    details={"field": name, "rule": item.code},
                )
                for name, item in wrong
            ]
        else:
            items = [ErrorItem(origin=origin, code=error.code, message=error.message, details=error.details)]
        return cls(status=error.status, items=tuple(items))


def origin_of(status: int) -> str:
    """Return whose fault an HTTP status says it is."""
    return CLIENT_ERROR if status < HTTPStatus.INTERNAL_SERVER_ERROR else SERVER_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a function says it is."""

    current: int | None
    total: int | None
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"current": self.current, "total": self.total, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInfo:
    """An execution as programs see it; :meth:`as_dict` leaves out what there is nothing to say about."""

    tracking_id: UUID
    scheduled_task_id: UUID | None
    scheduled_task_name: str
    triggered_at: datetime
    status: Status
    started_at: datetime | None = None
    completed_at: datetime | None = None
    not_before: datetime | None = None
    attempt: int = 1
    progress: Progress | None = None
    result: Any = None
    has_result: bool = False
    outcome: Outcome | None = None
    errors: tuple[ErrorItem, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status in OPEN

    @classmethod
    def of(
        cls,
        execution: Execution,
        *,
        with_traceback: bool = False,
        with_message: bool = True,
        with_result: bool = True,
    ) -> ExecutionInfo:
        """Return what there is to say of *execution*.

        Args:
            execution: The row; nothing further is asked of the database.
            with_traceback: Whether the reader may see tracebacks.
            with_message: Whether the reader may see what the function said when it failed.
            with_result: Whether the reader may see the result.
        """
        status = Status(execution.status)
        has_progress = execution.progress_current is not None or bool(execution.progress_message)
        shown = execution.started_at if status != Status.PENDING else None
        return cls(
            tracking_id=execution.tracking_id,
            scheduled_task_id=execution.task_id,
            scheduled_task_name=execution.task_name,
            triggered_at=execution.triggered_at,
            status=status,
            started_at=shown,
            completed_at=execution.completed_at,
            not_before=execution.not_before if status == Status.PENDING else None,
            attempt=execution.attempt,
            progress=(
                Progress(
                    current=execution.progress_current,
                    total=execution.progress_total,
                    message=execution.progress_message,
                )
                if has_progress
                else None
            ),
            result=execution.result,
            has_result=with_result and status == Status.COMPLETED and execution.result is not None,
            outcome=Outcome(execution.outcome) if status == Status.ERRORS else None,
            errors=error_items(execution, with_message=with_message, with_traceback=with_traceback)
            if status == Status.ERRORS
            else (),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON: the keys of the contract, and further ones only where there is something to say."""
        info: dict[str, Any] = {
            "trackingId": str(self.tracking_id),
            "scheduledTaskId": str(self.scheduled_task_id) if self.scheduled_task_id else None,
            "scheduledTaskName": self.scheduled_task_name,
            "triggeredAt": iso_milliseconds(self.triggered_at),
            "status": str(self.status),
        }
        for key, instant in (
            ("startedAt", self.started_at),
            ("completedAt", self.completed_at),
            ("notBefore", self.not_before),
        ):
            if instant is not None:
                info[key] = iso_milliseconds(instant)
        if self.attempt > 1:
            info["attempt"] = self.attempt
        if self.progress is not None:
            info["progress"] = self.progress.as_dict()
        if self.has_result:
            info["result"] = self.result
        if self.outcome is not None:
            info["outcome"] = str(self.outcome)
            info["errors"] = [item.as_dict() for item in self.errors]
        return info


def error_items(record: Execution | Attempt, *, with_message: bool, with_traceback: bool) -> tuple[ErrorItem, ...]:
    """Return why an execution or one of its attempts did not succeed; none if it did, or has not ended.

    Args:
        record: The row; its traceback is not touched unless it is asked for.
        with_message: Whether the reader may see what the function said; else it is the type and a sentence.
        with_traceback: Whether the reader may see tracebacks.
    """
    if not record.error_code and not record.error_message:
        return ()
    details: dict[str, Any] = {"type": record.error_type} if record.error_type else {}
    if with_traceback and record.traceback:
        details["traceback"] = record.traceback
    origin = ORIGINS.get(record.outcome or record.error_code, SERVER_ERROR)
    message = record.error_message if with_message else for_everybody(record.error_message, record.outcome)
    return (ErrorItem(origin=origin, code=record.error_code, message=message, details=details),)


def envelope(info: ExecutionInfo | None, errors: Errors | None = None) -> dict[str, Any]:
    """Return the envelope that each answer about an execution has."""
    return {"info": info.as_dict() if info else None, "errors": errors.as_dict() if errors else None}
