"""A first pass of the scheduler on a task that is rolled back, so that the first real one is not slow."""

from __future__ import annotations

import logging

from django.db import transaction
from uuid_utils.compat import uuid7

from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask, read_now, write_alias, write_transaction
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.delivery.dispatch import when_idle
from django_scheduled_tasks.services.scheduling.occurrences import record_due

logger = logging.getLogger(__name__)


def warm_up() -> None:
    """Do once what a due task needs, so that the first real one need not wait for imports, connections and caches.

    It happens in a transaction that is rolled back: no other process sees the row, and nothing is sent. Without a
    registered function it does nothing.
    """
    try:
        _warm_up()
    except Exception as exc:  # noqa: BLE001  (the scheduler's own passes will find the same, and say it)
        logger.info("Not warmed up, the first pass will take longer: %s", exc)


def _warm_up() -> None:
    functions = registry.functions()
    if not functions:
        return
    using = write_alias()
    with write_transaction():
        now = read_now()
        key = f"warmup {uuid7()}"
        task = ScheduledTask(
            name="warmup",
            name_key=key,
            function=next(iter(functions)),
            schedule_kind="interval",
            expression="1h",
            starts_at=now,
            next_run_at=now,
            overlap=Overlap.QUEUE_ALL,
            created_at=now,
            updated_at=now,
        )
        ScheduledTask.objects.using(using).bulk_create([task])  # no signals of Django's models
        record_due(limit=1)
        transaction.set_rollback(True, using=using)
    when_idle([""], lambda: 0)  # connects
