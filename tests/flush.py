"""Emptying the tables after a test that commits: only those that have rows, without writing anything anew.

Django's own way empties every table and then writes content types and permissions again, which takes longer than most
tests. Here they stay. Sequences go on counting, as they do with Django's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connections, transaction

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
"""Tables that ``migrate`` fills, and no test changes."""


def empty_tables(alias: str) -> None:
    """Delete all rows of the database *alias*, except those of :data:`KEPT`."""
    connection = connections[alias]
    tables = written_tables(alias)
    if not tables:
        return
    # The order of the tables does not matter: foreign keys are checked at the end of the transaction, or not at all.
    with (
        connection.constraint_checks_disabled(),
        transaction.atomic(using=alias, durable=True),
        connection.cursor() as cursor,
    ):
        for table in tables:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def written_tables(alias: str) -> list[str]:
    """Return the tables that have rows, found out by one statement."""
    connection = connections[alias]
    tables = _tables(alias)
    parts = ", ".join(f"EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})" for table in tables)
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {parts}")
        return [table for table, has_rows in zip(tables, cursor.fetchone(), strict=True) if has_rows]


@cache
def _tables(alias: str) -> list[str]:
    names = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(names) - KEPT)


def teardown(case: Any) -> None:
    """Do what Django's ``TransactionTestCase`` does after each test, in less time."""
    for alias in case._databases_names(include_mirrors=False):
        empty_tables(alias)
