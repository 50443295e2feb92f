"""What a worker process does when it begins."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from uuid_utils.compat import uuid7

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner import batch
from django_scheduled_tasks.runner.attempt import WorkerProcess
from django_scheduled_tasks.runner.heartbeat import beat_for_ever
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.claim import take

logger = logging.getLogger(__name__)


def start(queue: str = "", take: Callable[[int | None], Sequence[str]] | None = None) -> None:
    """Start the thread of this process, once; the process counts as a worker from now on.

    Args:
        queue: Which queue it works for; empty for the default one.
        take: Takes further messages; see :class:`django_scheduled_tasks.runner.batch.Broker`.
    """
    if not WorkerProcess.is_here():
        batch.Broker.take = take
        thread = threading.Thread(target=beat_for_ever, args=(queue,), name="scheduled-tasks-heartbeat", daemon=True)
        WorkerProcess.heartbeat = thread
        thread.start()
        _warm_up()
        # What is there by now stays: the garbage collector need not look at all of Django while a function runs.
        gc.freeze()


def _warm_up() -> None:
    """Do what the first execution would else wait for: imports, the connection, texts of statements, parameters."""
    import_module("django_scheduled_tasks.runner.execute")
    try:
        for function in registry.functions().values():
            _ = function.parameters
        nobody = Execution(tracking_id=uuid7())
        take(str(nobody.tracking_id))  # these two find no row
        finish.succeed(nobody, completed_at=datetime.now(UTC), result=None, result_format="")
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as exc:
        logger.info("Not warmed up, the first execution will take longer: %s", exc)
