"""What is open now: executions that run, and those that may start and have not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.fields import words_of
from django_scheduled_tasks.db.loaders import AsIs, Instant, MaybeInstant, RowLoader
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.models import Execution, ScheduledTask

MOST = 1_000
"""So many that run and so many that wait are read; of more, the oldest."""
_READ = {
    *("id", "task", "task_name", "status", "trigger", "triggered_at", "not_before", "started_at", "submissions"),
    *("worker_host", "worker_pid", "release", "progress_current", "progress_total"),
}
_EXECUTION = RowLoader(
    Execution, without=frozenset(field.name for field in Execution._meta.concrete_fields if field.name not in _READ)
)


def _has(status: str) -> Callable[[Connection], str]:
    """Return the hole that is true if the execution ``e`` has this status.

    On PostgreSQL not with `=`, which it takes for a proof that the order by status is superfluous; it may then walk the
    primary key through the whole history until it has found enough that are open.
    """

    def condition(connection: Connection) -> str:
        return f"e.status = ANY(ARRAY['{status}'])" if connection.vendor == "postgresql" else f"e.status = '{status}'"

    return condition


NEWEST = "(SELECT MAX(r.triggered_at) FROM (SELECT triggered_at FROM {executions} ORDER BY id DESC LIMIT 5) r)"
"""When the newest executions were written: later than now only if the database's clock was set back since."""
OPEN = Statement(
    """
    SELECT {now}, {newest}, o.* FROM (SELECT 1 AS one) always LEFT JOIN (
      SELECT * FROM (SELECT {e.columns}, t.queue, t.tags FROM {executions} e LEFT JOIN {tasks} t ON t.id = e.task_id
        WHERE {is_running} ORDER BY e.status, e.id LIMIT %(limit)s) running
      UNION ALL
      SELECT * FROM (SELECT {e.columns}, t.queue, t.tags FROM {executions} e LEFT JOIN {tasks} t ON t.id = e.task_id
        WHERE {is_pending} AND (e.not_before IS NULL OR e.not_before <= {now})
          AND NOT EXISTS (SELECT 1 FROM {executions} h WHERE h.exclusive_key = e.lock_key)
        ORDER BY e.status, e.id LIMIT %(limit)s) waiting
    ) o ON 1 = 1
    """,
    returns=(Instant(), MaybeInstant(), _EXECUTION, AsIs(), AsIs()),
    executions=Execution,
    tasks=ScheduledTask,
    newest=NEWEST,
    e=_EXECUTION,
    is_running=_has("processing"),
    is_pending=_has("pending"),
)


NEWEST_ALONE = Statement("SELECT {newest}", returns=(MaybeInstant(),), executions=Execution, newest=NEWEST)


@dataclass(frozen=True, slots=True)
class Open:
    """An execution that is open, with what decides who runs it and what holds it."""

    execution: Execution
    queue: str
    tags: Sequence[str]

    @property
    def task_id(self) -> UUID | None:
        """Its task; None if that was deleted."""
        return self.execution.task_id

    @property
    def waits_since(self) -> datetime:
        """Since when it may start."""
        row = self.execution
        since: datetime = max(row.triggered_at, row.not_before) if row.not_before else row.triggered_at
        return since


@dataclass(frozen=True, slots=True)
class Work:
    """What is open at an instant."""

    now: datetime
    newest_at: datetime | None
    """When the newest execution was written; None if there is none."""
    open: Sequence[Open]
    """What runs, or may start, waits for no other one and has not started."""


def open_executions(*, limit: int = MOST) -> Work:
    """Return what is open now; one statement."""
    found = OPEN.fetch(limit=limit)
    rows = [
        Open(row, queue or "", words_of(tags or "")) for _now, _newest, row, queue, tags in found if row is not None
    ]
    return Work(found[0][0], found[0][1], rows)


def newest_at() -> datetime | None:
    """Return when the newest execution was written; one statement."""
    ((found,),) = NEWEST_ALONE.fetch()
    newest: datetime | None = found
    return newest
