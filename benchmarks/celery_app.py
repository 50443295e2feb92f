"""Celery with its beat, django-celery-beat and django-celery-results: measured where all three are installed.

It is set up to be fast: the database connection is kept, workers do not talk to each other, a start is not recorded.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from celery import Celery

from benchmarks.processes import processes

app = Celery("benchmarks", broker=os.environ["REDIS_URL"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    result_backend="django-db",
    worker_prefetch_multiplier=8,
    CELERY_DB_REUSE_MAX=1_000_000,
)
COMMAND = "celery -A benchmarks.celery_app --quiet"
WORKER = f"{COMMAND} worker --loglevel ERROR --concurrency 2 --without-gossip --without-mingle --without-heartbeat"
BEAT = f"{COMMAND} beat --loglevel ERROR --pidfile= --scheduler django_celery_beat.schedulers:DatabaseScheduler"


@app.task
def nothing(number: int = 0) -> None:
    """Does nothing."""


def forget() -> None:
    """Empty the queue, the schedule and the results."""
    from django_celery_beat.models import PeriodicTask
    from django_celery_results.models import TaskResult

    app.control.purge()
    PeriodicTask.objects.all()._raw_delete("default")
    TaskResult.objects.all()._raw_delete("default")


def schedule(name: str, count: int, due: datetime, every: timedelta) -> None:
    """Write *count* periodic tasks that are due at *due* and then each *every*; beat reads them at its start."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    interval, _new = IntervalSchedule.objects.get_or_create(every=int(every.total_seconds()), period="seconds")
    PeriodicTask.objects.bulk_create(
        (
            PeriodicTask(name=f"{name} {number}", task=nothing.name, interval=interval, last_run_at=due - every)
            for number in range(count)
        ),
        batch_size=2_000,
    )


def results() -> list[datetime]:
    """Return when each that was recorded ended, the first one first."""
    from django_celery_results.models import TaskResult

    return list(TaskResult.objects.order_by("date_done").values_list("date_done", flat=True))


class CeleryTasks:
    """``delay``, with every result saved."""

    def __init__(self) -> None:
        from django_celery_results.models import TaskResult

        forget()
        self.results = TaskResult.objects

    def trigger(self) -> str:
        return str(nothing.delay().id)

    def is_recorded(self, handle: str) -> bool:
        return self.results.filter(task_id=handle, status="SUCCESS").exists()

    def recorded(self) -> int:
        return self.results.count()

    def workers(self) -> AbstractContextManager[Any]:
        return processes(WORKER, system="celery", settle=0)
