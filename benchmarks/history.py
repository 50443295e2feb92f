"""A long history for the benchmarks: tasks and executions of ours, and as many rows of those that are compared."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.machine import has_celery

STEP = 40
"""Seconds between two executions; a million of them are 463 days."""
TRACEBACK = '  File "x.py", line 1, in f\n' * 40


@dataclass(frozen=True)
class Dialect:
    """What the databases write differently; *n* counts down to 1."""

    uuid: str
    instant: str
    """Of *seconds* ago."""
    analyze: str


DIALECTS = {
    "postgres": Dialect("md5(n::text)::uuid", "now() - ({seconds}) * interval '1 second'", "VACUUM ANALYZE"),
    "sqlite": Dialect(
        "printf('%032x', n)", "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({seconds}) || ' seconds')", "ANALYZE"
    ),
}


def _written(table: str, count: int, values: dict[str, str], source: str = "") -> str:
    """Return the statement that writes *count* rows, the oldest first."""
    series = f"WITH RECURSIVE series (n) AS (SELECT {count:d} UNION ALL SELECT n - 1 FROM series WHERE n > 1)"
    selected = f"SELECT {', '.join(values.values())} FROM series{source} ORDER BY n DESC"
    return f"INSERT INTO {table} ({', '.join(values)}) {series} {selected}"  # our own names and expressions


def fill(count: int, tasks: int, dialect: Dialect) -> None:
    """Write *tasks* tasks, and *count* executions back from now, in one statement."""
    from django.db import connection

    from django_scheduled_tasks.models import Execution, ExecutionLog, PresenceKind, ScheduledTask, read_now
    from django_scheduled_tasks.services.scheduling import presence
    from django_scheduled_tasks.services.starting.run_once import run_once
    from django_scheduled_tasks.services.tasks.edit import create_task

    minutes = (5, 15, 30, 60)
    for number in range(tasks):
        create_task(
            name=f"task {number:04}",
            function="bench.nothing",
            schedule_kind="interval",
            expression=f"{minutes[number % len(minutes)]}m",
        )
    for kind in PresenceKind:
        presence.seen(kind)
    run_once(ScheduledTask.objects.order_by("name_key")[0])
    began = dialect.instant.format(seconds=f"n * {STEP}")
    names = _columns(Execution)
    written = {name: f"e.{name}" for name in names} | {
        "tracking_id": dialect.uuid,
        "task_id": "t.id",
        "task_name": "t.name",
        "trigger": "CASE WHEN n % 50 = 0 THEN 'admin' ELSE 'schedule' END",
        **dict.fromkeys(("triggered_at", "started_at", "scheduled_for"), began),
        "completed_at": dialect.instant.format(seconds=f"n * {STEP} - 1 - n % 30"),
        # Of a hundred, three failed; in between, each twentieth task fails again and again.
        "status": f"CASE WHEN {_FAILED} THEN 'errors' ELSE 'completed' END",
        "outcome": f"CASE WHEN {_FAILED} THEN 'failed' ELSE 'succeeded' END",
        "error_type": f"CASE WHEN {_FAILED} THEN 'ConnectionError' ELSE '' END",
        "error_message": f"CASE WHEN {_FAILED} THEN 'SMTP server ' || n || ' refused the connection' ELSE '' END",
        "traceback": f"CASE WHEN {_FAILED} THEN '{TRACEBACK}' ELSE '' END",
        **dict.fromkeys(("lock_key", "exclusive_key", "send_at"), "NULL"),
    }
    numbered = f"(SELECT id, name, row_number() OVER (ORDER BY name_key) - 1 AS place FROM {_table(ScheduledTask)})"
    source = f" JOIN {numbered} t ON t.place = n % {tasks} CROSS JOIN {_table(Execution)} e"
    with connection.cursor() as cursor:
        cursor.execute(_written(_table(Execution), count, written, source))
    newest = Execution.objects.order_by("-pk")[0]
    now = read_now()
    ExecutionLog.objects.bulk_create(
        ExecutionLog(execution=newest, number=number, logged_at=now, level="INFO", message=f"Batch {number} is done")
        for number in range(1, 501)
    )


_FAILED = "(n % 100 < 3 OR (n % 1000) % 20 = 7)"


def _table(model: Any) -> str:
    return str(model._meta.db_table)


def _columns(model: Any) -> list[str]:
    return [field.column for field in model._meta.concrete_fields if not field.primary_key]


def fill_others(count: int, dialect: Dialect) -> dict[str, str]:
    """Write as many rows for those that are compared, and return their lists: their names and paths."""
    from django.db import connection

    pages = {"django-q2: successes": "/admin/django_q/success/"}
    began = dialect.instant.format(seconds=f"n * {STEP}")
    ended = dialect.instant.format(seconds=f"n * {STEP} - 3")
    identifier = f"replace(CAST({dialect.uuid} AS varchar(36)), '-', '')"
    of_q = {"id": identifier, "name": "'task-' || n", "func": "'shop.tasks.work'", "started": began, "stopped": ended}
    of_q |= {"success": "true", "attempt_count": "1"}
    of_celery = {"task_id": identifier, "task_name": "'shop.tasks.work'", "worker": "'web-1'", "result": "'null'"}
    of_celery |= {"status": "CASE WHEN n % 100 < 3 THEN 'FAILURE' ELSE 'SUCCESS' END"}
    of_celery |= {"content_type": "'application/json'", "content_encoding": "'utf-8'"}
    of_celery |= {"date_created": began, "date_done": ended}
    with connection.cursor() as cursor:
        cursor.execute(_written("django_q_task", count, of_q))
        if not has_celery():
            print("Celery, its beat and its results are not installed: they are left out.", file=sys.stderr)
            return pages
        cursor.execute(_written("django_celery_results_taskresult", count, of_celery))
    return pages | {"django-celery-results: results": "/admin/django_celery_results/taskresult/"}
