"""The rows of an export of executions, read a part at a time: however many there are, few are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.messages import for_everybody
from django_scheduled_tasks.services.queries.lookup import users_name
from django_scheduled_tasks.services.queries.overview import error_line
from django_scheduled_tasks.services.secrets import shown

COLUMNS = (
    *("id", "tracking_id", "scheduled_task_name", "function", "status", "outcome", "trigger", "triggered_by", "reason"),
    *("params", "triggered_at", "scheduled_for", "started_at", "completed_at", "seconds", "attempt", "worker_host"),
    *("error_type", "error"),
)
"""Called as over REST."""
PART = 1_000
"""How many rows are read at once."""
MOST_EXPORTED = 100_000
"""The newest so many rows are exported: of more, narrow the filter."""
_READ = (
    *("pk", "tracking_id", "task_name", "function", "status", "outcome", "trigger", "dst_name", "reason", "params"),
    *("triggered_at", "scheduled_for", "started_at", "completed_at", "attempt", "worker_host", "error_type"),
    *("dst_error", "secret_params"),
)


def exported_rows(rows: QuerySet[Execution], *, sees_logs: bool) -> Iterator[list[Any]]:
    """Yield the values of :data:`COLUMNS` of *rows*, newest first, secrets masked; a statement for each part.

    Args:
        rows: Newest first, in an order that ends with the number.
        sees_logs: Whether the reader may see what functions say when they fail.
    """
    name = F(f"triggered_by__{users_name()}")
    read: Any = rows.annotate(dst_name=name, dst_error=error_line()).values(*_READ)
    by_time = "-triggered_at" in rows.query.order_by
    left, after = MOST_EXPORTED, Q()
    while left > 0:
        found = list(read.filter(after)[: min(PART, left)])
        yield from (_values(row, sees_logs=sees_logs) for row in found)
        left -= len(found)
        if len(found) < PART:
            return
        last = found[-1]
        after = Q(pk__lt=last["pk"])
        if by_time:
            same = Q(triggered_at=last["triggered_at"]) & after
            after = Q(triggered_at__lte=last["triggered_at"]) & (Q(triggered_at__lt=last["triggered_at"]) | same)


def _values(row: dict[str, Any], *, sees_logs: bool) -> list[Any]:
    began, ended = row["started_at"], row["completed_at"]
    seconds = (ended - began) / timedelta(seconds=1) if began and ended else None
    error = row["dst_error"] if sees_logs else for_everybody(row["dst_error"], row["outcome"])
    own: Callable[[str], Any] = row.__getitem__
    return [
        *(own("pk"), str(own("tracking_id")), *map(own, ("task_name", "function", "status"))),
        *(row["outcome"] or None, own("trigger"), own("dst_name"), own("reason")),
        shown(row["function"], row["params"], row["secret_params"]),
        *map(own, ("triggered_at", "scheduled_for", "started_at", "completed_at")),
        seconds,
        *map(own, ("attempt", "worker_host", "error_type")),
        error.strip().partition("\n")[0] if row["outcome"] != Outcome.SUCCEEDED else "",
    ]
