"""Leaving the database connections as the next execution wants to find them."""

from __future__ import annotations

import logging

from django.db import connections

from django_scheduled_tasks.db.alias import Connection

logger = logging.getLogger(__name__)


def open_blocks() -> frozenset[str]:
    """Return the aliases on which a transaction is open in this thread: the caller's, in an engine that has one."""
    return frozenset(alias for alias in connections if connections[alias].in_atomic_block)


def clean_connections(outer: frozenset[str] = frozenset()) -> None:
    """Leave no transaction open that the function began, and no broken connection to the next execution.

    Args:
        outer: Aliases whose transaction was open before; that one is not ours to end.
    """
    for connection in connections.all(initialized_only=True):
        if connection.alias in outer:
            continue
        if connection.in_atomic_block or _is_manual(connection):
            logger.warning("The function left a transaction open on %s; it is rolled back.", connection.alias)
            _abandon(connection)
        elif connection.errors_occurred:
            _close_if_unusable(connection)


def _close_if_unusable(connection: Connection) -> None:
    # Not close_if_unusable_or_obsolete(): without CONN_MAX_AGE that closes every connection, also the good ones, and
    # the end would have to open another one.
    if connection.is_usable():
        connection.errors_occurred = False
    else:
        close(connection)


def close(connection: Connection) -> None:
    """Close *connection*, however broken it is."""
    try:
        connection.close()
    except Exception:  # noqa: BLE001  (each driver has errors of its own for what is broken or closed already)
        connection.connection = None


def _is_manual(connection: Connection) -> bool:
    """Whether the function has switched autocommit off and not on again."""
    return connection.connection is not None and not connection.autocommit and connection.settings_dict["AUTOCOMMIT"]


def _abandon(connection: Connection) -> None:
    """Roll back whatever is open on *connection*, and close it."""
    connection.in_atomic_block = False
    connection.atomic_blocks = []
    connection.savepoint_ids = []
    connection.needs_rollback = False
    connection.commit_on_exit = True
    connection.run_on_commit = []
    try:
        connection.rollback()
        connection.set_autocommit(True)
    except Exception:  # noqa: BLE001, S110  # nosec  (as above; it is closed next)
        pass
    close(connection)
