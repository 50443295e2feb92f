"""What the columns of a statement become: values, instants, and rows of our models as the ORM would make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from django.db import models
from django.db.models.base import ModelState

from django_scheduled_tasks.db.clock import as_instant
from django_scheduled_tasks.db.connections.alias import Connection


class Loader(Protocol):
    """Reads one or several of the values that a statement returns."""

    width: int
    """How many values it reads."""

    def read(self, values: Sequence[Any], connection: Connection) -> Any:
        """Return what the values mean."""


class AsIs:
    """One value, as the driver gives it."""

    width = 1

    def read(self, values: Sequence[Any], _connection: Connection) -> Any:
        """Return the value."""
        return values[0]


class Instant:
    """One instant that is never null, as an aware ``datetime`` in UTC."""

    width = 1

    def read(self, values: Sequence[Any], connection: Connection) -> datetime:
        """Return the instant."""
        instant = as_instant(values[0], connection)
        if instant is None:
            raise ValueError("The database gave no instant.")
        return instant


class MaybeInstant:
    """One instant, or None."""

    width = 1

    def read(self, values: Sequence[Any], connection: Connection) -> datetime | None:
        """Return the instant."""
        return as_instant(values[0], connection)


class RowLoader:
    """Makes rows of *model* from the columns of a statement, as the ORM would; None where the primary key is null.

    Args:
        model: Which.
        without: Names of fields that are not read; each is read by a query of its own when it is asked for.
    """

    def __init__(self, model: type[models.Model], *, without: frozenset[str] = frozenset()) -> None:
        self.model = model
        self.fields = [field for field in model._meta.concrete_fields if field.name not in without]
        self.width = len(self.fields)
        self._names = [field.attname for field in self.fields]
        self._key = next(number for number, field in enumerate(self.fields) if field.primary_key)
        self._converters: dict[str, list[tuple[int, Any, Callable[..., Any]]]] = {}

    def columns(self, table: str, connection: Connection) -> str:
        """Return the columns to select, each with the alias of its *table* in the statement."""
        return ", ".join(f"{table}.{connection.ops.quote_name(str(field.column))}" for field in self.fields)

    def read(self, values: Sequence[Any], connection: Connection) -> Any:
        """Return the row that has *values*."""
        if values[self._key] is None:
            return None
        converted = list(values)
        for number, expression, convert in self._converters_for(connection):
            converted[number] = convert(converted[number], expression, connection)
        row = bare_row(self.model)
        row._state.adding, row._state.db = False, connection.alias
        row.__dict__.update(zip(self._names, converted, strict=True))
        return row

    def _converters_for(self, connection: Connection) -> list[tuple[int, Any, Callable[..., Any]]]:
        if connection.alias not in self._converters:
            found: list[tuple[int, Any, Callable[..., Any]]] = []
            for number, field in enumerate(self.fields):
                expression = field.get_col(self.model._meta.db_table)
                converters = connection.ops.get_db_converters(expression), expression.get_db_converters(connection)
                found += [(number, expression, convert) for convert in chain(*converters)]
            self._converters[connection.alias] = found
        return self._converters[connection.alias]


def bare_row(model: type[models.Model]) -> Any:
    """Return a row of *model* without any value, as unpickling makes one; no signal of Django's models is sent."""
    row = model.__new__(model)
    row._state = ModelState()
    return row
