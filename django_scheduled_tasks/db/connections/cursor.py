"""The cursor for the few statements that run for each execution."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def binding_cursor(connection: BaseDatabaseWrapper) -> Any:
    """Return a cursor, for a ``with`` statement, that sends the values beside the statement, as far as the driver can.

    With psycopg 3 that is psycopg's own kind of cursor: Django's writes the values into the text, which costs more
    than the statement itself, and a text that differs each time can never be prepared. If the project's ``OPTIONS``
    set ``prepare_threshold`` (Django switches it off, since some connection poolers cannot have it), PostgreSQL plans
    our statements once for a connection instead of each time. What instruments Django's cursors sees this one as well.

    Args:
        connection: Of any vendor.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    if not _is_psycopg3(connection) or _makes_own_cursors(type(connection)):
        return connection.cursor()
    with connection.wrap_database_errors:
        raw = _psycopg_cursor(connection.connection)
    return connection._prepare_cursor(raw)  # type: ignore[attr-defined]  # all that cursor() does beside


def _is_psycopg3(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor == "postgresql" and getattr(connection.Database, "__name__", "") == "psycopg"  # type: ignore[attr-defined]


def _makes_own_cursors(backend: Any) -> bool:
    """Whether *backend* does more than Django's when it makes a cursor, as that of django-tenants."""
    django: Any = BaseDatabaseWrapper
    return backend._cursor is not django._cursor


def _psycopg_cursor(connection: Any) -> Any:
    from psycopg import Cursor  # noqa: PLC0415  (only where it is in use)

    return Cursor(connection)
