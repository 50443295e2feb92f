"""The newest executions of many tasks: one statement, in which each task's part reads the end of an index.

A window function would number all executions of the tasks first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import AsIs, MaybeInstant, RowLoader
from django_scheduled_tasks.db.statements import Each, Statement
from django_scheduled_tasks.models import Execution

ERROR_LINE = 300
"""How much of an error's message a list reads."""
_READ = {
    *("id", "task", "status", "outcome", "attempt", "trigger", "triggered_by", "triggered_at", "scheduled_for"),
    *("started_at", "completed_at", "not_before", "worker_host", "progress_current", "progress_total"),
    *("error_type", "blocked_by", "cancel_requested_at"),
}
_EXECUTION = RowLoader(
    Execution, without=frozenset(field.name for field in Execution._meta.concrete_fields if field.name not in _READ)
)


def _newest(columns: str, *, before: str = "") -> Each:
    """Return the part of one task; its executions are those of the index, newest first."""
    return Each(
        f"SELECT {before}t#.* FROM (SELECT {columns} FROM {{executions}} e WHERE {{of_task}}"  # noqa: S608
        " ORDER BY e.task_id, e.id DESC LIMIT %(count)s) t#",
        between=" UNION ALL ",
    )


def of_task(connection: Connection) -> str:
    """Return the condition that execution ``e`` is of the task that each row of values names."""
    # PostgreSQL takes `=` for a proof that the order by task is superfluous, and may walk the primary key backwards
    # through the whole history until an execution of the task turns up.
    return "e.task_id = ANY(ARRAY[%(task_id#)s])" if connection.vendor == "postgresql" else "e.task_id = %(task_id#)s"


NEWEST = Statement(
    "{newest}",
    returns=(_EXECUTION, AsIs()),
    executions=Execution,
    e=_EXECUTION,
    of_task=of_task,
    newest=_newest(f"{{e.columns}}, SUBSTR(e.error_message, 1, {ERROR_LINE}) AS error_line"),
)
ENDS = Statement(
    "{ends}",
    returns=(AsIs(), AsIs(), MaybeInstant(), MaybeInstant()),
    executions=Execution,
    of_task=of_task,
    ends=_newest("e.status, e.started_at, e.completed_at", before="#, "),
)
NUMBERS = Statement(
    "{numbers}",
    returns=(AsIs(),),
    executions=Execution,
    of_task=of_task,
    numbers=_newest("e.id"),
)


def newest_executions(task_ids: Sequence[UUID], *, count: int) -> list[Execution]:
    """Return the *count* newest executions of each task, with ``error_line``; in no order."""
    if not task_ids:
        return []
    found: list[Execution] = []
    for execution, error_line in NEWEST.fetch([{"task_id": task_id} for task_id in task_ids], count=count):
        setattr(execution, "error_line", error_line)  # noqa: B010  (as an annotation of a queryset)
        found.append(execution)
    return found


def newest_numbers(task_ids: Sequence[UUID], *, count: int) -> list[int]:
    """Return the numbers of the *count* newest executions of each task; in no order."""
    return (
        [number for (number,) in NUMBERS.fetch([{"task_id": one} for one in task_ids], count=count)] if task_ids else []
    )


def newest_ends(task_ids: Sequence[UUID], *, count: int) -> list[tuple[UUID, str, datetime | None, datetime | None]]:
    """Return task, status, start and end of the *count* newest executions of each task, and no row as an object."""
    if not task_ids:
        return []
    found = ENDS.fetch([{"task_id": task_id} for task_id in task_ids], count=count)
    return [(task_ids[number], status, began, ended) for number, status, began, ended in found]
