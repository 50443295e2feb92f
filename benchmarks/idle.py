"""What waiting costs: the scheduler with few and with many tasks, and how late it is then: ours, django-q2, Celery.

``python -m benchmarks.idle [--tasks 10,100000] [--seconds 60] [--quick]``. Ten tasks are due within a minute, one each
six seconds; all others only years from now. With ``--tasks 0`` nothing is due. It tells transactions a second (by
PostgreSQL's own count), CPU time and memory (PSS) of all processes, the scheduler and two workers with what is around
them, and how late those ten were. The limit is a bare loop that knows when to wake; see ``benchmarks.lateness``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.lateness import percentile, run_limit
from benchmarks.machine import has_celery
from benchmarks.processes import busy_seconds, families, processes, proportional_memory
from tests.servers import own_servers

EVERY = 6
"""Seconds between two of the tasks that are due."""
CLUSTER = "django qcluster --skip-checks"
"""As ``runscheduler --with-cluster`` starts it: the checks import the project's URLs, 20 MiB that workers never use."""
SETTLE = 12.0
"""Seconds after which a scheduler has read what it reads at its start."""


@dataclass
class Row:
    """What one system cost with so many tasks."""

    system: str
    tasks: int
    transactions: float
    cpu: float
    memory: float
    lateness: list[float]


def transactions() -> int:
    """Return how many transactions the database has ended so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'test'")
        return int(cursor.fetchone()[0])


def watch(system: str, tasks: int, seconds: float, pids: list[int]) -> Row:
    """Count for *seconds* what the processes cost."""
    before, cpu, began = transactions(), sum(map(busy_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return Row(
        system=system,
        tasks=tasks,
        transactions=(transactions() - before) / took,
        cpu=(sum(map(busy_seconds, pids)) - cpu) / took,
        memory=sum(map(proportional_memory, pids)),
        lateness=[],
    )


def ours(tasks: int, seconds: float) -> Row:
    """Measure ``runscheduler`` and ``qcluster`` with two workers."""
    from django_scheduled_tasks.models import Execution, ScheduledTask, read_now

    Execution.objects.all().delete()
    ScheduledTask.objects.all()._raw_delete("default")
    first = (read_now() + timedelta(seconds=SETTLE + tasks / 10_000 + 8)).replace(microsecond=0)
    _fill(ScheduledTask, tasks, first)
    with processes("django runscheduler", CLUSTER, system="ours", settle=SETTLE) as started:
        row = watch("ours", tasks, seconds, families(started))
    done = Execution.objects.filter(outcome="succeeded").values_list("scheduled_for", "completed_at")
    row.lateness = [(completed - due).total_seconds() for due, completed in done if completed and due]
    return row


def _fill(model: Any, tasks: int, first: datetime) -> None:
    far = first + timedelta(days=3650)
    rows = (
        model(
            name=f"bench {number}",
            name_key=f"bench {number}",
            function="bench.nothing",
            schedule_kind="interval",
            expression="365d" if number >= 10 else "60s",
            starts_at=far if number >= 10 else first + timedelta(seconds=EVERY * number),
            next_run_at=far if number >= 10 else first + timedelta(seconds=EVERY * number),
            created_at=first,
            updated_at=first,
            overlap="allow",
        )
        for number in range(tasks)
    )
    model.objects.bulk_create(rows, batch_size=2_000)
    _analyze()


def django_q(tasks: int, seconds: float) -> Row:
    """Measure ``qcluster`` with two workers, one process of which schedules."""
    from django_q.models import Schedule, Task

    Task.objects.all().delete()
    Schedule.objects.all()._raw_delete("default")
    first = datetime.now(UTC) + timedelta(seconds=SETTLE + 8)
    far = first + timedelta(days=3650)
    Schedule.objects.bulk_create(
        (
            Schedule(
                func="benchmarks.app.tasks.nothing",
                schedule_type=Schedule.ONCE,
                next_run=far if number >= 10 else first + timedelta(seconds=EVERY * number),
                name=f"q {number}",
            )
            for number in range(tasks)
        ),
        batch_size=2_000,
    )
    _analyze()
    due = {f"q {number}": first + timedelta(seconds=EVERY * number) for number in range(min(tasks, 10))}
    with processes(CLUSTER, system="django-q2", settle=SETTLE) as started:
        row = watch("django-q2", tasks, seconds, families(started))
    stopped = Task.objects.values_list("group", "stopped")
    row.lateness = [(at - due[name]).total_seconds() for name, at in stopped if name in due]
    return row


def celery(tasks: int, seconds: float) -> Row:
    """Measure ``celery beat`` with django-celery-beat, and a worker with two processes."""
    from benchmarks import celery_app

    celery_app.forget()
    now = datetime.now(UTC)
    celery_app.schedule("far", max(tasks - 10, 0), now + timedelta(days=365), timedelta(days=365))
    first = datetime.now(UTC) + timedelta(seconds=SETTLE + tasks / 5_000 + 8)
    due = [first + timedelta(seconds=EVERY * number) for number in range(min(tasks, 10))]
    for number, instant in enumerate(due):
        celery_app.schedule(f"bench {number}", 1, instant, timedelta(hours=1))
    _analyze()
    settle = SETTLE + tasks / 5_000
    with processes(celery_app.BEAT, celery_app.WORKER, system="celery", settle=settle) as started:
        row = watch("celery", tasks, seconds, families(started))
    row.lateness = [(done - instant).total_seconds() for done, instant in zip(celery_app.results(), due, strict=False)]
    return row


def _stop_vacuuming() -> None:
    """Let PostgreSQL start no transactions by itself, which would be counted."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET autovacuum = off")
        cursor.execute("SELECT pg_reload_conf()")


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


SYSTEMS = (ours, django_q, *[celery] * has_celery())


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--tasks", default="10,100000")
    parser.add_argument("--seconds", type=float, default=70)
    parser.add_argument("--quick", action="store_true", help="fewer tasks and seconds")
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.seconds = "1000", 20
    rows: list[Row] = []
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _stop_vacuuming()
        dsn = f"host=127.0.0.1 port={postgres.port} user=postgres dbname=test"
        limit = run_limit(dsn, redis.port, 1, max(int(options.seconds // EVERY), 1), every=EVERY)
        for count in map(int, options.tasks.split(",")):
            rows += [system(count, options.seconds) for system in SYSTEMS]
            print(f"{count} tasks done", file=sys.stderr)
    report(limit, rows)


def report(limit: list[float], rows: list[Row]) -> None:
    """Print the costs as Markdown."""
    print(
        "| system | tasks | transactions/s | CPU, % of a core | memory, MiB | late p50, ms | max, ms | of the limit |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    middle = percentile(limit, 0.5)
    print(f"| limit | | | | | {middle * 1000:.1f} | {max(limit) * 1000:.1f} | 1.00 |")
    for row in rows:
        late = "| | | |"
        if row.lateness:
            half = percentile(row.lateness, 0.5)
            late = f"| {half * 1000:.1f} | {max(row.lateness) * 1000:.1f} | {half / middle:.2f} |"
        print(f"| {row.system} | {row.tasks} | {row.transactions:.2f} | {row.cpu * 100:.2f} | {row.memory:.0f} {late}")


if __name__ == "__main__":
    main()
