"""Sleeping until an instant, a signal, or a notification of the database that a schedule has changed."""

from __future__ import annotations

import logging
import os
import select
import threading
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.db.alias import Connection
from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.services.delivery.notify import CHANNEL

logger = logging.getLogger(__name__)


class Sleeper:
    """Sleeps; on PostgreSQL it listens meanwhile, on a connection of its own."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        os.set_blocking(self._read_end, False)
        self._listening: Connection | None = None
        self._closed = False
        # A file descriptor that is closed may be another file a moment later. Reentrant, for signal handlers.
        self._lock = threading.RLock()

    def wake(self) -> None:
        """End the present sleep, or the next one; safe to call from a signal handler or another thread."""
        with self._lock:
            if self._closed:
                return
            try:
                os.write(self._write_end, b"!")
            except BlockingIOError:
                return  # it has been woken more often than it slept

    def sleep(self, seconds: float) -> bool:
        """Sleep for *seconds*, or until woken; return whether it was woken."""
        watched: list[int] = [self._read_end]
        connection = self.listen()
        try:
            if connection is not None:
                watched.append(connection.fileno())
            ready, _, _ = select.select(watched, [], [], max(seconds, 0))
            if self._read_end in ready:
                os.read(self._read_end, 4096)
            if connection is not None and connection.fileno() in ready:
                _drain(connection)
            return bool(ready)
        except Exception as exc:  # noqa: BLE001  (the driver's own errors as well: the scheduler must go on)
            logger.info("The connection that listens has broken, listening anew: %s", exc)
            self._stop_listening()
            return True

    def close(self) -> None:
        """Release what it holds; from then on :meth:`wake` does nothing."""
        self._stop_listening()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._read_end)
            os.close(self._write_end)

    def listen(self) -> Any:
        """Return the driver's connection that listens, or None where there is nothing to listen to.

        Call it before each look at the database, so that no change in between is missed.
        """
        alias = write_alias()
        if connections[alias].vendor != "postgresql":
            return None
        if self._listening is None:
            listening = connections.create_connection(alias)
            try:
                with listening.cursor() as cursor:
                    cursor.execute(f"LISTEN {CHANNEL}")
            except (DatabaseError, InterfaceError) as exc:
                logger.info("Cannot listen to the database: %s", exc)
                listening.close()
                return None
            self._listening = listening
        return self._listening.connection

    def _stop_listening(self) -> None:
        if self._listening is not None:
            listening, self._listening = self._listening, None
            try:
                listening.close()
            except (DatabaseError, InterfaceError):
                logger.debug("The listening connection was broken already")


def _drain(connection: Any) -> None:
    """Read the notifications that have arrived, so that the next sleep does not end at once; psycopg 3 and psycopg2."""
    if callable(connection.notifies):
        for _notification in connection.notifies(timeout=0):
            pass
    else:
        connection.poll()
        connection.notifies.clear()
