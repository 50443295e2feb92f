"""The tasks that are due, locked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.clock import DatabaseNow
from django_scheduled_tasks.db.cursor import binding_cursor
from django_scheduled_tasks.db.statements import Reader
from django_scheduled_tasks.models import ScheduledTask, write_alias
from django_scheduled_tasks.store.tasks import task_with_now

MOST_ROWS = 500
PARAMETERS_A_ROW = 5


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


def lock_due_tasks(limit: int) -> list[ScheduledTask]:
    """Return at most *limit* tasks that are due and that no other scheduler, or person, holds; locked by us now.

    One statement; ``database_now`` is on each task.
    """
    alias = write_alias()
    return _due_locker(alias).lock(alias, limit)


def update_next_runs(tasks: Sequence[ScheduledTask]) -> None:
    """Write ``next_run_at`` and ``run_count`` of *tasks*; one statement for as many as the database takes.

    Django's ``bulk_update`` does the same, but builds a tree of expressions for each value: of a pass over a thousand
    tasks that alone took three quarters of the time.
    """
    connection = connections[write_alias()]
    most = connection.features.max_query_params
    size = min(MOST_ROWS, most // PARAMETERS_A_ROW) if most else MOST_ROWS
    rest = iter(tasks)
    while chunk := list(islice(rest, size)):
        _update(connection, chunk)


def _update(connection: Any, tasks: Sequence[ScheduledTask]) -> None:
    columns = {column.name: column for column in ScheduledTask._meta.concrete_fields}
    identifiers = [columns["id"].get_db_prep_value(task.pk, connection) for task in tasks]
    sets, parameters = [], []
    for name, kind in (("next_run_at", "timestamptz"), ("run_count", "integer")):
        # PostgreSQL takes the type of a CASE from its branches, and parameters have none.
        cast = f"::{kind}" if connection.vendor == "postgresql" else ""
        sets.append(f"{name} = CASE id {f'WHEN %s THEN %s{cast} ' * len(tasks)}END")
        for identifier, task in zip(identifiers, tasks, strict=True):
            value = columns[name].get_db_prep_value(getattr(task, name), connection)
            parameters += [identifier, value]
    table = connection.ops.quote_name(ScheduledTask._meta.db_table)
    places = ", ".join(["%s"] * len(tasks))
    sql = f"UPDATE {table} SET {', '.join(sets)} WHERE id IN ({places})"  # noqa: S608  (names of ours; values are apart)
    with binding_cursor(connection) as cursor:
        cursor.execute(sql, [*parameters, *identifiers])


_due_locker = lru_cache(DueLocker)
