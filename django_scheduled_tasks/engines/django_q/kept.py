"""Connections to Redis that are open already, over which a thread sends by itself.

To hand a call to another thread and to wait for it costs a fifth of the processor time of a trigger. That is for calls
that may take longer than the time limit of a socket: to open a connection takes a name's look-up and several answers.
To send over one that is open takes one answer, and for that the socket's own limit is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django_q.brokers import Broker


class KeptConnections:
    """The open connections of one broker, one for each thread that sends at the same time.

    Args:
        broker: django-q2's for Redis, whose connections have a time limit.
    """

    def __init__(self, broker: Broker) -> None:
        self._client: Any = broker.connection
        self._open: list[tuple[Any, Any]] = []
        """Clients of one connection each, with what their connections do by themselves when they are lost."""

    def push_at_once(self, key: str, messages: Sequence[str]) -> bool:
        """Append *messages* to the list *key* over an open connection; False if there is none, or it was lost.

        Raises:
            redis.TimeoutError: No answer within the time limit of its socket.
            redis.ResponseError: Redis does not take them.
        """
        from redis import ConnectionError as Lost  # noqa: PLC0415  (only where Redis is the broker)

        try:
            client, retry = self._open.pop()
        except IndexError:
            return False
        try:
            client.rpush(key, *messages)
        except BaseException as exc:
            client.connection.retry = retry
            client.connection.disconnect()
            client.close()
            if isinstance(exc, Lost):
                return False
            raise
        self._open.append((client, retry))
        return True

    def push(self, key: str, messages: Sequence[str]) -> None:
        """Do it over a new connection, which is kept."""
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        client = self._client.client()
        try:
            client.rpush(key, *messages)
        except BaseException:
            client.close()
            raise
        # From now on it opens no other one by itself, which would happen in the thread that sends.
        retry, client.connection.retry = client.connection.retry, Retry(NoBackoff(), 0)
        self._open.append((client, retry))
