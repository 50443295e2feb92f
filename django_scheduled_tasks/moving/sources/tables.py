"""Reading tables of other apps, whether or not these are still installed: by models of our own that manage nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.apps.registry import Apps
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.utils.timezone import get_default_timezone, is_naive, make_aware

from django_scheduled_tasks.models import write_alias

MOST_ROWS = 100_000
Columns = Mapping[str, "models.Field[Any, Any]"]
_apps = Apps()
"""Apart from the project's: nothing migrates these, and no name is taken."""


def add_database(parser: ArgumentParser) -> None:
    """Add the option that says where the tables are."""
    parser.add_argument("--database", help="the alias of the database that has its tables; default: the one that does")


def database_of(table: str) -> str:
    """Return the alias of the database that has *table*: Django's default, else the one of our own tables."""
    return DEFAULT_DB_ALIAS if columns_of(DEFAULT_DB_ALIAS, table) is not None else write_alias()


def read_table(using: str | None, table: str, columns: Columns) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; a column that it does not have, in this version of the app, is left out.

    Args:
        using: The alias of the database; None: the one that has it.
        table: Its name.
        columns: By name; the primary key among them.
    Raises:
        CommandError: There is no such database or table, or it has too many rows.
    """
    using = using or database_of(table)
    found = columns_of(using, table)
    if found is None:
        raise CommandError(f"There is no table {table} in the database {using}; --database names another.")
    known = {name: field for name, field in columns.items() if (field.db_column or name) in found}
    rows = _model(table, known).objects.using(using).order_by("pk").values(*known)
    if rows.count() > MOST_ROWS:
        raise CommandError(f"{table} has more than {MOST_ROWS:,} rows.")
    for row in rows:
        yield {name: _aware(value) for name, value in row.items()}


def columns_of(using: str, table: str) -> set[str] | None:
    """Return the names of the columns of *table*; None if there is none of this name."""
    if using not in connections:
        raise CommandError(f"--database: there is no {using} in DATABASES.")
    connection = connections[using]
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return None
        return {column.name for column in connection.introspection.get_table_description(cursor, table)}


def _aware(value: Any) -> Any:
    """Return an instant with its zone: in a project without ``USE_TZ`` other apps keep what the clock shows."""
    return make_aware(value, get_default_timezone()) if isinstance(value, datetime) and is_naive(value) else value


def _model(table: str, columns: Columns) -> Any:
    meta = type("Meta", (), {"app_label": "moving", "db_table": table, "managed": False, "apps": _apps})
    fields = {name: field.clone() for name, field in columns.items()}
    name = f"Row{len(_apps.all_models['moving'])}"
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})
