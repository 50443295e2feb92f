"""SQL that is written by hand: one :class:`Statement` each, which reads as SQL and can be pasted into ``EXPLAIN``.

A statement stands in :mod:`django_scheduled_tasks.store` as a block of text with a few named holes. The text is built
once for each database; the values are always parameters. What it returns becomes rows of our models, as the ORM would
make them. Compiling the same statement with the ORM each time costs several times what the database needs to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.db import connections, models
from django.db.models.constants import OnConflict
from django.db.models.expressions import RawSQL
from django.db.transaction import mark_for_rollback_on_error

from django_scheduled_tasks.db.clock import now_sql
from django_scheduled_tasks.db.connections.alias import Connection, write_alias
from django_scheduled_tasks.db.connections.cursor import binding_cursor
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.db.loaders import Loader, RowLoader


@dataclass(frozen=True, slots=True)
class Json:
    """A value of a column that holds JSON, where it is not a ``dict``."""

    value: Any


_ADAPTERS: dict[type, Callable[[Any, Connection], Any]] = {
    UUID: models.UUIDField().get_db_prep_value,
    datetime: UtcDateTimeField().get_db_prep_value,
    timedelta: models.DurationField().get_db_prep_value,
    dict: models.JSONField().get_db_prep_save,
    Json: lambda given, connection: models.JSONField().get_db_prep_save(given.value, connection),
}
"""What makes a value one that a column of its kind takes."""


LONGEST_KEPT, MOST_KEPT = 400_000, 64
"""Texts with more characters, and more texts of one statement than this, are not kept: there is one for each number of
rows, and what is for many rows costs little beside them."""


@dataclass(frozen=True)
class Each:
    """A hole that is filled once for each row of values; ``#`` in its text is the row's number: ``%(id#)s``."""

    text: str
    between: str = ", "
    before: str = ""
    """Stands before all of them, if there is a row."""

    def repeated(self, count: int) -> str:
        """Return the text for *count* rows."""
        found = self.between.join(self.text.replace("#", str(number)) for number in range(count))
        return f"{self.before}{found}" if count else ""


Model = type[models.Model]
Hole = str | Model | RowLoader | Each | Callable[[Connection], "str | Each"]


class Statement:
    """One statement of SQL.

    Args:
        text: SQL with ``%(name)s`` for each value, and with holes for what depends on the database: ``{now}``, its
            present instant, and those named in *holes*.
        returns: What it returns, in the order of its columns.
        holes: A model stands for its table, a :class:`RowLoader` named ``e`` for the columns of the table with the
            alias ``e`` (as ``{e.columns}``; ``{e}`` is the alias), :class:`Each` for a text once a row, a function for
            what it returns of the connection. A text may have holes itself: those that are named before it.
    """

    def __init__(self, text: str, *, returns: Sequence[Loader] = (), **holes: Hole) -> None:
        self._text, self._returns, self._holes = text, tuple(returns), holes
        self._built: dict[tuple[str, str, int], str] = {}

    def sql(self, *, rows: int = 0) -> str:
        """Return the text for our database, and for so many *rows* of values."""
        connection = connections[write_alias()]
        now, _ = now_sql(connection)
        key = connection.alias, now, rows
        found = self._built.get(key)
        if found is None:
            found = self._build(connection, now, rows)
            if len(self._built) >= MOST_KEPT:
                self._built = {}
            if len(found) <= LONGEST_KEPT:
                self._built[key] = found
        return found

    def _build(self, connection: Connection, now: str, rows: int) -> str:
        filled: dict[str, Any] = {"now": now}
        for name, hole in self._holes.items():
            value = _filled(name, hole, connection)
            # A text in a hole may have holes itself, of those that are named before it.
            if isinstance(value, Each):
                filled[name] = replace(value, text=value.text.format(**filled)).repeated(rows)
            else:
                filled[name] = value.format(**filled) if isinstance(value, str) else value
        return " ".join(self._text.format(**filled).split())

    def parameters(self, rows: Sequence[Mapping[str, Any]] = (), **values: Any) -> dict[str, Any]:
        """Return what goes with the text: *values*, and those of each of *rows* with its number behind the name."""
        connection = connections[write_alias()]
        found = {name: as_parameter(value, connection) for name, value in values.items()}
        for number, row in enumerate(rows):
            for name, value in row.items():
                found[f"{name}{number}"] = as_parameter(value, connection)
        return found | now_sql(connection)[1]

    def fetch(self, rows: Sequence[Mapping[str, Any]] = (), **values: Any) -> list[tuple[Any, ...]]:
        """Run it, and return its rows, each with one item for each of *returns*."""
        with self._run(rows, values) as cursor:
            found = cursor.fetchall()
        connection = connections[write_alias()]
        return [self._read(row, connection) for row in found]

    def first(self, **values: Any) -> tuple[Any, ...] | None:
        """Run it, and return its first row, or None."""
        return next(iter(self.fetch(**values)), None)

    def as_subquery(self) -> RawSQL:
        """Return it for a condition of the ORM, such as ``pk__in=…``; it has no values but the present instant."""
        now = self.parameters().get("now")
        sql = self.sql()
        return RawSQL(sql.replace("%(now)s", "%s"), [now] * sql.count("%(now)s"))  # noqa: S611  # nosec  (a text of ours)

    def execute(self, rows: Sequence[Mapping[str, Any]] = (), **values: Any) -> int:
        """Run it, and return how many rows it wrote."""
        with self._run(rows, values) as cursor:
            return int(cursor.rowcount)

    def insert(self, **values: Any) -> int:
        """Run it, and return the primary key that the database gave."""
        with self._run((), values) as cursor:
            returns = connections[write_alias()].features.can_return_columns_from_insert
            return int(cursor.fetchone()[0] if returns else cursor.lastrowid)

    def insert_rows(self, rows: Sequence[Mapping[str, Any]], **values: Any) -> list[Any]:
        """Run it, and return what the database says of the rows that it has written; nothing, if it says nothing."""
        with self._run(rows, values) as cursor:
            return (
                list(cursor.fetchall()) if connections[write_alias()].features.can_return_rows_from_bulk_insert else []
            )

    @contextmanager
    def _run(self, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Iterator[Any]:
        alias = write_alias()
        with mark_for_rollback_on_error(using=alias), binding_cursor(connections[alias]) as cursor:
            cursor.execute(self.sql(rows=len(rows)), self.parameters(rows, **values))
            yield cursor

    def _read(self, row: Sequence[Any], connection: Connection) -> tuple[Any, ...]:
        found, at = [], 0
        for loader in self._returns:
            found.append(loader.read(row[at : at + loader.width], connection))
            at += loader.width
        return tuple(found)


class _Table:
    """A table in a statement: its alias, and its columns as a loader reads them."""

    def __init__(self, alias: str, columns: str = "") -> None:
        self.alias, self.columns = alias, columns

    def __str__(self) -> str:
        return self.alias


def _filled(name: str, hole: Hole, connection: Connection) -> _Table | Each | str:
    if isinstance(hole, RowLoader):
        return _Table(name, hole.columns(name, connection))
    if isinstance(hole, type):
        return _Table(connection.ops.quote_name(cast("Model", hole)._meta.db_table))
    return hole if isinstance(hole, (str, Each)) else hole(connection)


def as_parameter(value: Any, connection: Connection) -> Any:
    """Return *value* as the database takes it for a column of its kind; a ``dict`` is JSON."""
    if value is None or type(value) in {str, int, bool}:
        return value
    if isinstance(value, list):
        return [as_parameter(item, connection) for item in value]
    adapt = next((adapt for kind, adapt in _ADAPTERS.items() if isinstance(value, kind)), None)
    return adapt(value, connection) if adapt is not None else str(value)  # a member of an enumeration


def for_update(*, skip_locked: bool = False) -> Callable[[Connection], str]:
    """Return a hole with the lock of the rows that a ``SELECT`` reads, as far as the database has one.

    Others may still write rows that refer to them, where the database can tell. On SQLite the transaction is the lock.
    """

    def lock(connection: Connection) -> str:
        features = connection.features
        if not features.has_select_for_update:
            return ""
        return connection.ops.for_update_sql(
            skip_locked=skip_locked and features.has_select_for_update_skip_locked,
            no_key=features.has_select_for_no_key_update,
        )

    return lock


def insert_ignoring(connection: Connection) -> str:
    """Return the hole with which an ``INSERT`` begins that leaves out rows in whose place one stands already."""
    return connection.ops.insert_statement(on_conflict=OnConflict.IGNORE)


def ignoring_conflicts(connection: Connection) -> str:
    """Return the hole with which such an ``INSERT`` ends."""
    return connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])


def replacing(columns: Sequence[str], changed: Sequence[str], *, key: str = "id") -> Callable[[Connection], str]:
    """Return the hole with which an ``INSERT`` ends that writes over the rows that have its keys.

    Args:
        columns: All that it inserts.
        changed: Those that are written over.
        key: The primary key's.
    """

    def suffix(connection: Connection) -> str:
        return connection.ops.on_conflict_suffix_sql(list(columns), OnConflict.UPDATE, list(changed), [key])

    return suffix


def returning_id(connection: Connection) -> str:
    """Return the hole with which an ``INSERT`` returns its primary key, where the database can."""
    return "RETURNING id" if connection.features.can_return_columns_from_insert else ""
