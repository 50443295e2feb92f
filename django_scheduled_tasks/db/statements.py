"""Statements that run for every execution, built once instead of each time.

Compiling an ``UPDATE`` or a wide ``SELECT`` takes Django several times as long as the database takes to answer; what
is here does the same with the text kept. Values go through the fields as always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState
from django.db.models.constants import OnConflict
from django.db.transaction import mark_for_rollback_on_error

from django_scheduled_tasks.db.cursor import binding_cursor

MOST_ROWS = 500
"""The most rows of one statement."""
Converter = Callable[[Any, Any, BaseDatabaseWrapper], Any]


def is_plain(values: Mapping[str, Any]) -> bool:
    """Whether none of *values* is an expression or a row, so that :func:`update` can write them."""
    return not any(hasattr(value, "resolve_expression") or isinstance(value, models.Model) for value in values.values())


def update(
    model: type[models.Model],
    alias: str,
    *,
    where: Mapping[str, Any],
    status: Sequence[str],
    changes: Mapping[str, Any],
) -> int:
    """Update the rows of *model* whose fields are as in *where* and whose status is one of *status*; return how many.

    Args:
        model: Which.
        alias: Of the database.
        where: Fields and values; None means null.
        status: At least one.
        changes: Fields and their new values, no expressions.
    """
    connection = connections[alias]
    nulls = tuple(name for name, value in where.items() if value is None)
    given = {name: value for name, value in where.items() if value is not None}
    sql = _update_sql(model, connection.vendor, tuple(changes), tuple(given), nulls, len(status))
    parameters = [
        _prepared(_field(model, name), value, connection) for name, value in (*changes.items(), *given.items())
    ]
    with mark_for_rollback_on_error(using=alias), binding_cursor(connection) as cursor:
        cursor.execute(sql, [*parameters, *map(str, status)])
        return int(cursor.rowcount)


@lru_cache(maxsize=256)
def _update_sql(
    model: type[models.Model],
    vendor: str,
    changes: tuple[str, ...],
    given: tuple[str, ...],
    nulls: tuple[str, ...],
    statuses: int,
) -> str:
    quote = _connection(vendor).ops.quote_name

    def column(name: str) -> str:
        return quote(str(_field(model, name).column))

    places = ", ".join(["%s"] * statuses)
    conditions = [f"{column(name)} = %s" for name in given] + [f"{column(name)} IS NULL" for name in nulls]
    # COALESCE, so that no planner takes an index on the status instead of the unique one: with statistics from quieter
    # times it would look at all that wait, for each that starts.
    conditions.append(f"COALESCE({column('status')}, '') IN ({places})")
    settings = ", ".join(f"{column(name)} = %s" for name in changes)
    # Names of columns of ours only; every value is a parameter.
    return f"UPDATE {quote(model._meta.db_table)} SET {settings} WHERE {' AND '.join(conditions)}"  # noqa: S608


def insert(row: models.Model, alias: str) -> None:
    """Insert *row*, whose primary key the database gives; no signal of Django's models is sent.

    Args:
        row: Without a primary key; gets it. None of its fields changes a value as it is saved (``auto_now``).
        alias: Of the database.
    """
    connection, model = connections[alias], type(row)
    sql = _insert_sql(model, connection.vendor)
    with mark_for_rollback_on_error(using=alias), binding_cursor(connection) as cursor:
        cursor.execute(sql, values_of(row, connection))
        row.pk = cursor.fetchone()[0] if connection.features.can_return_columns_from_insert else cursor.lastrowid
    row._state.adding, row._state.db = False, alias


def insert_missing(rows: Sequence[models.Model], alias: str) -> None:
    """Insert *rows* of one model, leaving out those in whose way one stands already.

    As with Django's ``bulk_create(ignore_conflicts=True)`` none gets its primary key, whether it was written or not.
    One statement for as many as the database takes.

    Args:
        rows: As :func:`insert` takes them.
        alias: Of the database.
    """
    if not rows:
        return
    connection, model = connections[alias], type(rows[0])
    most = max(connection.ops.bulk_batch_size(_fields_without_key(model), rows), 1)
    rest = iter(rows)
    with mark_for_rollback_on_error(using=alias), binding_cursor(connection) as cursor:
        while some := list(islice(rest, min(most, MOST_ROWS))):
            values = [value for row in some for value in values_of(row, connection)]
            cursor.execute(_insert_missing_sql(model, connection.vendor, len(some)), values)
    for row in rows:
        row._state.adding, row._state.db = False, alias


def columns_of(model: type[models.Model]) -> list[str]:
    """Return the columns of *model* but its primary key, which the database gives."""
    return [str(field.column) for field in _fields_without_key(model)]


def values_of(row: models.Model, connection: BaseDatabaseWrapper) -> list[Any]:
    """Return the values of :func:`columns_of` as the database takes them."""
    return [_prepared(field, getattr(row, field.attname), connection) for field in _fields_without_key(type(row))]


def blank(model: type[models.Model]) -> Any:
    """Return a row of *model* with its defaults, as ``model()`` makes one, in a fraction of the time; no signal."""
    usual, made = _defaults(model)
    row = _bare(model)
    row.__dict__.update(usual)
    for name, make in made:
        row.__dict__[name] = make()
    return row


@lru_cache(maxsize=16)
def literals(model: type[models.Model]) -> dict[str, str]:
    """Return the columns that are null, false, a number or empty in each new row of *model*, as words of SQL."""
    usual, _ = _defaults(model)
    words = {str(field.column): _word(usual.get(field.attname, ...)) for field in _fields_without_key(model)}
    return {column: word for column, word in words.items() if word}


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return {None: "NULL", "": "''"}.get(value, "")


def values_beside_literals(row: models.Model, connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """Return columns and values as :func:`values_of`, without those that are as :func:`literals` has them."""
    values, (usual, _), words = row.__dict__, _defaults(type(row)), literals(type(row))
    return {
        str(field.column): _prepared(field, values[field.attname], connection)
        for field in _fields_without_key(type(row))
        if field.column not in words or values[field.attname] != usual[field.attname]
    }


@lru_cache(maxsize=16)
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """Return attributes with the default that all rows have, and those with what makes a row's own."""
    fields = model._meta.concrete_fields
    own = {field.attname for field in fields if field.has_default() and callable(field.default)}
    usual = {field.attname: field.get_default() for field in fields if field.attname not in own}
    return usual, [(field.attname, field.get_default) for field in fields if field.attname in own]


def _bare(model: type[models.Model]) -> Any:
    # As unpickling does, without what a model's __init__ looks at for each of its many fields.
    row = model.__new__(model)
    row._state = ModelState()
    return row


@lru_cache(maxsize=16)
def _insert_sql(model: type[models.Model], vendor: str) -> str:
    connection = _connection(vendor)
    sql = f"{connection.ops.insert_statement()} {_into(model, connection, 1)}"
    returning = connection.features.can_return_columns_from_insert
    return f"{sql} RETURNING {connection.ops.quote_name(str(model._meta.pk.column))}" if returning else sql


@lru_cache(maxsize=64)
def _insert_missing_sql(model: type[models.Model], vendor: str, count: int) -> str:
    connection = _connection(vendor)
    statement = connection.ops.insert_statement(on_conflict=OnConflict.IGNORE)
    suffix = connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    return f"{statement} {_into(model, connection, count)} {suffix}"


def _into(model: type[models.Model], connection: BaseDatabaseWrapper, count: int) -> str:
    """Return table, columns and places for *count* rows: names of ours only, every value is a parameter."""
    quote, names = connection.ops.quote_name, columns_of(model)
    places = f"({', '.join(['%s'] * len(names))})"
    return f"{quote(model._meta.db_table)} ({', '.join(map(quote, names))}) VALUES {', '.join([places] * count)}"


def _connection(vendor: str) -> BaseDatabaseWrapper:
    return next(one for one in connections.all() if one.vendor == vendor)


@lru_cache(maxsize=16)
def _fields_without_key(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@lru_cache(maxsize=256)
def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field: models.Field[Any, Any] = model._meta.get_field(name)  # type: ignore[assignment]  # columns of ours only
    return field


_AS_THEY_ARE = (models.CharField, models.TextField, models.IntegerField, models.BooleanField)
"""Fields whose plain values any database takes as they are."""


def _prepared(field: models.Field[Any, Any], value: Any, connection: BaseDatabaseWrapper) -> Any:
    """Return *value* as the database takes it; without asking the field where that changes nothing."""
    if value is None or (type(value) in {str, int, bool} and isinstance(field, _AS_THEY_ARE)):
        return value
    return field.get_db_prep_save(value, connection)


class Reader:
    """Makes rows of *model* from the columns of a raw ``SELECT``, as the ORM would.

    Args:
        model: Which.
        connection: Of the kind of database that is read.
        table: The alias of its table in the statement.
        without: Names of fields that are not read; each is read when it is asked for.
    """

    def __init__(
        self,
        model: type[models.Model],
        connection: BaseDatabaseWrapper,
        table: str,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._model = model
        fields = [field for field in model._meta.concrete_fields if field.name not in without]
        quote = connection.ops.quote_name
        self.columns = ", ".join(f"{table}.{quote(str(field.column))}" for field in fields)
        self.width = len(fields)
        self._names = [field.attname for field in fields]
        self._converters: list[tuple[int, Any, Sequence[Converter]]] = []
        for number, field in enumerate(fields):
            expression = field.get_col(model._meta.db_table)
            found = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]
            if found:
                self._converters.append((number, expression, found))

    def row(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        """Return the row that has *values*."""
        converted = list(values)
        for number, expression, converters in self._converters:
            for convert in converters:
                converted[number] = convert(converted[number], expression, connection)
        row = _bare(self._model)
        row._state.adding, row._state.db = False, connection.alias
        row.__dict__.update(zip(self._names, converted, strict=True))
        return row
