"""One small thread a worker process: says that the worker is there, and renews the lease of what it runs."""

from __future__ import annotations

import logging
import os
import threading

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import PresenceKind, write_alias
from django_scheduled_tasks.runner import context
from django_scheduled_tasks.services import attempts, presence

logger = logging.getLogger("django_scheduled_tasks")
_started_in: set[int] = set()


def start() -> None:
    """Start the thread of this process, once."""
    if os.getpid() not in _started_in:
        _started_in.add(os.getpid())
        threading.Thread(target=_beat_for_ever, name="scheduled-tasks-heartbeat", daemon=True).start()


def _beat_for_ever() -> None:
    pause = threading.Event()
    while True:
        try:
            beat()
        except (DatabaseError, InterfaceError) as exc:
            logger.warning("The heartbeat does not reach the database, trying again: %s", exc)
            connections[write_alias()].close()
        pause.wait(get_settings().PRESENCE_INTERVAL.total_seconds())


def beat() -> None:
    """Say that this host's workers are there, and renew what they run."""
    presence.seen(PresenceKind.WORKER)
    for running in context.in_process():
        if not attempts.renew(running.execution):
            running.lost = True
