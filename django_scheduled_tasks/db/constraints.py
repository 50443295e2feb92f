"""Conditions for check constraints, and which constraint refused a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, models
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
    ) -> tuple[str, list[Any]]:
        """Return the SQL for databases in which ``||`` joins texts."""
        columns, given = self._columns(compiler)
        return f"({_JOIN.join(columns)}) IN ({self._places})", [*given, *self.values]

    def as_mysql(
        self, compiler: SQLCompiler, _connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[Any]]:
        """Return the SQL for MariaDB and MySQL, in which ``||`` means OR."""
        columns, given = self._columns(compiler)
        return f"CONCAT_WS(':', {', '.join(columns)}) IN ({self._places})", [*given, *self.values]

    def as_postgresql(
        self, compiler: SQLCompiler, _connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, list[Any]]:
        """Return the SQL for PostgreSQL."""
        columns, given = self._columns(compiler)
        return f"({_JOIN.join(columns)}) = ANY (%s)", [*given, "{" + ",".join(self.values) + "}"]

    def _columns(self, compiler: SQLCompiler) -> tuple[list[str], list[Any]]:
        """Return the columns as SQL, and, where a form asks about values that are not stored yet, these values."""
        found = [compiler.compile(column) for column in self.get_source_expressions()]
        return [sql for sql, _values in found], [value for _sql, values in found for value in values]

    @property
    def _places(self) -> str:
        return ", ".join(["%s"] * len(self.values))


_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")
_SQLITE_CHECK = re.compile(r"CHECK constraint failed: (\S+)")
_MYSQL_CONSTRAINT = re.compile(r"CONSTRAINT `([^`]+)`|.*'([^']*)'[^']*$", re.DOTALL)
"""MariaDB's for a check; that of both for a key that exists, whose name is the last thing in quotes."""


def violated_constraint(error: IntegrityError, model: type[models.Model]) -> str:
    """Return the name of the constraint of *model* that refused a row.

    A database may speak any language, so nothing but names is read from its message.

    Returns:
        The name as in ``Meta.constraints``; the field's name for ``unique=True`` and for the primary key; empty for
        all else: a foreign key, a null, a constraint of another table.
    """
    reported = error.__cause__ or error
    diagnostics = getattr(reported, "diag", None)
    if diagnostics is not None:  # psycopg
        is_ours = diagnostics.table_name == model._meta.db_table
        return _known(diagnostics.constraint_name or "", model) if is_ours else ""
    if len(reported.args) > 1:  # MySQL and MariaDB: a number and a message
        found = _MYSQL_CONSTRAINT.match(str(reported.args[1]))
        return _known((found[1] or found[2]).rpartition(".")[2], model) if found else ""
    if found := _SQLITE_UNIQUE.fullmatch(str(reported)):
        return _unique_over(found[1].split(", "), model)
    if found := _SQLITE_CHECK.fullmatch(str(reported)):
        return _known(found[1], model)
    return ""


def _known(name: str, model: type[models.Model]) -> str:
    """Return *name* if ``Meta.constraints`` has it, else the name of the field that the database named it after."""
    if any(constraint.name == name for constraint in model._meta.constraints):
        return name
    for field in model._meta.concrete_fields:
        start = f"{model._meta.db_table}_{field.column}_"
        given_by_database = {"PRIMARY", f"{model._meta.db_table}_pkey"} if field.primary_key else {field.column}
        given_by_django = name.startswith(start) and name.endswith(("_key", "_uniq"))
        if field.unique and (name in given_by_database or given_by_django):
            return field.name
    return ""


def _unique_over(columns: list[str], model: type[models.Model]) -> str:
    """Return the name of the constraint that makes these columns, each with its table, unique."""
    table = model._meta.db_table
    column_of = {field.name: field.column for field in model._meta.concrete_fields}
    unique: dict[Sequence[str], str] = {(f.name,): f.name for f in model._meta.concrete_fields if f.unique}
    unique |= {c.fields: c.name for c in model._meta.constraints if isinstance(c, models.UniqueConstraint)}
    return next((name for of, name in unique.items() if columns == [f"{table}.{column_of[one]}" for one in of]), "")
