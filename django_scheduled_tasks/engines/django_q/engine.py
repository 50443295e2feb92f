"""Sending: executions become messages of django-q2."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any, TypeVar

from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.engines.base import ENTRY_POINT, KILL_AFTER, Submission, copy_key
from django_scheduled_tasks.engines.deadline import Callers
from django_scheduled_tasks.engines.django_q.brokers import RedisBroker, default_queue, limited, may_hang, own_queue
from django_scheduled_tasks.engines.django_q.clusters import watch_clusters
from django_scheduled_tasks.engines.django_q.kept import KeptConnections
from django_scheduled_tasks.engines.django_q.taking import MOST, take_own_messages
from django_scheduled_tasks.exceptions import EngineUnavailable

Value = TypeVar("Value")

BUNDLE = 50
"""How many messages are sent at once; workers begin with them while the next are made."""
FEW = 16
"""Messages carry one execution for each so many that are sent together, at least one and at most ``MOST``."""


class DjangoQEngine:
    """Sends tracking ids through django-q2's broker; a queue is a django-q2 cluster name."""

    def __init__(self) -> None:
        self._brokers: dict[tuple[int, str], Broker] = {}
        self._kept: dict[tuple[int, str], KeptConnections] = {}
        self._callers = Callers()
        watch_clusters()
        for kind in (RedisBroker, ORM):
            if kind is not None:
                take_own_messages(kind)

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
                bundle = _Bundle(own_queue(self._broker(queue), key))
                for together in _messages(some, len(submissions)):
                    _send(together, bundle)
                self._send(bundle, queue)
                sent += len(some)
        except Exception as exc:  # brokers raise errors of their own clients, which we do not import
            self._forget()
            raise EngineUnavailable(
                f"django-q2's broker did not take the message: {exc}", sent=sent, of=len(submissions)
            ) from exc

    def is_idle(self, queues: Sequence[str]) -> bool:
        """Ask the broker for the lengths of its queues."""
        try:
            return all(self._call(self._broker(queue).queue_size) == 0 for queue in queues)
        except Exception:  # noqa: BLE001  (as above; an unreachable broker is not idle)
            self._forget()
            return False

    def _broker(self, queue: str) -> Broker:
        # Kept, since async_task would open a connection for each message; but not shared with a forked child.
        key = (os.getpid(), queue)
        if key not in self._brokers:
            broker = self._call(lambda: limited(get_broker(queue or default_queue())))
            if RedisBroker is not None and type(broker) is RedisBroker and not may_hang(broker):
                self._kept[key] = KeptConnections(broker)
            self._brokers[key] = broker
        return self._brokers[key]

    def _forget(self) -> None:
        self._brokers.clear()
        self._kept.clear()

    def _send(self, bundle: _Bundle, queue: str) -> None:
        """Send *bundle*: over an open connection in this thread if there is one, else as any other call."""
        kept = self._kept.get((os.getpid(), queue))
        if kept is None:
            self._call(bundle.send)
            return
        limit = get_settings().ENGINE_TIMEOUT.total_seconds()
        name, messages = bundle.list_key, bundle.messages
        if messages and not self._callers.call_here(lambda: kept.push_at_once(name, messages), within=limit):
            self._call(lambda: kept.push(name, messages))

    def _call(self, act: Callable[[], Value]) -> Value:
        """Return what *act* returns, which asks the broker: in this thread if that is the database, else in another."""
        if not self.waits_for_server:
            return act()
        return self._callers.call(act, within=get_settings().ENGINE_TIMEOUT.total_seconds())


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
        self.messages: list[str] = []

    def enqueue(self, message: str) -> str:
        """Keep *message*; django-q2 only logs what this returns."""
        self.messages.append(message)
        return "kept"

    def send(self) -> None:
        """Send the messages."""
        if not self.messages:
            return
        if RedisBroker is not None and type(self.broker) is RedisBroker:
            self.broker.connection.rpush(self.list_key, *self.messages)
        elif type(self.broker) is ORM:
            now = timezone.now()
            self.broker.get_connection().bulk_create(
                OrmQ(key=self.list_key, payload=message, lock=now) for message in self.messages
            )
        else:
            for message in self.messages:
                self.broker.enqueue(message)
