"""Write and read the log lines of an execution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
_OWN_LOGGER = "django_scheduled_tasks"
"""Of the lines that are ours and not the function's."""
_DROPPED = re.compile(r"… ([\d,]+) lines dropped here")
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


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of one execution's log there is."""

    lines: int
    """Those of the function, without the lines that say how many were dropped."""
    dropped: int
    size: int
    """In characters."""


def log_extra(execution: Execution, event: str) -> dict[str, Any]:
    """Return the ``extra`` of a record in the process's own log that is about *execution*."""
    return {"event": event, **execution.log_fields}


def used(execution: Execution) -> Used:
    """Return how much of the log of *execution* has been written; one statement."""
    rows = ExecutionLog.objects.using(write_alias()).filter(execution=execution).order_by()
    found = rows.aggregate(number=Max("number"), bytes=Sum(Length("message")))
    return Used(found["number"] or 0, found["bytes"] or 0)


def dropped_line(logged_at: datetime, count: int) -> LogLine:
    """Return the line that stands where *count* lines are missing."""
    text = f"… {count:,} lines dropped here, since an execution's log is limited …"
    return LogLine(logged_at, "WARNING", _OWN_LOGGER, text)


def kept(execution: Execution) -> Kept:
    """Return how much of the log of *execution* was kept; two statements."""
    rows = ExecutionLog.objects.using(write_alias()).filter(execution=execution).order_by()
    marks = rows.filter(logger=_OWN_LOGGER, message__startswith="… ").values_list("message", flat=True)
    written, missing = used(execution), [_dropped(text) for text in marks]
    return Kept(written.number - len(missing), sum(missing), written.bytes)


def kept_of(lines: Sequence[ExecutionLog]) -> Kept:
    """Return the same of *lines*, all of the log."""
    missing = [_dropped(line.message) for line in lines if line.logger == _OWN_LOGGER and _DROPPED.match(line.message)]
    return Kept(len(lines) - len(missing), sum(missing), sum(len(line.message) for line in lines))


def _dropped(text: str) -> int:
    found = _DROPPED.match(text)
    return int(found[1].replace(",", "")) if found else 0


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
    line = LogLine(logged_at, level, _OWN_LOGGER, message)
    write(execution, [line], first=used(execution).number + 1)


def lines_after(execution: Execution, number: int = 0) -> QuerySet[ExecutionLog]:
    """Return the lines of *execution* after the one with *number*, in order; slice it to read a page."""
    return ExecutionLog.objects.using(write_alias()).filter(execution=execution, number__gt=number).order_by("number")
