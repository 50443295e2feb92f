"""The tasks that are due: read and locked, and moved on to their next occurrence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from django.db import connections

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import Instant, RowLoader
from django_scheduled_tasks.db.statements import Each, Statement, for_update
from django_scheduled_tasks.models import Hold, ScheduledTask, write_alias
from django_scheduled_tasks.store.holds import not_held
from django_scheduled_tasks.store.reading.left import NOT_LEFT, Left, rows_of

MOST_ROWS = 500
"""The most tasks of one statement."""
_PARAMETERS_A_ROW = 5
_TASK = RowLoader(ScheduledTask)

LOCK_DUE = Statement(
    """
    SELECT {t.columns}, {now} FROM {tasks} t
     WHERE t.next_run_at <= {now} AND {not_held} {not_left} ORDER BY t.next_run_at LIMIT %(limit)s {skip_locked}
    """,
    returns=(_TASK, Instant()),
    tasks=ScheduledTask,
    t=_TASK,
    not_left=NOT_LEFT,
    holds=Hold,
    not_held=not_held,
    skip_locked=for_update(skip_locked=True),
)


def _case(column: str, kind: str) -> Callable[[Connection], Each]:
    def cases(connection: Connection) -> Each:
        # PostgreSQL takes the type of a CASE from its branches, and parameters have none.
        cast = f"::{kind}" if connection.vendor == "postgresql" else ""
        return Each(f"WHEN %(id#)s THEN %({column}#)s{cast}", between=" ")

    return cases


MOVE_ON = Statement(
    """
    UPDATE {tasks}
       SET next_run_at = CASE id {next_run_at} END, run_count = CASE id {run_count} END
     WHERE id IN ({ids})
    """,
    tasks=ScheduledTask,
    next_run_at=_case("next_run_at", "timestamptz"),
    run_count=_case("run_count", "integer"),
    ids=Each("%(id#)s"),
)


def lock_due_tasks(limit: int, left: Iterable[Left] = ()) -> list[ScheduledTask]:
    """Return at most *limit* tasks that are due and that no other scheduler, or person, holds; locked by us now.

    One statement; ``database_now`` is on each task, and the one that is due longest comes first.

    Args:
        limit: How many.
        left: Tasks that are left to others.
    """
    found: list[ScheduledTask] = []
    for task, now in LOCK_DUE.fetch(rows_of(left), limit=limit):
        task.database_now = now
        found.append(task)
    return found


def update_next_runs(tasks: Sequence[ScheduledTask]) -> None:
    """Write ``next_run_at`` and ``run_count`` of *tasks*; one statement for as many as the database takes.

    Django's ``bulk_update`` does the same, but builds a tree of expressions for each value: of a pass over a thousand
    tasks that alone took three quarters of the time.
    """
    alias = write_alias()
    most = connections[alias].features.max_query_params
    size = min(MOST_ROWS, most // _PARAMETERS_A_ROW) if most else MOST_ROWS
    rest = iter(tasks)
    while some := list(islice(rest, size)):
        rows = [{"id": task.pk, "next_run_at": task.next_run_at, "run_count": task.run_count} for task in some]
        MOVE_ON.execute(rows)
