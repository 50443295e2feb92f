"""Reading what is needed each time that an execution is due, triggered or run: the wide ``SELECT`` statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.models.clock import DatabaseNow, as_instant
from django_scheduled_tasks.models.cursors import binding_cursor
from django_scheduled_tasks.models.swap import Reader
from django_scheduled_tasks.models.task import NUL, name_key
from django_scheduled_tasks.services.lookup import as_uuid


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


_loader = lru_cache(Loader)


def load(tracking_id: str) -> Execution | None:
    """Return the execution with its task, and on it ``database_now`` and ``oldest_other``. One statement.

    ``oldest_other`` is the id of the oldest other execution that is pending and needs the same key, or None.
    """
    alias = write_alias()
    identifier = as_uuid(tracking_id)
    return _loader(alias).load(alias, identifier) if identifier else None


def task_with_now(reader: Reader, values: Sequence[Any], connection: BaseDatabaseWrapper) -> ScheduledTask:
    """Return the task whose columns *values* are, with the present instant behind them."""
    task: ScheduledTask = reader.row(values[:-1], connection)
    task.database_now = as_instant(values[-1], connection)  # type: ignore[assignment]  # it is never null
    return task


@dataclass(frozen=True)
class KeptTask:
    """A task as it was read, for those who can tell later whether its row is still the same."""

    task: ScheduledTask
    version: str
    """Which version of the row it was; of a row that was changed it is another one."""


class Locker:
    """The statement that reads and locks one task, for one database."""

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self.task = Reader(ScheduledTask, connection, "t")
        features, quote = connection.features, connection.ops.quote_name
        lock = ""
        if features.has_select_for_update:  # on SQLite the transaction itself is the lock
            # No key: others may still write rows that refer to this one.
            lock = connection.ops.for_update_sql(no_key=features.has_select_for_no_key_update)
        # Names of ours only; the values are parameters. The present instant stands between the two halves.
        version = "t.xmin::text" if connection.vendor == "postgresql" else "''"
        self._before = f"SELECT {version}, {self.task.columns}, "
        self._after = f" FROM {quote(ScheduledTask._meta.db_table)} t WHERE {{}} LIMIT 2 {lock}"
        self._id = ScheduledTask._meta.get_field("id")

    def lock(self, alias: str, key: str, identifier: UUID | None) -> list[Sequence[Any]]:
        """Return the tasks with this key or id, locked: version, columns, and the present instant."""
        connection = connections[alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        params: list[Any] = [*now_params, key]
        where = "t.name_key = %s"
        if identifier is not None:
            where += " OR t.id = %s"
            params.append(self._id.get_db_prep_value(identifier, connection))
        with binding_cursor(connection) as cursor:
            cursor.execute(f"{self._before}{now}{self._after.format(where)}", params)
            return list(cursor.fetchall())


_locker = lru_cache(Locker)
_kept: dict[tuple[str, str], Sequence[Any]] = {}
MOST_KEPT = 256
"""How many tasks a process keeps: each as wide as its parameters."""


def lock_task(name_or_id: str | UUID, *, keep: bool = False) -> ScheduledTask:
    """Return the task with this name (whatever its case) or id; a name wins. Locked until the transaction ends.

    One statement; ``database_now`` is on the task.

    Args:
        name_or_id: Which.
        keep: Let :func:`kept_task` find it by its name from now on. Only of a transaction that has changed nothing:
            two versions of a row that one transaction writes cannot be told apart.
    Raises:
        TaskNotFound: There is none.
    """
    alias, key = write_alias(), name_key(str(name_or_id))
    if NUL in key:
        raise TaskNotFound(name_or_id)
    locker, connection = _locker(alias), connections[alias]
    found = [
        (task_with_now(locker.task, values[1:], connection), values)
        for values in locker.lock(alias, key, as_uuid(name_or_id))
    ]
    if not found:
        raise TaskNotFound(name_or_id)
    task, values = next((one for one in found if one[0].name_key == key), found[0])
    if keep and values[0]:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[alias, task.name_key] = values
    return task


def kept_task(name: str) -> KeptTask | None:
    """Return the task that had this name when this process last locked it to run it; no statement.

    It may have been changed or deleted since. ``database_now`` is when it was read.
    """
    alias = write_alias()
    values = _kept.get((alias, name_key(name)))
    if values is None:
        return None
    # Made anew each time, so that nobody's changes to it are kept.
    return KeptTask(task_with_now(_locker(alias).task, values[1:], connections[alias]), values[0])


class DueLocker:
    """The statement that reads and locks what is due, for one database."""

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self._task = Reader(ScheduledTask, connection, "t")
        features, quote = connection.features, connection.ops.quote_name
        lock = ""
        if features.has_select_for_update:  # on SQLite the transaction itself is the lock
            lock = connection.ops.for_update_sql(
                skip_locked=features.has_select_for_update_skip_locked,
                no_key=features.has_select_for_no_key_update,
            )
        table, due = quote(ScheduledTask._meta.db_table), quote("next_run_at")
        # Names of ours only; the present instant stands in two places, and the one value is a parameter.
        self._sql = (
            f"SELECT {self._task.columns}, {{now}} FROM {table} t"  # noqa: S608
            f" WHERE t.{due} <= {{now}} ORDER BY t.{due} LIMIT %s {lock}"
        )

    def lock(self, alias: str, limit: int) -> list[ScheduledTask]:
        """Return at most *limit* of them, the one due longest first, each with ``database_now`` on it."""
        connection = connections[alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        with binding_cursor(connection) as cursor:
            cursor.execute(self._sql.replace("{now}", now), [*now_params, *now_params, limit])
            return [task_with_now(self._task, values, connection) for values in cursor.fetchall()]


_due_locker = lru_cache(DueLocker)


def lock_due_tasks(limit: int) -> list[ScheduledTask]:
    """Return at most *limit* tasks that are due and that no other scheduler, or person, holds; locked by us now.

    One statement; ``database_now`` is on each task.
    """
    alias = write_alias()
    return _due_locker(alias).lock(alias, limit)
