"""Settings of the processes that a benchmark starts: PostgreSQL and Redis of its own, two workers."""

from __future__ import annotations

import os

from benchmarks.machine import has_celery
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, Q_CLUSTER

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.app"]
if has_celery():
    INSTALLED_APPS += ["django_celery_beat", "django_celery_results"]
CONN_MAX_AGE = None
for database in DATABASES.values():  # noqa: F405
    database["CONN_MAX_AGE"] = None
    if database["ENGINE"].endswith("postgresql"):
        # As the deployment guide says for PostgreSQL without a pooler; whoever sends its statements that way has it.
        database["OPTIONS"] = {"prepare_threshold": 5}
SCHEDULED_TASKS = {
    "ENGINE": "django_scheduled_tasks.engines.django_q.DjangoQEngine",
    "METRICS_TOKEN": "BENCH_METRICS_TOKEN",
}
Q_CLUSTER |= {
    "workers": 2,
    "recycle": 100_000,
    "log_level": "ERROR",
    "guard_cycle": 0.5,
    "queue_limit": 50,
    # django-q2's own scheduler and saved results are on only where django-q2 itself is measured.
    "scheduler": os.environ.get("BENCH_SYSTEM") == "django-q2",
    "save_limit": 0 if os.environ.get("BENCH_SYSTEM") == "django-q2" else -1,
}
if os.environ.get("BENCH_BROKER") == "orm":
    Q_CLUSTER = {key: value for key, value in Q_CLUSTER.items() if key != "redis"} | {"orm": "default"}
