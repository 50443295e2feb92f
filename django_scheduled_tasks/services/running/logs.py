"""Write and read the log lines of an execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError
from django.db.models import Max, QuerySet, Sum
from django.db.models.functions import Length

from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.models import Execution, ExecutionLog, write_alias, write_transaction
from django_scheduled_tasks.services.running.redaction import storable

BATCH = 500
"""Rows in one statement."""
_TRIES = 5
_LEVEL_MAX_LENGTH = ExecutionLog._meta.get_field("level").max_length
_LOGGER_MAX_LENGTH = ExecutionLog._meta.get_field("logger").max_length
_SAFETY = 4
"""The most bytes of one character: texts are cut to a number of characters before."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that is not written yet."""

    logged_at: datetime
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class Used:
    """How much of one execution's log has been written."""

    number: int = 0
    """The last line's number."""
    bytes: int = 0
    """Counted in characters."""


def log_extra(execution: Execution, event: str) -> dict[str, str]:
    """Return the ``extra`` of a record in the process's own log that is about *execution*."""
    return {"tracking_id": str(execution.tracking_id), "task": execution.task_name, "event": event}


def used(execution: Execution) -> Used:
    """Return how much of the log of *execution* has been written; one statement."""
    rows = ExecutionLog.objects.using(write_alias()).filter(execution=execution).order_by()
    found = rows.aggregate(number=Max("number"), bytes=Sum(Length("message")))
    return Used(found["number"] or 0, found["bytes"] or 0)


def write(execution: Execution, lines: Sequence[LogLine], *, first: int) -> int:
    """Write *lines*, numbered from *first* on, or from the first free number if another attempt wrote meanwhile.

    Args:
        execution: Whose lines; its attempt is that of the lines.
        lines: In their order.
        first: The number of the first.
    Returns:
        The number after the last one.
    Raises:
        DatabaseError: They could not be written.
    """
    for chance in range(_TRIES):
        rows = [
            ExecutionLog(
                execution_id=execution.pk,
                number=number,
                attempt=execution.attempt,
                logged_at=line.logged_at,
                level=_short(line.level, _LEVEL_MAX_LENGTH),
                logger=_short(line.logger, _LOGGER_MAX_LENGTH),
                message=storable(line.message, len(line.message) * _SAFETY),
            )
            for number, line in enumerate(lines, start=first)
        ]
        try:
            with write_transaction():
                ExecutionLog.objects.using(write_alias()).bulk_create(rows, batch_size=BATCH)
        except IntegrityError as exc:
            # An attempt that lost its lease but still runs writes as well; each line says of which attempt it is.
            if chance == _TRIES - 1 or violated_constraint(exc, ExecutionLog) != "dst_log_line_once":
                raise
            first = used(execution).number + 1
        else:
            break
    return first + len(lines)


def _short(text: str, length: int | None) -> str:
    return storable(text[:length], len(text) * _SAFETY)


def append(execution: Execution, *, level: str, message: str, logged_at: datetime) -> None:
    """Add one line of our own to the log of *execution*."""
    line = LogLine(logged_at, level, "django_scheduled_tasks", message)
    write(execution, [line], first=used(execution).number + 1)


def lines_after(execution: Execution, number: int = 0) -> QuerySet[ExecutionLog]:
    """Return the lines of *execution* after the one with *number*, in order; slice it to read a page."""
    return ExecutionLog.objects.using(write_alias()).filter(execution=execution, number__gt=number).order_by("number")
