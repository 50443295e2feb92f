"""django-q2's brokers as we use them: with a time limit, and in a copy of a database with queues of its own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django_q.brokers import Broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import EngineUnavailable

try:
    from django_q.brokers.redis_broker import Redis as RedisBroker
except ImportError:  # there is no Redis client here
    RedisBroker = None

__all__ = ["RedisBroker", "default_queue", "limited", "may_hang", "own_queue"]


def default_queue() -> str:
    """Return the queue of the cluster that starts without ``Q_CLUSTER_NAME``, also in a process that has it set.

    There ``Conf.CLUSTER_NAME``, which django-q2 takes where no queue is named, is that of the process's own cluster.
    """
    name: str = getattr(settings, "Q_CLUSTER", {}).get("cluster_name") or Conf.PREFIX
    return name


def limited(broker: Broker) -> Broker:
    """Return *broker*; if it is Redis, each answer has ``ENGINE_TIMEOUT`` as its limit, or less if the project says so.

    Not a client that django-q2 has from django-redis: that is the one of the project's cache.
    """
    if RedisBroker is not None and isinstance(broker, RedisBroker) and not Conf.DJANGO_REDIS:
        limit = get_settings().ENGINE_TIMEOUT.total_seconds()
        options: dict[str, Any] = broker.connection.connection_pool.connection_kwargs
        for name in ("socket_timeout", *["socket_connect_timeout"] * ("path" not in options)):
            options[name] = min(options.get(name) or limit, limit)
    return broker


def may_hang(broker: Broker) -> bool:
    """Whether *broker* is a Redis that is waited for without a limit: the client of the project's cache, as it is."""
    if RedisBroker is None or not isinstance(broker, RedisBroker):
        return False
    pool = broker.connection.connection_pool
    return pool.connection_class(**pool.connection_kwargs).socket_timeout is None


def own_queue(broker: Broker, key: str) -> Broker:
    """Return *broker*; in a copy of a database, one for the copy's own queue, which has *key* in its name.

    Raises:
        EngineUnavailable: It is a copy, and the broker is of a kind whose queues have to be set up.
    """
    if not key:
        return broker
    if type(broker) is not ORM and (RedisBroker is None or type(broker) is not RedisBroker):
        raise EngineUnavailable("in a copy of a database nothing is sent but through Redis or the database")
    own: Broker = object.__new__(type(broker))
    own.__dict__.update(broker.__dict__)
    own.list_key = f"{broker.list_key}:copy-{key}"
    return own
