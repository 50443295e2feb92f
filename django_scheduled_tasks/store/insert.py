"""The statements that write new executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connections

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import AsIs, Instant
from django_scheduled_tasks.db.rows import default_literals
from django_scheduled_tasks.db.statements import Each, Statement, ignoring_conflicts, insert_ignoring, returning_id
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.store.tasks import KnownTask

WRITTEN = (
    *("tracking_id", "task_id", "task_name", "function", "trigger", "triggered_by_id", "reason", "params", "status"),
    *("secret_params", "own_params", "outcome", "error_code"),
    *("error_message", "triggered_at", "scheduled_for", "replay", "occurrences"),
    *("not_before", "expires_at", "send_at", "submissions", "completed_at", "idempotency_key"),
    *("idempotency_fingerprint", "lock_key", "rerun_of_id", "blocked_by_id", "traceparent"),
)
"""The columns that a new execution may have other than by default; the rest stand in the text as their defaults."""
MOST_ROWS = 500
"""The most rows of one statement."""


def columns(connection: Connection) -> str:
    """Return the hole with all columns of an execution but its primary key."""
    return ", ".join(connection.ops.quote_name(name) for name in _names())


def values(given: Mapping[str, str], *, only_given: bool = False) -> str:
    """Return the hole with a value for each of :func:`columns`: as *given*, else a parameter or the default.

    Args:
        given: SQL by column.
        only_given: Whether all others have their defaults.
    """
    found = {} if only_given else {name: f"%({name})s" for name in WRITTEN}
    found |= given
    return ", ".join(found.get(name) or default_literals(Execution)[name] for name in _names())


def _names() -> list[str]:
    return [str(field.column) for field in Execution._meta.concrete_fields if not field.primary_key]


def _row(_connection: Connection) -> Each:
    places = {name: f"%({name}#)s" for name in WRITTEN}
    return Each(f"({values(places)})")


INSERT = Statement(
    "INSERT INTO {executions} ({columns}) VALUES ({values}) {returning_id}",
    executions=Execution,
    columns=columns,
    values=lambda _connection: values({}),
    returning_id=returning_id,
)
INSERT_MISSING = Statement(
    "{insert_ignoring} {executions} ({columns}) VALUES {rows} {ignoring_conflicts}",
    executions=Execution,
    columns=columns,
    rows=_row,
    insert_ignoring=insert_ignoring,
    ignoring_conflicts=ignoring_conflicts,
)
# The lock is the one that the foreign key takes: whoever is about to delete the task is waited for.
INSERT_OPTIMISTIC = Statement(
    """
    INSERT INTO {executions} ({columns})
    SELECT {values} FROM {tasks} t
     WHERE t.id = %(task_id)s AND t.xmin::text = %(version)s
       FOR KEY SHARE OF t
    RETURNING id, triggered_at
    """,
    returns=(AsIs(), Instant()),
    executions=Execution,
    tasks=ScheduledTask,
    columns=columns,
    values=lambda _connection: values(
        {
            "triggered_at": "{now}",
            "send_at": "{now} + %(send_after)s::interval",
            "expires_at": "{now} + %(expire_after)s::interval",
        }
    ),
)


VARYING = {
    "tracking_id": "uuid",
    "params": "jsonb",
    "secret_params": "jsonb",
    "own_params": "jsonb",
    "idempotency_key": "varchar",
}
"""The columns in which executions differ that are started together with parameters each, and PostgreSQL's types."""


def _rows_before(connection: Connection) -> str:
    """Return what stands before the rows. On PostgreSQL a value that all have is not repeated in each of them.

    psycopg reads the whole text for each statement, which would cost more than the database needs.
    """
    if connection.vendor != "postgresql":
        return "VALUES"
    return f"SELECT {values({name: f'v.{name}' for name in VARYING})} FROM (VALUES"  # noqa: S608  # nosec  (columns of ours)


def _varying_row(connection: Connection) -> Each:
    if connection.vendor != "postgresql":
        return Each(f"({values({name: f'%({name}#)s' for name in VARYING})})")
    return Each(f"({', '.join(f'%({name}#)s::{kind}' for name, kind in VARYING.items())})")


def _rows_after(connection: Connection) -> str:
    return f") AS v ({', '.join(VARYING)})" if connection.vendor == "postgresql" else ""


def _returning_keys(connection: Connection) -> str:
    return "RETURNING id, tracking_id" if connection.features.can_return_rows_from_bulk_insert else ""


INSERT_MANY = Statement(
    "INSERT INTO {executions} ({columns}) {before} {rows} {after} {returning}",
    executions=Execution,
    columns=columns,
    before=_rows_before,
    rows=_varying_row,
    after=_rows_after,
    returning=_returning_keys,
)


def insert(execution: Execution) -> None:
    """Insert *execution*, which gets its primary key; no signal of Django's models is sent."""
    alias = write_alias()
    execution.pk = INSERT.insert(**written_values(execution))
    mark_as_written(execution, alias)


def insert_many(executions: Sequence[Execution]) -> None:
    """Insert *executions*, which differ in :data:`VARYING` only; they get their primary keys. One statement.

    On MySQL, which returns no keys, a second one reads them.

    Args:
        executions: At most :data:`MOST_ROWS`.
    """
    if not executions:
        return
    alias = write_alias()
    every = [written_values(execution) for execution in executions]
    shared = {name: value for name, value in every[0].items() if name not in VARYING}
    rows = [{name: row[name] for name in VARYING} for row in every]
    keys = INSERT_MANY.insert_rows(rows, **shared)
    if not keys:
        found = Execution.objects.using(alias).filter(tracking_id__in=[one.tracking_id for one in executions])
        keys = list(found.values_list("pk", "tracking_id"))
    by_tracking_id = {UUID(str(tracking_id)): key for key, tracking_id in keys}  # in no certain order
    for execution in executions:
        execution.pk = by_tracking_id[execution.tracking_id]
        mark_as_written(execution, alias)


def insert_missing(executions: Sequence[Execution]) -> None:
    """Insert *executions*, leaving out those whose occurrence has a row already.

    As with Django's ``bulk_create(ignore_conflicts=True)`` none gets its primary key, whether it was written or not.
    One statement for as many as the database takes.
    """
    alias = write_alias()
    most = connections[alias].features.max_query_params
    size = min(MOST_ROWS, most // len(WRITTEN)) if most else MOST_ROWS
    rest = iter(executions)
    while some := list(islice(rest, size)):
        INSERT_MISSING.execute([written_values(execution) for execution in some])
        for execution in some:
            mark_as_written(execution, alias)


def can_insert_optimistically() -> bool:
    """Whether :func:`insert_optimistically` may be used here and now.

    PostgreSQL only: no other database has a system column that tells one version of a row from the next. Within a
    transaction it may not be used: that one's own changes of the task have to count, and two of them look alike.
    """
    connection = connections[write_alias()]
    return connection.vendor == "postgresql" and not connection.in_atomic_block


def insert_optimistically(execution: Execution, known: KnownTask) -> bool:
    """Insert *execution* without locking its task, if the task's row is still that of *known*; one statement.

    Args:
        execution: As if it were triggered when the task was read; gets its primary key and the true instants.
        known: Its task.
    Returns:
        False if the task was changed or deleted.
    """
    alias, read_at = write_alias(), known.task.database_now
    given = written_values(execution)

    def after(instant: datetime | None) -> Any:
        return None if instant is None else instant - read_at

    send_after, expire_after = after(given.pop("send_at")), after(given.pop("expires_at"))
    given.pop("triggered_at")
    found = INSERT_OPTIMISTIC.first(version=known.version, send_after=send_after, expire_after=expire_after, **given)
    if found is None:
        return False
    execution.pk, execution.triggered_at = found
    execution.send_at = None if send_after is None else execution.triggered_at + send_after
    execution.expires_at = None if expire_after is None else execution.triggered_at + expire_after
    mark_as_written(execution, alias)
    return True


def written_values(execution: Execution) -> dict[str, Any]:
    """Return the values of :data:`WRITTEN`."""
    attributes: Mapping[str, Any] = execution.__dict__
    return {name: attributes[name] for name in WRITTEN}


def mark_as_written(execution: Execution, alias: str) -> None:
    """Let Django know that the row is in the database *alias*."""
    execution._state.adding, execution._state.db = False, alias
