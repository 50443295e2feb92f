"""Sleeping until an instant, a signal, or a notification of the database that a schedule has changed."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.connections.pools import own_connection
from django_scheduled_tasks.db.limits import Watch
from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.services.delivery.notify import CHANNEL, wake_schedulers

logger = logging.getLogger(__name__)

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds until the next try to listen; each wait is twice the one before. Meanwhile changes wait for the next poll."""
HEARS_WITHIN = 0.5
"""Seconds in which what the database is asked to say arrives; it takes milliseconds. It counts also if it is late."""
CONNECT_WITHIN = 3
"""Seconds in which the connection that listens is to be made."""


class Sleeper:
    """Sleeps; on PostgreSQL it listens meanwhile, on a connection of its own."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        os.set_blocking(self._read_end, False)
        self._listening: Connection | None = None
        self._closed = False
        self._listen_again_at, self._retry = float("-inf"), FIRST_RETRY
        self._has_asked = False
        self.hears = False
        """Whether the connection that listens has heard something; behind some poolers it never does."""
        self.watch: Watch | None = None
        """Ends connections to a database that does not answer; not while this sleeps."""
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

    def hurry(self, limit: float) -> None:
        """Give the database only *limit* seconds for an answer from now on; as safe to call as :meth:`wake`."""
        if self.watch is not None:
            self.watch.hurry(limit)

    def begin_work(self) -> None:
        """Say that the thread may wait for the database from now on; each sleep ends with that."""
        if self.watch is not None:
            self.watch.begin()

    def sleep(self, seconds: float) -> bool:
        """Sleep for *seconds*, or until woken; return whether it was woken."""
        watched: list[int] = [self._read_end]
        connection = self.listen()
        if self.watch is not None:
            self.watch.end()
        try:
            if connection is not None:
                watched.append(connection.fileno())
            ready, _, _ = select.select(watched, [], [], max(seconds, 0))
            if self._read_end in ready:
                os.read(self._read_end, 4096)
            if connection is not None and connection.fileno() in ready:
                self.hears |= _drain(connection)
            return bool(ready)
        except Exception as exc:  # noqa: BLE001  (the driver's own errors as well: the scheduler must go on)
            self._listen_anew(exc)
            return True
        finally:
            self.begin_work()

    def close(self) -> None:
        """Release what it holds; from then on :meth:`wake` does nothing."""
        if self.watch is not None:
            self.watch.close()
        self._stop_listening()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._read_end)
            os.close(self._write_end)

    def connections(self) -> list[Any]:
        """Return the driver's connections that it holds."""
        listening = self._listening
        return [] if listening is None else [listening.connection]

    def listen(self) -> Any:
        """Return the driver's connection that listens, or None where there is nothing to listen to.

        Call it before each look at the database, so that no change in between is missed.
        """
        alias = write_alias()
        if connections[alias].vendor != "postgresql":
            return None
        if self._listening is None:
            if time.monotonic() < self._listen_again_at:
                return None
            listening = own_connection(alias)
            listening.settings_dict["OPTIONS"].setdefault("connect_timeout", CONNECT_WITHIN)
            try:
                with listening.cursor() as cursor:
                    cursor.execute(f"LISTEN {CHANNEL}")
            except (DatabaseError, InterfaceError) as exc:
                self._retry_later(exc)
                _close(listening)
                return None
            self._listening, self._retry = listening, FIRST_RETRY
            self.hears = self._has_asked = False
        return self._listening.connection

    def ask_for_a_word(self) -> None:
        """Let the database tell all that listen, and note whether this hears of it; once for each connection.

        Raises:
            DatabaseError: The database does not answer.
        """
        if self._listening is None or self._has_asked:
            return
        wake_schedulers()
        self._has_asked = True
        connection: Any = self._listening.connection
        try:
            ready, _, _ = select.select([connection.fileno()], [], [], HEARS_WITHIN)
            self.hears = bool(ready) and _drain(connection)
        except Exception as exc:  # noqa: BLE001  (as in sleep)
            self._listen_anew(exc)

    def _retry_later(self, error: Exception) -> None:
        logger.log(
            logging.WARNING if self._retry == FIRST_RETRY else logging.DEBUG,
            "The scheduler cannot listen to the database, so that changes take effect within POLL_INTERVAL: %s",
            error,
        )
        self._listen_again_at = time.monotonic() + self._retry
        self._retry = min(self._retry * 2, LONGEST_RETRY)

    def _listen_anew(self, error: Exception) -> None:
        logger.info(
            "The connection that listens has broken, listening anew: %s", error, extra={"event": "listening_anew"}
        )
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listening is not None:
            listening, self._listening = self._listening, None
            self.hears = False
            _close(listening)


def _close(connection: Connection) -> None:
    try:
        connection.close()
    except (DatabaseError, InterfaceError):
        logger.debug("The listening connection was broken already")


def _drain(connection: Any) -> bool:
    """Read the notifications that have arrived, so that the next sleep does not end at once; psycopg 3 and psycopg2.

    Returns:
        Whether there were any.
    """
    if callable(connection.notifies):
        return bool(list(connection.notifies(timeout=0)))
    connection.poll()
    found = bool(connection.notifies)
    connection.notifies.clear()
    return found
