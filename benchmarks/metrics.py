"""What one scrape of the metrics costs, and what counting costs the scheduler.

``python -m benchmarks.metrics [--tasks 100000] [--ended 100000] [--rounds 20] [--json FILE] [--check] [--quick]``.
There are so many tasks, first all with keys and of five functions, then all with names of their own. CPU is that of the
process that answers, and that of PostgreSQL's beside it. Counting is the count of so many executions that have ended.
With --check the exit code is 1 if a scrape costs this process more than 50 ms or takes more than three statements.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.servers import own_servers

MOST_CPU_MS, MOST_STATEMENTS = 50.0, 3
FUNCTIONS = [f"bench.function_{number}" for number in range(5)]
TICKS = os.sysconf("SC_CLK_TCK")


def scrape(name: str, rounds: int) -> dict[str, Any]:
    """Scrape so often, and return the medians."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    headers = {"authorization": "Bearer bench"}
    client = Client()
    client.get("/metrics/", headers=headers)
    with CaptureQueriesContext(connection) as captured:
        size = len(client.get("/metrics/", headers=headers).content)
        statements = len(captured)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    wall, cpu = [], []
    before = _cpu_of(pid)
    for _ in range(rounds):
        began, spent = time.monotonic(), time.process_time()
        answer = client.get("/metrics/", headers=headers)
        wall.append((time.monotonic() - began) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
        assert answer.status_code == 200, answer.content
    return {
        "tasks": name,
        "statements": statements,
        "kilobytes": size / 1000,
        "median": statistics.median(wall),
        "cpu": statistics.median(cpu),
        "database_cpu": (_cpu_of(pid) - before) / rounds * 1000,
    }


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def write(tasks: int, ended: int, *, has_keys: bool) -> None:
    """Write so many tasks, and so many executions of them that have ended."""
    from django.db import connection

    from django_scheduled_tasks.models import Execution, ScheduledTask, TaskDay, TimeBucket, Total, Uncounted, read_now

    for model in (Execution, TaskDay, TimeBucket, Total, Uncounted, ScheduledTask):
        model.objects.all()._raw_delete("default")
    now = read_now()
    rows = [
        ScheduledTask(
            name=f"task {number}",
            name_key=f"task {number}",
            key=f"customer:{number}" if has_keys else None,
            function=FUNCTIONS[number % len(FUNCTIONS)],
            schedule_kind="cron",
            expression="30 9 1 * *",
            next_run_at=now + timedelta(seconds=number),
            created_at=now,
            updated_at=now,
        )
        for number in range(tasks)
    ]
    ScheduledTask.objects.bulk_create(rows, batch_size=5_000)
    begin = now - timedelta(hours=1)
    Execution.objects.bulk_create(
        (
            Execution(
                task=rows[number % tasks],
                task_name=rows[number % tasks].name,
                function=rows[number % tasks].function,
                trigger="schedule",
                status="completed",
                outcome="succeeded",
                scheduled_for=begin + timedelta(milliseconds=number),
                triggered_at=begin,
                started_at=begin,
                completed_at=begin + timedelta(milliseconds=number % 60_000),
            )
            for number in range(ended)
        ),
        batch_size=5_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def count(ended: int) -> dict[str, Any]:
    """Count all that has ended, and return what that took."""
    from django_scheduled_tasks.services.scheduling.rollup import count_steps

    began, spent = time.monotonic(), time.process_time()
    longest, at = 0.0, time.monotonic()
    for _step in count_steps():
        longest, at = max(longest, time.monotonic() - at), time.monotonic()
    took, cpu = time.monotonic() - began, time.process_time() - spent
    return {"count": ended, "seconds": took, "cpu_us": cpu / ended * 1e6, "longest": longest * 1000}


def main() -> int:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--ended", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--check", action="store_true", help="fail if a limit is passed")
    parser.add_argument("--quick", action="store_true", help="5,000 tasks and executions")
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.ended, options.rounds = 5_000, 5_000, 5
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
            "BENCH_METRICS_TOKEN": "bench",
        }
        import django

        django.setup()
        from django.test import override_settings

        with override_settings(ROOT_URLCONF="tests.metrics.urls"):
            figures = run(options)
    report(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    over = [row for row in figures["scrapes"] if row["cpu"] > MOST_CPU_MS or row["statements"] > MOST_STATEMENTS]
    return 1 if options.check and over else 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all."""
    from django.core.management import call_command

    from django_scheduled_tasks.models import read_now
    from django_scheduled_tasks.services.scheduling.rollup import name_tasks

    call_command("migrate", verbosity=0)
    found: dict[str, Any] = {"scrapes": [], "counts": []}
    for name, has_keys in (("with keys", True), ("with names", False)):
        write(options.tasks, options.ended, has_keys=has_keys)
        found["counts"].append({"tasks": f"{options.tasks:,} {name}"} | count(options.ended))
        name_tasks(read_now())
        found["scrapes"].append(scrape(f"{options.tasks:,} {name}", options.rounds))
    return found


def report(figures: dict[str, Any]) -> None:
    """Print the figures as Markdown."""
    print("| tasks | statements | kB | median, ms | CPU, ms | CPU of PostgreSQL, ms |\n|---|---:|---:|---:|---:|---:|")
    for row in figures["scrapes"]:
        print(
            f"| {row['tasks']} | {row['statements']} | {row['kilobytes']:.0f} | {row['median']:.0f} | {row['cpu']:.0f} "
            f"| {row['database_cpu']:.0f} |"
        )
    print("\n| tasks | counted | seconds | CPU of each, µs | longest step, ms |\n|---|---:|---:|---:|---:|")
    for row in figures["counts"]:
        print(
            f"| {row['tasks']} | {row['count']:,} | {row['seconds']:.1f} | {row['cpu_us']:.0f} | {row['longest']:.0f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
