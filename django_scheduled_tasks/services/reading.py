"""Reading what each request for a status needs, by a statement that is built once."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from django.db import connections

from django_scheduled_tasks.models import Execution, with_now
from django_scheduled_tasks.models.clock import DatabaseNow, as_instant
from django_scheduled_tasks.models.swap import Reader
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.services.lookup import as_uuid, get_execution_of


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


def execution_of(task: str, tracking_id: str | UUID) -> Execution:
    """Return the execution with this tracking id if it is one of *task* (a name or an id), with ``database_now``.

    Its task is read when it is asked for. One statement if the task has the name that it had then.

    Raises:
        TaskNotFound: There is no such task.
        ExecutionNotFound: There is no such execution, or it is another task's.
    """
    identifier = as_uuid(tracking_id)
    execution = _by_id(Execution.objects.db).read(identifier) if identifier else None
    if execution is not None and (
        name_key(task) == execution.task_name.casefold()
        or (execution.task_id is not None and as_uuid(task) == execution.task_id)
    ):
        return execution
    return get_execution_of(task, tracking_id, with_now(Execution.objects.all()))
