"""What a database's error means: each driver has codes of its own."""

from __future__ import annotations

_GAVE_WAY = {1205, 1213, "40001", "40P01", "55P03"}
"""A lock wait that took too long, a deadlock, and a transaction that could not be put in order with others."""
_NO_TABLE = {1146, "42P01"}


def gave_way(error: Exception) -> bool:
    """Whether the database ended a transaction in favour of another one, so that it need only be made again."""
    return not _GAVE_WAY.isdisjoint(_codes(error)) or "database is locked" in str(error)


def lacks_tables(error: Exception) -> bool:
    """Whether a table is not there: the migrations have not been run."""
    return not _NO_TABLE.isdisjoint(_codes(error)) or str(error).startswith("no such table")


def _codes(error: Exception) -> set[object]:
    """Return the SQLSTATE, as far as the driver knows it, and the error's number on MySQL and MariaDB."""
    cause = error.__cause__ or error
    return {getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *error.args[:1]}
