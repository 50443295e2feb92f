"""The database's clock: the one place where time is read, so that hosts agree and a test can move it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from django.db import connections, models
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler

from django_scheduled_tasks.db.connections.alias import Connection, write_alias
from django_scheduled_tasks.db.fields import UtcDateTimeField

Rows = TypeVar("Rows", bound=models.QuerySet[Any])
_frozen: list[datetime] = []
_INSTANT = UtcDateTimeField()
_NOW = {
    "postgresql": "STATEMENT_TIMESTAMP()",
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW')",
}
"""On SQLite instants are compared as texts, so this one has as many digits as those that Django stores."""
_GIVEN = {"postgresql": "{}::timestamptz", "mysql": "CAST({} AS DATETIME(6))", "sqlite": "{}"}
"""An instant that is a parameter; without a cast, MySQL's drivers give a text back."""


class DatabaseNow(models.Func):
    """The instant at which the statement began, by the database's clock, in UTC."""

    output_field = UtcDateTimeField()
    arity = 0

    def as_sql(  # type: ignore[override]  # nothing of a function call's template is used
        self, compiler: SQLCompiler, connection: Connection, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL for *connection*'s vendor."""
        sql, parameters = now_sql(connection, place="%s")
        return sql, tuple(parameters.values())


def now_sql(connection: Connection, *, place: str = "%(now)s") -> tuple[str, dict[str, Any]]:
    """Return the SQL for the database's present instant, and its parameter where a test has stopped the clock.

    Args:
        connection: To the database.
        place: How the statement says that there is a parameter.
    """
    if not _frozen:
        return _NOW[connection.vendor], {}
    return _GIVEN[connection.vendor].format(place), {"now": _INSTANT.get_db_prep_value(_frozen[-1], connection)}


def clock_step(connection: Connection) -> float:
    """Return by how many seconds :class:`DatabaseNow` may be behind because the database's clock moves in steps."""
    return 0.001 if connection.vendor == "sqlite" else 0.0


def database_now() -> Combinable:
    """Return the expression for the database's present instant, to annotate or to compare with."""
    return DatabaseNow()


def with_now(rows: Rows) -> Rows:
    """Return *rows*, each with ``database_now`` on it: the present instant for no further statement."""
    annotated: Any = rows.annotate(database_now=database_now())
    return annotated  # type: ignore[no-any-return]


def read_now() -> datetime:
    """Ask the database for the present instant; one statement. Prefer annotating a query that is made anyway."""
    connection = connections[write_alias()]
    sql, parameters = now_sql(connection, place="%s")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", list(parameters.values()))
        (value,) = cursor.fetchone()
    now = as_instant(value, connection)
    assert now is not None  # noqa: S101  (for the type checker: the database always has a time)
    return now


def as_instant(value: Any, connection: Connection) -> datetime | None:
    """Return what a raw cursor gave for one of our columns as an aware instant in UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return _INSTANT.from_db_value(value, None, connection)


@contextmanager
def frozen_at(instant: datetime) -> Iterator[None]:
    """Let the database's clock stand at *instant* within the block, for tests."""
    _frozen.append(instant)
    try:
        yield
    finally:
        _frozen.pop()
