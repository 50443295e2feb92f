"""The engine for django-q2, and the one module that imports it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from django.utils.module_loading import import_string
from django_q.brokers import Broker, get_broker
from django_q.conf import Conf
from django_q.signals import post_spawn
from django_q.tasks import async_task

from django_scheduled_tasks.engines.base import ENTRY_POINT, KILL_AFTER, WORKER_STARTED, Submission
from django_scheduled_tasks.exceptions import EngineUnavailable


class DjangoQEngine:
    """Sends tracking ids through django-q2's broker; a queue is a django-q2 cluster name."""

    def __init__(self) -> None:
        self._brokers: dict[tuple[int, str], Broker] = {}
        post_spawn.connect(_worker_started, dispatch_uid="django_scheduled_tasks")

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Enqueue one message each; django-q2 saves no result, since the execution's row holds it."""
        for sent, submission in enumerate(submissions):
            options: dict[str, Any] = {"cluster": submission.queue} if submission.queue else {}
            if submission.timeout is not None:
                # Later than our own limit, so that ours speaks first; django-q2's guard adds a delay of its own.
                options["timeout"] = math.ceil((submission.timeout + KILL_AFTER).total_seconds())
            try:
                async_task(
                    ENTRY_POINT,
                    str(submission.tracking_id),
                    task_name=str(submission.tracking_id),
                    save=False,
                    broker=self._broker(submission.queue),
                    **options,
                )
            except Exception as exc:  # brokers raise errors of their own clients, which we do not import
                self._brokers.clear()
                raise EngineUnavailable(
                    f"django-q2's broker did not take the message: {exc}", sent=sent, of=len(submissions)
                ) from exc

    def is_idle(self, queues: Sequence[str]) -> bool:
        """Ask the broker for the lengths of its queues."""
        try:
            return all(self._broker(queue).queue_size() == 0 for queue in queues)
        except Exception:  # noqa: BLE001  (as above; an unreachable broker is not idle)
            self._brokers.clear()
            return False

    def _broker(self, queue: str) -> Broker:
        # Kept, since async_task would otherwise open a connection for each message; not shared with a forked child.
        key = (os.getpid(), queue)
        if key not in self._brokers:
            self._brokers[key] = get_broker(queue or None)
        return self._brokers[key]


def _worker_started(**_signal: Any) -> None:
    # A cluster of its own name serves the queue of that name, the one called as in the settings the default queue.
    import_string(WORKER_STARTED)("" if Conf.CLUSTER_NAME == Conf.PREFIX else Conf.CLUSTER_NAME)
