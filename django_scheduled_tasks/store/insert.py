"""Writing an execution of a task without locking the task: one statement, if its row is as it was when it was read.

For runs that no other run of the task can be in the way of. Whoever changed or deleted the task since has changed its
row: then nothing is written, and it is for the caller to read the task again.

PostgreSQL only, as with prepared occurrences: no other database has a system column that tells one version of a row
from the next.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.clock import DatabaseNow, as_instant
from django_scheduled_tasks.db.cursor import binding_cursor
from django_scheduled_tasks.db.statements import columns_of, literals, values_beside_literals
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.store.tasks import KeptTask

_INSTANTS = ("triggered_at", "send_at", "expires_at")
"""What is counted from the instant at which the row is written."""


def can_be_unlocked() -> bool:
    """Whether :func:`insert_unlocked` may be used here and now.

    Within a transaction it may not: that one's own changes of the task have to count, and two of them look alike.
    """
    connection = connections[write_alias()]
    return connection.vendor == "postgresql" and not connection.in_atomic_block


def insert_unlocked(execution: Execution, kept: KeptTask) -> bool:
    """Insert *execution*, if its task is still the one that was *kept*; one statement.

    Args:
        execution: As if it were triggered at the instant at which the task was read; gets its primary key and the
            true instants.
        kept: Its task.
    Returns:
        False if the task was changed or deleted, or somebody is about to delete it.
    """
    alias = write_alias()
    return _inserter(alias).insert(alias, execution, kept)


class _Inserter:
    """The statement, for one database."""

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self._quote = connection.ops.quote_name
        self._literals = literals(Execution)
        self._id = ScheduledTask._meta.get_field("id")
        self._sql = lru_cache(maxsize=64)(self._sql_for)

    def _sql_for(self, given: tuple[str, ...]) -> str:
        """Return the statement for a row of which the columns *given* are not as a new row has them."""
        names = columns_of(Execution)
        wanted = set(given)
        values = [
            (("{now} + %s::interval" if name in _INSTANTS else "%s") if name in wanted else self._literals[name])
            for name in names
        ]
        # Names and defaults of ours only; the values are parameters. The lock is the one that the foreign key takes.
        return (
            f"INSERT INTO {self._quote(Execution._meta.db_table)} ({', '.join(map(self._quote, names))})"  # noqa: S608
            f" SELECT {', '.join(values)} FROM {self._quote(ScheduledTask._meta.db_table)} t"
            " WHERE t.id = %s AND t.xmin::text = %s FOR KEY SHARE OF t RETURNING id, triggered_at"
        )

    def insert(self, alias: str, execution: Execution, kept: KeptTask) -> bool:
        """Insert; False if the row of the task is another one."""
        connection, read_at = connections[alias], kept.task.database_now
        now, now_params = DatabaseNow().as_sql(None, connection)
        given = values_beside_literals(execution, connection)
        after: dict[str, timedelta] = {}
        values: list[Any] = []
        for name, value in given.items():
            if name in _INSTANTS:
                after[name] = getattr(execution, name) - read_at
                values += [*now_params, after[name]]
            else:
                values.append(value)
        identifier = self._id.get_db_prep_value(kept.task.pk, connection)
        with binding_cursor(connection) as cursor:
            cursor.execute(self._sql(tuple(given)).replace("{now}", now), [*values, identifier, kept.version])
            row = cursor.fetchone()
        if row is None:
            return False
        execution.pk, written_at = row[0], as_instant(row[1], connection)
        for name, wait in after.items():
            setattr(execution, name, written_at + wait if written_at else None)
        execution._state.adding, execution._state.db = False, alias
        return True


_inserter = lru_cache(_Inserter)
