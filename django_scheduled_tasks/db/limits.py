"""Limits for a database that accepts a connection, or has one, and never answers."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.connections.alias import Connection

logger = logging.getLogger(__name__)

_OPTIONS = {"postgresql": ("connect_timeout",), "mysql": ("connect_timeout", "read_timeout", "write_timeout")}
"""The drivers' options for time limits."""


def limit_connecting(alias: str, seconds: float, *, answer: float) -> None:
    """Let connections of this process be given up if making one takes too long; the project's own limits stay.

    Args:
        alias: Of the database.
        seconds: For making a connection; rounded up, since some drivers take whole seconds only.
        answer: For each answer, where the driver has such a limit: on MySQL the first one belongs to the connection.
    """
    connection = connections[alias]
    options = connection.settings_dict.setdefault("OPTIONS", {})
    for name in _OPTIONS.get(connection.vendor, ()):
        options.setdefault(name, math.ceil(seconds if name == "connect_timeout" else answer))


class Watch:
    """Ends connections of one thread if the database does not answer it; the thread then gets an error.

    No driver limits how long an answer may take on each database, and a server that is frozen, or behind a network
    that swallows packets, never ends the connection by itself.

    Args:
        connection: That of the thread that makes the watch.
        others: Returns further connections of the thread, of the driver.
        limit: Seconds without an answer.
    """

    def __init__(self, connection: Connection, *, others: Callable[[], list[Any]], limit: float) -> None:
        self._connection, self._others, self._limit = connection, others, limit
        self._asked_at: float | None = None
        self._closed = threading.Event()
        connection.execute_wrappers.append(self._note)
        threading.Thread(target=self._watch, name="scheduled-tasks-watch", daemon=True).start()

    def begin(self) -> None:
        """Say that the thread works, and may wait for the database."""
        self._asked_at = time.monotonic()

    def end(self) -> None:
        """Say that the thread sleeps."""
        self._asked_at = None

    def hurry(self, limit: float) -> None:
        """Wait no longer than *limit* seconds from now on."""
        self._limit = min(self._limit, limit)

    def close(self) -> None:
        """Watch no longer; to be called by the thread."""
        self._closed.set()
        if self._note in self._connection.execute_wrappers:
            self._connection.execute_wrappers.remove(self._note)

    def _note(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.begin()
        try:
            return execute(*arguments)
        finally:
            self.begin()

    def _watch(self) -> None:
        while not self._closed.wait(min(self._limit / 4, 1.0)):
            asked_at = self._asked_at
            if asked_at is None or time.monotonic() - asked_at < self._limit:
                continue
            logger.error(
                "The database has not answered for %.0f s; its connection is ended", time.monotonic() - asked_at
            )
            self._asked_at = time.monotonic()
            for one in (self._connection.connection, *self._others()):
                _shut(one)


def _shut(connection: Any) -> None:
    """End the socket of a driver's *connection*, so that whoever waits for an answer gets an error."""
    try:
        number = connection.fileno() if hasattr(connection, "fileno") else connection._sock.fileno()
        with socket.socket(fileno=os.dup(number)) as copy:
            copy.shutdown(socket.SHUT_RDWR)
    except Exception as exc:  # noqa: BLE001  (there is none, it is closed, or the database is a file)
        logger.debug("The connection could not be ended: %s", exc)
