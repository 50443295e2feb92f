"""The statements that read tasks before they are due, and write their occurrences if the tasks are as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.clock import DatabaseNow, as_instant
from django_scheduled_tasks.db.cursor import binding_cursor
from django_scheduled_tasks.db.statements import Reader, columns_of
from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.store.tasks import task_with_now

_RETURNING = " ON CONFLICT DO NOTHING RETURNING id, tracking_id, triggered_at"


@dataclass(frozen=True)
class Ready:
    """One task, planned for one instant."""

    execution: Execution
    version: str
    """Of the task's row."""
    changes: tuple[datetime | None, int]
    """The new ``next_run_at`` and ``run_count``."""
    is_exclusive: bool
    """Whether the occurrence may start only if no execution of the task is open."""
    values: Sequence[Any]
    """The columns of the execution, as the database takes them."""


class _DueReader:
    """Reads what will be due, from one database."""

    def __init__(self, alias: str) -> None:
        self._alias, connection = alias, connections[alias]
        self._task = Reader(ScheduledTask, connection, "t")
        self._due = ScheduledTask._meta.get_field("next_run_at")
        table = connection.ops.quote_name(ScheduledTask._meta.db_table)
        # Names of ours only; the values are parameters.
        due = f"FROM {table} t WHERE t.next_run_at <= %s ORDER BY t.next_run_at LIMIT %s"
        self._read = f"SELECT {self._task.columns}, {{now}}, t.xmin::text {due}"
        self._count = f"SELECT COUNT(*) FROM (SELECT 1 {due}) due"  # noqa: S608

    def count(self, at: datetime, *, most: int) -> int:
        """Return how many tasks are due at *at*, but not more than *most*."""
        connection = connections[self._alias]
        with binding_cursor(connection) as cursor:
            cursor.execute(self._count, [self._due.get_db_prep_value(at, connection), most])
            return int(cursor.fetchone()[0])

    def read(self, at: datetime, *, most: int) -> list[tuple[ScheduledTask, str]]:
        """Return at most *most* of the tasks that are due at *at*, each with the version of its row."""
        connection = connections[self._alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        params = [*now_params, self._due.get_db_prep_value(at, connection), most]
        with binding_cursor(connection) as cursor:
            cursor.execute(self._read.replace("{now}", now), params)
            rows = cursor.fetchall()
        return [(task_with_now(self._task, values[:-1], connection), values[-1]) for values in rows]


class _Writer:
    """Writes what is ready into one database."""

    def __init__(self, alias: str) -> None:
        self._alias, connection = alias, connections[alias]
        quote = connection.ops.quote_name
        self._tasks = quote(ScheduledTask._meta.db_table)
        self._executions = quote(Execution._meta.db_table)
        self._id = ScheduledTask._meta.get_field("id")
        self._due = ScheduledTask._meta.get_field("next_run_at")
        self._names = columns_of(Execution)
        self._into = f"INSERT INTO {self._executions} ({', '.join(map(quote, self._names))})"
        # Without the length, to which a cast would cut silently.
        types = {
            field.column: str(field.db_type(connection)).partition("(")[0] for field in Execution._meta.concrete_fields
        }
        self._types = [types[name] for name in self._names]
        is_open = ", ".join(f"'{status}'" for status in sorted(OPEN))
        self._nothing_open = (
            f"NOT EXISTS (SELECT 1 FROM {self._executions} o WHERE o.task_id = t.id AND o.status IN ({is_open}))"  # noqa: S608
        )
        self._many = lru_cache(maxsize=64)(self._sql_for_many)

    def lock(self, ready: Sequence[Ready]) -> list[Ready]:
        """Lock the tasks until the transaction ends; return those that are as they were, and that nobody else holds."""
        sql = (
            f"SELECT t.id FROM {self._tasks} t JOIN (VALUES (%s::uuid, %s::text){', (%s, %s)' * (len(ready) - 1)})"  # noqa: S608
            " AS r (task, version) ON t.id = r.task AND t.xmin::text = r.version FOR NO KEY UPDATE OF t SKIP LOCKED"
        )
        with binding_cursor(connections[self._alias]) as cursor:
            cursor.execute(sql, [value for one in ready for value in self._who(one)])
            found = {row[0] for row in cursor.fetchall()}
        return [one for one in ready if one.execution.task_id in found]

    def write(self, ready: Sequence[Ready]) -> list[Execution]:
        """Write the occurrences of those tasks that are as they were, and move the tasks on; one statement.

        Returns:
            What was written, in the order of *ready*.
        """
        connection = connections[self._alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        sql, params = self._one(ready[0], now_params) if len(ready) == 1 else self._all(ready, now_params)
        with binding_cursor(connection) as cursor:
            cursor.execute(sql.replace("{now}", now), params)
            found = {row[1]: row for row in cursor.fetchall()}
        written = [one.execution for one in ready if one.execution.tracking_id in found]
        for execution in written:
            execution.pk, _tracking_id, instant = found[execution.tracking_id]
            execution.triggered_at = as_instant(instant, connection)
            execution._state.adding, execution._state.db = False, self._alias
        return written

    def _who(self, one: Ready) -> list[Any]:
        return [self._id.get_db_prep_value(one.execution.task_id, connections[self._alias]), one.version]

    def _moved(self, one: Ready) -> list[Any]:
        next_run_at, run_count = one.changes
        return [self._due.get_db_prep_value(next_run_at, connections[self._alias]), run_count]

    # Names and words of ours only; the values are parameters.

    def _one(self, one: Ready, now_params: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the statement for one row and its values."""
        condition = f" AND {self._nothing_open}" if one.is_exclusive else ""
        values = ", ".join("{now}" if name == "triggered_at" else "%s" for name in self._names)
        sql = (
            f"WITH moved AS (UPDATE {self._tasks} AS t SET next_run_at = %s, run_count = %s"  # noqa: S608
            f" WHERE t.id = %s AND t.xmin::text = %s AND t.next_run_at <= {{now}}{condition} RETURNING t.id)"
            f" {self._into} SELECT {values} FROM moved{_RETURNING}"
        )
        params = [*self._moved(one), *self._who(one), *now_params]
        for name, value in zip(self._names, one.values, strict=True):
            params += now_params if name == "triggered_at" else [value]
        return sql, params

    def _all(self, ready: Sequence[Ready], now_params: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the statement for many rows and their values."""
        # What is the same in all rows, as most of it is, is sent once.
        same = tuple(
            name == "triggered_at" or all(one.values[place] == ready[0].values[place] for one in ready)
            for place, name in enumerate(self._names)
        )
        params: list[Any] = []
        for one in ready:
            params += [*self._who(one), *self._moved(one), one.is_exclusive]
            params += [value for value, is_same in zip(one.values, same, strict=True) if not is_same]
        params += now_params
        for name, value, is_same in zip(self._names, ready[0].values, same, strict=True):
            if is_same:
                params += now_params if name == "triggered_at" else [value]
        return self._many(len(ready), same), params

    def _sql_for_many(self, count: int, same: tuple[bool, ...]) -> str:
        own = [place for place, is_same in enumerate(same) if not is_same]
        # The first row says of which types they are, where a value alone does not.
        types = ["uuid", "text", "timestamptz", "integer", "boolean", *(self._types[place] for place in own)]
        first = ", ".join(f"%s::{kind}" for kind in types)
        further = f", ({', '.join(['%s'] * len(types))})" * (count - 1)
        columns = ", ".join(["task", "version", "next_run_at", "run_count", "is_exclusive", *(f"c{n}" for n in own)])
        chosen = ", ".join(
            "{now}" if name == "triggered_at" else f"%s::{self._types[place]}" if same[place] else f"r.c{place}"
            for place, name in enumerate(self._names)
        )
        return (
            f"WITH ready ({columns}) AS (VALUES ({first}){further}),"  # noqa: S608
            f" moved AS (UPDATE {self._tasks} AS t SET next_run_at = r.next_run_at, run_count = r.run_count"
            " FROM ready r WHERE t.id = r.task AND t.xmin::text = r.version AND t.next_run_at <= {now}"
            f" AND (NOT r.is_exclusive OR {self._nothing_open}) RETURNING t.id)"
            f" {self._into} SELECT {chosen} FROM ready r JOIN moved m ON m.id = r.task{_RETURNING}"
        )


reader_of = lru_cache(_DueReader)
writer_of = lru_cache(_Writer)
