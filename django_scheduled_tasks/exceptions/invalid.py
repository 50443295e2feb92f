"""What was given is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django_scheduled_tasks.exceptions.base import ScheduledTasksError


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


class InvalidTasks(InvalidInput):
    """Some of many scheduled tasks are not valid; the others have been written.

    Args:
        errors: The fields begin with the number of the row, from 0: ``17.params.customer``.
        result: What came of all of them.
    """

    code = "invalid_tasks"

    def __init__(self, errors: Sequence[FieldError], result: Any = None) -> None:
        super().__init__(errors)
        self.result = result


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
