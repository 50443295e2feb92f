"""The start of a worker process."""

from __future__ import annotations

import gc
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connections
from uuid_utils.compat import uuid7

from django_scheduled_tasks.db.migrated import why_not_migrated
from django_scheduled_tasks.models import Execution, PresenceKind
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner import execute  # noqa: F401  (the first execution must not wait for the import)
from django_scheduled_tasks.runner.heartbeat import beat_for_ever
from django_scheduled_tasks.runner.process import TakeWaiting, process
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.running import claim, finish
from django_scheduled_tasks.services.scheduling import presence

if TYPE_CHECKING:
    from django_scheduled_tasks.engines import Cluster

logger = logging.getLogger(__name__)

MIGRATED_WITHIN = 10.0
"""Seconds that a worker waits for missing migrations before it ends."""
LOOK_FOR_MIGRATIONS = 1.0
"""Seconds between two looks whether they have been applied."""


def start(queue: str = "", take: TakeWaiting | None = None, cluster: Cluster | None = None) -> None:
    """Make this process a worker, once: start its heartbeat, and warm up.

    Args:
        queue: Which queue it works for; empty for the default one.
        take: Takes further messages that wait in the broker, if the engine can: called with the time limit that the
            engine has for a message, in seconds, it returns their tracking ids.
        cluster: Which this process belongs to, if the engine says so.
    """
    if process.is_worker:
        return
    _wait_for_migrations()
    thread = threading.Thread(
        target=beat_for_ever, args=(queue, cluster), name="scheduled-tasks-heartbeat", daemon=True
    )
    process.become_worker(thread, take)
    _warm_up()
    # Let the garbage collector pass over what has been imported by now: it stays.
    gc.freeze()


def cluster_ends(pid: int, *, has_ended: bool) -> None:
    """Record that the cluster of this host whose main process is *pid* was asked to end, or has ended."""
    try:
        presence.ends(PresenceKind.WORKER, pid=pid, has_ended=has_ended)
    finally:
        connections.close_all()  # of the thread that says it


def _wait_for_migrations() -> None:
    """Take nothing while the tables are older than the code; end this process if they stay so.

    The engine starts another one in its place, so that the reason is logged again; a loop of the engine it is not.
    """
    deadline = time.monotonic() + MIGRATED_WITHIN
    said = ""
    while why := _why_not_migrated():
        if why != said:
            logger.error("This worker does not start. %s", why, extra={"event": "worker_not_started"})
            said = why
        if time.monotonic() > deadline:
            raise SystemExit(1)
        time.sleep(LOOK_FOR_MIGRATIONS)


def _why_not_migrated() -> str:
    try:
        return why_not_migrated()
    except (DatabaseError, InterfaceError) as exc:
        logger.info("The database does not say which migrations it has had: %s", exc)
        return ""  # it is away; the first execution finds out


def _warm_up() -> None:
    """Look whether the database is a copy, and build statements and parameters, so that no execution waits for it."""
    try:
        state.look()
        for function in registry.functions().values():
            _ = function.parameters
        nobody = Execution(tracking_id=uuid7())
        claim.take(str(nobody.tracking_id))  # these two find no row
        finish.succeed(nobody, completed_at=datetime.now(UTC), result=None, result_format="")
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as exc:
        logger.info("Not warmed up, the first execution will take longer: %s", exc)
