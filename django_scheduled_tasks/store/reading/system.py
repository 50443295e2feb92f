"""What PostgreSQL says of itself: by which a copy of the database is told, and how it begins transactions."""

from __future__ import annotations

from django_scheduled_tasks.db.loaders import AsIs
from django_scheduled_tasks.db.statements import Statement

DATABASE = Statement(
    """
    SELECT oid::text, COALESCE(has_function_privilege(to_regprocedure('pg_control_system()'), 'EXECUTE'), false)
      FROM pg_database WHERE datname = current_database()
    """,
    returns=(AsIs(), AsIs()),
)
CLUSTER = Statement("SELECT system_identifier::text FROM pg_control_system()", returns=(AsIs(),))

ISOLATION = Statement("SELECT current_setting('default_transaction_isolation')", returns=(AsIs(),))


def read_isolation() -> str:
    """Return the isolation level at which PostgreSQL begins transactions here, e.g. ``read committed``."""
    ((level,),) = ISOLATION.fetch()
    return str(level)


def read_system() -> str:
    """Return the cluster's identifier, where we may read it, and the database's OID: ``7714022611700107379/16384``.

    Physical standbys have both in common with their primary; a restored dump and ``CREATE DATABASE … TEMPLATE`` have
    not. Two statements.
    """
    ((oid, may_read),) = DATABASE.fetch()
    if not may_read:
        return str(oid)
    ((identifier,),) = CLUSTER.fetch()
    return f"{identifier}/{oid}"
