"""Reading what is needed each time that an execution is due, triggered or run: the wide ``SELECT`` statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connections

from django_scheduled_tasks.db.alias import Connection
from django_scheduled_tasks.db.clock import DatabaseNow, as_instant
from django_scheduled_tasks.db.cursor import binding_cursor
from django_scheduled_tasks.db.statements import Reader
from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import ScheduledTask, write_alias
from django_scheduled_tasks.models.task import NUL, name_key


def task_with_now(reader: Reader, values: Sequence[Any], connection: Connection) -> ScheduledTask:
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
