"""Conditions for check constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

_JOIN = " || ':' || "


class OneOf(models.Func):
    """Whether some columns, joined by colons, are one of several texts.

    What ``IN`` says, with one constant for all the texts on PostgreSQL: there a check is read from its stored text for
    each statement that writes a row, and a constant for each text makes that long.

    Args:
        columns: Names of columns that hold text and are never null.
        values: The texts; letters, underscores and colons.
    """

    output_field = models.BooleanField()

    def __init__(self, *columns: str, values: Sequence[str]) -> None:
        super().__init__(*columns)
        self.values = list(values)

    def as_sql(  # type: ignore[override]  # nothing of a function call's template is used
        self, compiler: SQLCompiler, _connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[str]]:
        """Return the SQL for databases in which ``||`` joins texts."""
        return f"({_JOIN.join(self._columns(compiler))}) IN ({self._places})", self.values

    def as_mysql(
        self, compiler: SQLCompiler, _connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[str]]:
        """Return the SQL for MariaDB and MySQL, in which ``||`` means OR."""
        return f"CONCAT_WS(':', {', '.join(self._columns(compiler))}) IN ({self._places})", self.values

    def as_postgresql(
        self, compiler: SQLCompiler, _connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[str]]:
        """Return the SQL for PostgreSQL."""
        return f"({_JOIN.join(self._columns(compiler))}) = ANY (%s)", ["{" + ",".join(self.values) + "}"]

    def _columns(self, compiler: SQLCompiler) -> list[str]:
        return [compiler.compile(column)[0] for column in self.get_source_expressions()]

    @property
    def _places(self) -> str:
        return ", ".join(["%s"] * len(self.values))
