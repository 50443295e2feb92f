"""The engine for django-q2, and the one module that imports it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from itertools import groupby, islice
from time import sleep
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_spawn
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.engines.base import ENTRY_POINT, KILL_AFTER, WORKER_STARTED, Submission, copy_key
from django_scheduled_tasks.engines.deadline import Callers
from django_scheduled_tasks.exceptions import EngineUnavailable

try:
    from django_q.brokers.redis_broker import Redis as RedisBroker
except ImportError:  # there is no Redis client here
    RedisBroker = None

logger = logging.getLogger(__name__)
Value = TypeVar("Value")

BUNDLE = 50
"""How many messages are sent at once; workers begin with them while the next are made."""
TRY_AGAIN_AFTER = 1.0
"""Seconds until a cluster that cannot ask its database where it is asks again."""
FEW, MOST = 16, 8
"""Messages carry one execution for each ``FEW`` that are sent together, at least one and at most ``MOST``."""


class DjangoQEngine:
    """Sends tracking ids through django-q2's broker; a queue is a django-q2 cluster name."""

    def __init__(self) -> None:
        self._brokers: dict[tuple[int, str], Broker] = {}
        self._callers = Callers()
        post_spawn.connect(_worker_started, dispatch_uid="django_scheduled_tasks")
        for kind in (RedisBroker, ORM):
            if kind is not None:
                _take_own_messages(kind)

    @property
    def waits_for_server(self) -> bool:
        """Whether messages go to a server of their own, and not to a database of the project."""
        if Conf.SYNC:
            return False
        if Conf.BROKER_CLASS:
            return not issubclass(import_string(Conf.BROKER_CLASS), ORM)
        return bool(Conf.IRON_MQ or isinstance(Conf.SQS, dict) or not Conf.ORM)

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Enqueue them, many at once; django-q2 saves no result, since the execution's row has it."""
        sent = 0
        try:
            key = copy_key()
            for queue, some in _bundles(submissions):
                bundle = _Bundle(_own(self._broker(queue), key))
                for together in _messages(some, len(submissions)):
                    _send(together, bundle)
                self._call(bundle.send)
                sent += len(some)
        except Exception as exc:  # brokers raise errors of their own clients, which we do not import
            self._brokers.clear()
            raise EngineUnavailable(
                f"django-q2's broker did not take the message: {exc}", sent=sent, of=len(submissions)
            ) from exc

    def is_idle(self, queues: Sequence[str]) -> bool:
        """Ask the broker for the lengths of its queues."""
        try:
            return all(self._call(self._broker(queue).queue_size) == 0 for queue in queues)
        except Exception:  # noqa: BLE001  (as above; an unreachable broker is not idle)
            self._brokers.clear()
            return False

    def _broker(self, queue: str) -> Broker:
        # Kept, since async_task would open a connection for each message; but not shared with a forked child.
        key = (os.getpid(), queue)
        if key not in self._brokers:
            self._brokers[key] = self._call(lambda: _limited(get_broker(queue or _default_queue())))
        return self._brokers[key]

    def _call(self, act: Callable[[], Value]) -> Value:
        """Return what *act* returns, which asks the broker: in this thread if that is the database, else in another."""
        if not self.waits_for_server:
            return act()
        return self._callers.call(act, within=get_settings().ENGINE_TIMEOUT.total_seconds())


def _default_queue() -> str:
    """Return the queue of the cluster that starts without ``Q_CLUSTER_NAME``, also in a process that has it set.

    There ``Conf.CLUSTER_NAME``, which django-q2 takes where no queue is named, is that of the process's own cluster.
    """
    name: str = getattr(settings, "Q_CLUSTER", {}).get("cluster_name") or Conf.PREFIX
    return name


def _limited(broker: Broker) -> Broker:
    """Return *broker*; if it is Redis, each answer has a time limit, which redis-py before version 8 does not set.

    Not a client that django-q2 has from django-redis: that is the one of the project's cache.
    """
    if RedisBroker is not None and isinstance(broker, RedisBroker) and not Conf.DJANGO_REDIS:
        options: dict[str, Any] = broker.connection.connection_pool.connection_kwargs
        for name in ("socket_timeout", *["socket_connect_timeout"] * ("path" not in options)):
            if options.get(name) is None:
                options[name] = get_settings().ENGINE_TIMEOUT.total_seconds()
    return broker


def _may_hang(broker: Broker) -> bool:
    """Whether *broker* is a Redis that is waited for without a limit: the client of the project's cache, as it is."""
    if RedisBroker is None or not isinstance(broker, RedisBroker):
        return False
    pool = broker.connection.connection_pool
    return pool.connection_class(**pool.connection_kwargs).socket_timeout is None


def _own(broker: Broker, key: str) -> Broker:
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


def _take_own_messages(kind: type[Broker]) -> None:
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
            return dequeue(_own(broker, key))
        except DatabaseError as exc:
            if isinstance(broker, ORM):
                raise  # as without us
            logger.warning("Nothing is taken off the broker until the database answers: %s", exc)
        except EngineUnavailable:
            logger.debug("A copy of a database takes nothing off a broker of this kind")
        sleep(TRY_AGAIN_AFTER)
        return None

    kind.dequeue = dequeue_own


def _send(together: Sequence[Submission], bundle: _Bundle) -> None:
    first = together[0]
    options: dict[str, Any] = {"cluster": first.queue} if first.queue else {}
    if first.timeout is not None:
        # Later than our own limit, so that ours acts first; django-q2's guard adds a delay.
        options["timeout"] = math.ceil((first.timeout + KILL_AFTER).total_seconds()) * len(together)
    identifiers = [str(submission.tracking_id) for submission in together]
    async_task(ENTRY_POINT, *identifiers, task_name=identifiers[0], save=False, broker=bundle, **options)


def _messages(some: list[Submission], of: int) -> Iterator[list[Submission]]:
    """Yield those that go in one message: they may share one, and have the same time limit."""
    most = max(min(of // FEW, MOST), 1)
    for (may_share, _timeout), group in groupby(some, key=lambda item: (item.may_share, item.timeout)):
        rest = iter(group)
        while together := list(islice(rest, most if may_share else 1)):
            yield together


def _bundles(submissions: Sequence[Submission]) -> Iterator[tuple[str, list[Submission]]]:
    """Yield the submissions in their order, those of one queue together, at most :data:`BUNDLE`."""
    for queue, group in groupby(submissions, key=lambda submission: submission.queue):
        rest = iter(group)
        while some := list(islice(rest, BUNDLE)):
            yield queue, some


class _Bundle:
    """Collects messages for *broker*, and sends them together if the broker can."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.list_key = broker, broker.list_key
        self._messages: list[str] = []

    def enqueue(self, message: str) -> str:
        """Keep *message*; django-q2 only logs what this returns."""
        self._messages.append(message)
        return "kept"

    def send(self) -> None:
        """Send the messages."""
        if not self._messages:
            return
        if RedisBroker is not None and type(self.broker) is RedisBroker:
            self.broker.connection.rpush(self.list_key, *self._messages)
        elif type(self.broker) is ORM:
            now = timezone.now()
            self.broker.get_connection().bulk_create(
                OrmQ(key=self.list_key, payload=message, lock=now) for message in self._messages
            )
        else:
            for message in self._messages:
                self.broker.enqueue(message)


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

    def take(self, limit: int | None) -> list[str]:
        """Take the next few messages, if they are ours and have the same time *limit*; return their tracking ids.

        If this process dies, their executions are still pending, and are sent again. Other messages are left alone.
        """
        taken: list[str] = []
        try:
            self._broker = self._broker or _limited(get_broker(self._queue or _default_queue()))
            if _may_hang(self._broker):
                return []
            broker = _own(self._broker, copy_key())
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


def _worker_started(**_signal: Any) -> None:
    if Conf.SYNC:
        return  # this is no worker, but the process that has enqueued the message
    # A cluster with a name of its own serves the queue of that name; the cluster of the settings the default queue.
    name = Conf.CLUSTER_NAME
    queue = "" if name == _default_queue() else name
    import_string(WORKER_STARTED)(queue, Waiting(queue).take)
