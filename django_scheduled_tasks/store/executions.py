"""An execution with its task, read by its tracking id."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from django.db import connections

from django_scheduled_tasks.db.clock import DatabaseNow, as_instant
from django_scheduled_tasks.db.cursor import binding_cursor
from django_scheduled_tasks.db.statements import Reader
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias


class Loader:
    """The statement for one database, and how its answer is read."""

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        quote = connection.ops.quote_name
        self._execution = Reader(Execution, connection, "e")
        self._task = Reader(ScheduledTask, connection, "t")
        executions, tasks = quote(Execution._meta.db_table), quote(ScheduledTask._meta.db_table)
        # Names of ours only; the one value is a parameter. The present instant stands between the two halves.
        self._before = f"SELECT {self._execution.columns}, {self._task.columns}, "
        self._after = (
            f", (SELECT MIN(o.id) FROM {executions} o WHERE o.lock_key = e.lock_key"  # noqa: S608
            f" AND o.status = '{Status.PENDING}' AND o.id <> e.id)"
            f" FROM {executions} e LEFT JOIN {tasks} t ON t.id = e.task_id WHERE e.tracking_id = %s"
        )
        self._tracking_id = Execution._meta.get_field("tracking_id")

    def load(self, alias: str, tracking_id: object) -> Execution | None:
        """Return the execution, or None."""
        connection = connections[alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        identifier = self._tracking_id.get_db_prep_value(tracking_id, connection)
        with binding_cursor(connection) as cursor:
            cursor.execute(f"{self._before}{now}{self._after}", [*now_params, identifier])
            values = cursor.fetchone()
        if values is None:
            return None
        width = self._execution.width
        execution: Execution = self._execution.row(values[:width], connection)
        # No other row can have this id, so without one the task was deleted.
        execution.task = self._task.row(values[width:-2], connection) if execution.task_id else None
        execution.database_now = as_instant(values[-2], connection)  # type: ignore[assignment]  # it is never null
        execution.oldest_other = values[-1]
        return execution


def load(tracking_id: str) -> Execution | None:
    """Return the execution with its task, and on it ``database_now`` and ``oldest_other``. One statement.

    ``oldest_other`` is the id of the oldest other execution that is pending and needs the same key, or None.
    """
    alias = write_alias()
    identifier = as_uuid(tracking_id)
    return _loader(alias).load(alias, identifier) if identifier else None


class _ById:
    """The statement that reads an execution by its tracking id from one database, without its task."""

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self._alias, self._reader = alias, Reader(Execution, connection, "e")
        self._tracking_id = Execution._meta.get_field("tracking_id")
        # Names of ours only; the one value is a parameter. The present instant stands between the two halves.
        self._before = f"SELECT {self._reader.columns}, "
        self._after = f" FROM {connection.ops.quote_name(Execution._meta.db_table)} e WHERE e.tracking_id = %s"

    def read(self, tracking_id: UUID) -> Execution | None:
        """Return the execution, with ``database_now``, or None."""
        connection = connections[self._alias]
        now, parameters = DatabaseNow().as_sql(None, connection)
        identifier = self._tracking_id.get_db_prep_value(tracking_id, connection)
        with connection.cursor() as cursor:
            cursor.execute(f"{self._before}{now}{self._after}", [*parameters, identifier])
            values = cursor.fetchone()
        if values is None:
            return None
        execution: Execution = self._reader.row(values[:-1], connection)
        execution.database_now = as_instant(values[-1], connection)  # type: ignore[assignment]  # it is never null
        return execution


_by_id = lru_cache(_ById)
_loader = lru_cache(Loader)
