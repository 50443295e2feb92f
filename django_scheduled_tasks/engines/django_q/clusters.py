"""What a cluster says of itself: that a worker process has started, that it was asked to end, and that it has ended."""

from __future__ import annotations

import logging
import os
from functools import wraps
from typing import Any
from uuid import uuid4

from django.utils.module_loading import import_string
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.signals import post_spawn

from django_scheduled_tasks.engines.base import CLUSTER_ENDS, WORKER_STARTED, Cluster
from django_scheduled_tasks.engines.deadline import Callers
from django_scheduled_tasks.engines.django_q.brokers import default_queue
from django_scheduled_tasks.engines.django_q.taking import Waiting

logger = logging.getLogger(__name__)

SAY_WITHIN = 2.0
"""Seconds that it may take to record that a cluster ends; its end does not wait for longer."""
KEY, PID = uuid4().hex[:8], os.getpid()
"""Of the process that imports this first: ``qcluster``, of which guard and workers are forks."""


def watch_clusters() -> None:
    """Have worker processes become ours at their start, and clusters say when they end."""
    post_spawn.connect(_worker_started, dispatch_uid="django_scheduled_tasks")
    _let_say_when_it_ends(Sentinel)


def _worker_started(**_signal: Any) -> None:
    if Conf.SYNC:
        return  # this is no worker, but the process that has enqueued the message
    queue = _own_queue()
    import_string(WORKER_STARTED)(queue, Waiting(queue).take, Cluster(KEY, PID, Conf.WORKERS))


def _own_queue() -> str:
    """Return the queue that this cluster serves: one with a name of its own that of the name, else the default one."""
    name: str = Conf.CLUSTER_NAME
    return "" if name == default_queue() else name


def _let_say_when_it_ends(guard: type[Any]) -> None:
    """Let the process that guards a cluster's workers say that it was asked to end, and that all of them have ended.

    django-q2 has no signal for either. A database that does not answer holds it up for :data:`SAY_WITHIN` at most.
    """
    stop: Any = guard.stop
    if hasattr(stop, "__wrapped__"):
        return
    callers = Callers()

    def say(*, has_ended: bool) -> None:
        try:
            callers.call(lambda: import_string(CLUSTER_ENDS)(PID, has_ended=has_ended), within=SAY_WITHIN)
        except Exception as exc:  # noqa: BLE001  (whatever it is, the cluster ends)
            logger.info("This cluster could not say that it ends: %s", exc)

    @wraps(stop)
    def stop_and_say(self: Any) -> None:
        if not Conf.SYNC:
            say(has_ended=False)
        stop(self)
        if not Conf.SYNC:
            say(has_ended=True)

    guard.stop = stop_and_say
