"""What clusters take off the broker: only what is for them, and a few messages more where that is quicker."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import wraps
from time import sleep
from typing import Any

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from django_scheduled_tasks.engines.base import ENTRY_POINT, copy_key
from django_scheduled_tasks.engines.django_q.brokers import RedisBroker, default_queue, limited, may_hang, own_queue
from django_scheduled_tasks.exceptions import EngineUnavailable

logger = logging.getLogger(__name__)

TRY_AGAIN_AFTER = 1.0
"""Seconds until a cluster that cannot ask its database where it is asks again."""
MOST = 8
"""So many messages at most are taken, or sent as one."""


def take_own_messages(kind: type[Broker]) -> None:
    """Let clusters take only messages that are for them: in a copy of a database those by the copy's own key.

    django-q2 takes a message off the broker before anything of ours can look at it, and what a copy on the Redis of
    production took, nobody in production would run. While it is not known where we are, nothing is taken.
    """
    dequeue: Any = kind.dequeue
    if hasattr(dequeue, "__wrapped__"):
        return

    @wraps(dequeue)
    def dequeue_own(broker: Broker) -> Any:
        try:
            key = copy_key()
            if not isinstance(broker, ORM):
                close_old_connections()  # this process has no other use for the database
            return dequeue(own_queue(broker, key))
        except DatabaseError as exc:
            if isinstance(broker, ORM):
                raise  # as without us
            logger.warning(
                "Nothing is taken off the broker until the database answers: %s",
                exc,
                extra={"event": "database_unavailable"},
            )
        except EngineUnavailable:
            logger.debug("A copy of a database takes nothing off a broker of this kind")
        sleep(TRY_AGAIN_AFTER)
        return None

    kind.dequeue = dequeue_own


class Waiting:
    """Messages that wait in the broker, for a worker that is done with its own.

    django-q2 gives a worker one message at a time, through a process that reads the broker and one that takes results.
    For a short execution that is a third of all work, so the worker takes a few more by itself.

    Args:
        queue: The queue that the worker works for.
    """

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._broker: Broker | None = None
        self._may_hang = False

    def take(self, limit: int | None) -> list[str]:
        """Take the next few messages, if they are ours and have the same time *limit*; return their tracking ids.

        If this process dies, their executions are still pending, and are sent again. Other messages are left alone.
        """
        taken: list[str] = []
        try:
            if self._broker is None:
                self._broker = limited(get_broker(self._queue or default_queue()))
                self._may_hang = may_hang(self._broker)
            if self._may_hang:
                return []
            broker = own_queue(self._broker, copy_key())
            if RedisBroker is not None and type(broker) is RedisBroker:
                taken += self._from_redis(broker, limit)
            elif type(broker) is ORM:
                for identifiers in self._from_table(broker, limit):
                    taken += identifiers
        except Exception as exc:  # noqa: BLE001  (brokers raise errors of their own clients; nothing is lost)
            logger.debug("The broker does not say what waits: %s", exc)
            self._broker = None
        return taken

    @staticmethod
    def _from_redis(broker: Broker, limit: int | None) -> list[str]:
        connection, key = broker.connection, broker.list_key
        found = dict(_ours(((payload, payload) for payload in connection.lrange(key, 0, MOST - 1)), limit))
        if not found:
            return []
        pipeline = connection.pipeline(transaction=False)
        for payload in found:
            pipeline.lrem(key, 1, payload)
        return [one for ids, is_mine in zip(found.values(), pipeline.execute(), strict=True) if is_mine for one in ids]

    @staticmethod
    def _from_table(broker: Broker, limit: int | None) -> Iterator[Sequence[str]]:
        rows = broker.get_connection()
        waiting = rows.filter(key=broker.list_key, lock__lt=timezone.now()).order_by("pk")[:MOST]
        for row, identifiers in _ours(((row, row.payload) for row in waiting), limit):
            # As django-q2 does: the worker that deletes the row with the lock that it has read has the message.
            if rows.filter(pk=row.pk, lock=row.lock)._raw_delete(rows.db):
                yield identifiers


def _ours(messages: Iterable[tuple[Any, Any]], limit: int | None) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the first of *messages* with their tracking ids, up to the first that is not ours or has another limit."""
    for handle, payload in messages:
        message = SignedPackage.loads(payload)
        if message["func"] != ENTRY_POINT or message.get("timeout", Conf.TIMEOUT) != limit:
            return
        yield handle, message["args"]
