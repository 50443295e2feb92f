"""The statements that read tasks before they are due, and record their occurrences if the tasks are as they were.

PostgreSQL only: no other database has a system column that tells one version of a row from the next, nor a statement
that changes one table and fills another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django_scheduled_tasks.db.loaders import AsIs, Instant, RowLoader
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask, write_alias
from django_scheduled_tasks.store.holds import not_held
from django_scheduled_tasks.store.insert import columns, mark_as_written, values
from django_scheduled_tasks.store.reading.left import NOT_LEFT, Left, rows_of

_TASK = RowLoader(ScheduledTask)
_READY = {
    "task_id": "uuid",
    "version": "text",
    "next_run_at": "timestamptz",
    "run_count": "integer",
    "is_exclusive": "boolean",
}
_OWN = {
    "tracking_id": "uuid",
    "task_name": "text",
    "function": "text",
    "trigger": "text",
    "params": "jsonb",
    "secret_params": "jsonb",
    "scheduled_for": "timestamptz",
    "expires_at": "timestamptz",
    "send_at": "timestamptz",
    "submissions": "smallint",
    "lock_key": "text",
}
"""The columns of an occurrence that starts an execution now, with their types; the others have their defaults."""

COUNT_DUE = Statement(
    """
    SELECT COUNT(*) FROM (
        SELECT 1 FROM {tasks} t WHERE t.next_run_at <= %(at)s AND {not_held} {not_left} LIMIT %(limit)s) due
    """,
    returns=(AsIs(),),
    tasks=ScheduledTask,
    holds=Hold,
    not_held=not_held,
    not_left=NOT_LEFT,
)
READ_DUE = Statement(
    """
    SELECT {t.columns}, {now}, t.xmin::text FROM {tasks} t
     WHERE t.next_run_at <= %(at)s AND {not_held} {not_left} ORDER BY t.next_run_at LIMIT %(limit)s
    """,
    returns=(_TASK, Instant(), AsIs()),
    tasks=ScheduledTask,
    t=_TASK,
    not_left=NOT_LEFT,
    holds=Hold,
    not_held=not_held,
)
LOCK_READY = Statement(
    """
    SELECT t.id
      FROM {tasks} t
      JOIN unnest(%(task_id)s::uuid[], %(version)s::text[]) AS r (task_id, version)
        ON t.id = r.task_id AND t.xmin::text = r.version
       FOR NO KEY UPDATE OF t SKIP LOCKED
    """,
    returns=(AsIs(),),
    tasks=ScheduledTask,
)
RECORD_READY = Statement(
    """
    WITH ready AS (
        SELECT * FROM unnest({arrays}) AS r ({names})
    ), moved_on AS (
        UPDATE {tasks} AS t SET next_run_at = r.next_run_at, run_count = r.run_count
          FROM ready r
         WHERE t.id = r.task_id AND t.xmin::text = r.version AND t.next_run_at <= {now}
           AND {not_held}
           AND (NOT r.is_exclusive OR NOT EXISTS (
                SELECT 1 FROM {executions} o WHERE o.task_id = t.id AND o.status IN ('pending', 'processing')))
     RETURNING t.id
    )
    INSERT INTO {executions} ({columns})
    SELECT {values} FROM ready r JOIN moved_on m ON m.id = r.task_id
        ON CONFLICT DO NOTHING
    RETURNING tracking_id, id, triggered_at
    """,
    returns=(AsIs(), AsIs(), Instant()),
    tasks=ScheduledTask,
    executions=Execution,
    holds=Hold,
    not_held=not_held,
    arrays=", ".join(f"%({name})s::{kind}[]" for name, kind in (_READY | _OWN).items()),
    names=", ".join(_READY | _OWN),
    columns=columns,
    values=lambda _connection: values(
        {name: f"r.{name}" for name in ("task_id", *_OWN)} | {"triggered_at": "{now}"}, only_given=True
    ),
)


@dataclass(frozen=True)
class Ready:
    """One task, planned for one instant."""

    execution: Execution
    version: str
    """Of the task's row."""
    next_run_at: datetime | None
    run_count: int
    is_exclusive: bool
    """Whether the occurrence may start only if no execution of the task is open."""


def count_due(at: datetime, *, most: int, left: Iterable[Left] = ()) -> int:
    """Return how many tasks are due at *at*, but not more than *most*."""
    ((count,),) = COUNT_DUE.fetch(rows_of(left), at=at, limit=most)
    return int(count)


def read_due(at: datetime, *, most: int, left: Iterable[Left] = ()) -> list[tuple[ScheduledTask, str]]:
    """Return at most *most* of the tasks that are due at *at*, each with the version of its row."""
    found: list[tuple[ScheduledTask, str]] = []
    for task, now, version in READ_DUE.fetch(rows_of(left), at=at, limit=most):
        task.database_now = now
        found.append((task, version))
    return found


def lock_ready(ready: Sequence[Ready]) -> list[Ready]:
    """Lock the tasks until the transaction ends; return those that are as they were, and that nobody else holds."""
    rows = LOCK_READY.fetch(task_id=[one.execution.task_id for one in ready], version=[one.version for one in ready])
    found = {identifier for (identifier,) in rows}
    return [one for one in ready if one.execution.task_id in found]


def record_ready(ready: Sequence[Ready]) -> list[Execution]:
    """Record the occurrences of those tasks that are as they were, and move the tasks on; one statement.

    Returns:
        What was written, in the order of *ready*.
    """
    alias = write_alias()
    arrays: dict[str, list[Any]] = {
        "version": [one.version for one in ready],
        "next_run_at": [one.next_run_at for one in ready],
        "run_count": [one.run_count for one in ready],
        "is_exclusive": [one.is_exclusive for one in ready],
    }
    for name in ("task_id", *_OWN):
        arrays[name] = [getattr(one.execution, name) for one in ready]
    written = {tracking_id: rest for tracking_id, *rest in RECORD_READY.fetch(**arrays)}
    found = [one.execution for one in ready if one.execution.tracking_id in written]
    for execution in found:
        execution.pk, execution.triggered_at = written[execution.tracking_id]
        mark_as_written(execution, alias)
    return found
