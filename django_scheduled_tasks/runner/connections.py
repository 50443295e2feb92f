"""Database connections in a worker: asked again while the database is away, cleaned after each function."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.alias import Connection
from django_scheduled_tasks.models import write_alias

logger = logging.getLogger(__name__)
Value = TypeVar("Value")

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds between two tries while the database is away; each wait is twice the one before."""


def insist(act: Callable[[], Value], *, within: float | None = None) -> Value:
    """Return what *act* returns; while the database is away, call it again.

    Args:
        act: Uses our database.
        within: For how many seconds; None: for as long as a lease lasts.
    """
    began = time.monotonic()
    wait = FIRST_WAIT
    while True:
        try:
            return act()
        except (DatabaseError, InterfaceError) as exc:
            limit = get_settings().LEASE.total_seconds() if within is None else within
            # At first any error may come of a connection that the function has broken; later only some mean "away".
            is_first = wait == FIRST_WAIT
            may_be_away = is_first or isinstance(exc, (OperationalError, InterfaceError))
            is_too_late = time.monotonic() + wait > began + limit
            connection = connections[write_alias()]
            if connection.in_atomic_block or is_too_late or not may_be_away:
                raise
            logger.warning("The database does not answer, trying again: %s", exc)
            close(connection)
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


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
            _roll_back(connection)
        elif connection.errors_occurred:
            _close_if_unusable(connection)


def clean_thread() -> None:
    """Clean the connections of a thread that nobody else cleans: the one in which async code uses the database."""
    clean_connections()
    close_old_connections()


def close(connection: Connection) -> None:
    """Close *connection*, however broken it is."""
    try:
        connection.close()
    except Exception:  # noqa: BLE001  (each driver has errors of its own for what is broken or closed already)
        connection.connection = None


def _is_manual(connection: Connection) -> bool:
    """Whether the function has switched autocommit off and not on again."""
    return connection.connection is not None and not connection.autocommit and connection.settings_dict["AUTOCOMMIT"]


def _roll_back(connection: Connection) -> None:
    """Roll back whatever is open on *connection*, in blocks however deep, by closing it.

    It is opened again at once: only that lets Django forget the blocks. And an SQLite database in memory, which Django
    does not close since it would be gone, is closed after that.
    """
    close(connection)
    kept = connection.connection
    try:
        connection.connect()
    except Exception as exc:  # noqa: BLE001  (as in close; it is opened when it is next used)
        logger.warning("The connection to %s could not be opened again: %s", connection.alias, exc)
        close(connection)
    if kept is not None:
        with suppress(Exception):  # it is closed, as a rule
            kept.close()


def _close_if_unusable(connection: Connection) -> None:
    # Not close_if_unusable_or_obsolete(): without CONN_MAX_AGE that closes every connection, also the good ones, and
    # the end would have to open another one.
    if connection.is_usable():
        connection.errors_occurred = False
    else:
        close(connection)
