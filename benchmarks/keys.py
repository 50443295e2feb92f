"""Tasks by program: what upserts cost, and what a million tasks cost the scheduler, the list and the search.

``python -m benchmarks.keys [--tasks 1000000] [--upserts 100000] [--due 1000] [--json FILE] [--check] [--quick]``.
Upserts are those of :func:`upsert_tasks`, all new, then as they are, then all changed; CPU is that of this process
alone. Then so many tasks are due within one second, first with no others in the table, then with all; late is how long
after its due time an execution was recorded. With --check the exit code is 1 if a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.admin import Page, measure
from benchmarks.lateness import percentile
from benchmarks.processes import families, processes, proportional_memory
from tests.servers import own_servers

MOST_CPU_MS, MOST_SECONDS, MOST_LATER = 0.3, 60.0, 1.3
"""CPU of one upsert, seconds for 100,000, and how much later than with few tasks."""
FUNCTION, SETTLE, WAIT = "bench.nothing", 12.0, 25.0
TASKS = "/admin/django_scheduled_tasks/scheduledtask/"
REST = "/api/scheduled-tasks/tasks/"


def rows(count: int, zone: str, begin: int = 0) -> Iterator[dict[str, Any]]:
    """Yield what a program with *count* customers wants, each at a minute of its own."""
    from django_scheduled_tasks import cron

    schedules = [cron(f"{minute} 9 1 * *", timezone=zone) for minute in range(60)]
    for number in range(begin, begin + count):
        yield {"function": FUNCTION, "key": f"customer:{number}", "schedule": schedules[number % 60]}


def upserts(name: str, given: Iterator[dict[str, Any]], count: int) -> dict[str, Any]:
    """Upsert all of *given*, and return what that took."""
    from django_scheduled_tasks import upsert_tasks

    wall, cpu = time.monotonic(), time.process_time()
    result = upsert_tasks(given)
    took, spent = time.monotonic() - wall, time.process_time() - cpu
    print(f"{name}: {result.created}, {result.updated}, {result.unchanged} in {took:.1f} s", file=sys.stderr)
    return {"upserts": name, "count": count, "seconds": took, "cpu_ms": spent / count * 1000}


def lateness(due: int) -> dict[str, Any]:
    """Let *due* tasks be due within one second; return how late their executions were recorded, and the memory."""
    from django_scheduled_tasks.models import Execution, ScheduledTask, read_now

    Execution.objects.all().delete()
    at = (read_now() + timedelta(seconds=SETTLE + 8)).replace(microsecond=0)
    some = ScheduledTask.objects.order_by("key").values("pk")[:due]
    ScheduledTask.objects.filter(pk__in=list(some.values_list("pk", flat=True))).update(
        schedule_kind="interval", expression="365d", starts_at=at, next_run_at=at
    )
    total = ScheduledTask.objects.count()
    with processes("django runscheduler", system="ours", settle=SETTLE) as started:
        until = time.monotonic() + WAIT
        while time.monotonic() < until and Execution.objects.count() < due:
            time.sleep(0.5)
        memory = sum(map(_memory, families(started)))
    found = Execution.objects.filter(trigger="schedule").values_list("scheduled_for", "triggered_at")
    late = [(recorded - wanted).total_seconds() for wanted, recorded in found]
    if len(late) < due:
        raise SystemExit(f"Only {len(late)} of {due} were recorded.")
    return {"tasks": total, "p50": percentile(late, 0.5), "p99": percentile(late, 0.99), "memory": memory}


def _memory(pid: int) -> float:
    try:
        return proportional_memory(pid)
    except (OSError, ProcessLookupError):  # it has ended meanwhile
        return 0.0


def pages() -> Iterator[Page]:
    """Return what people and programs open."""
    yield Page("list", TASKS)
    yield Page("list of one function", f"{TASKS}?function={FUNCTION}")
    yield Page("list, needs attention", f"{TASKS}?state=needs_attention")
    yield Page("search", f"{TASKS}?q=customer:777")
    yield Page("REST list", REST)
    yield Page("REST by key", f"{REST}by-key/customer:77/")
    yield Page("REST by owner", f"{REST}?ownerType=shop.customer&ownerId=7")


def main() -> int:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keys", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--upserts", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--check", action="store_true", help="fail if a limit is passed")
    parser.add_argument("--quick", action="store_true", help="20,000 tasks, 5,000 upserts")
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.upserts, options.due, options.rounds = 20_000, 5_000, 200, 3
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
        }
        import django

        django.setup()
        figures = run(options)
    report(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 1 if options.check and is_over(figures) else 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from django_scheduled_tasks.models import Execution, ScheduledTask

    call_command("migrate", verbosity=0)
    found: dict[str, Any] = {"upserts": [], "late": [], "pages": []}
    upserts("first of all", rows(options.due, "UTC"), options.due)
    found["late"].append(lateness(options.due))
    Execution.objects.all().delete()
    ScheduledTask.objects.all()._raw_delete("default")
    for name, zone in (("new", "UTC"), ("as they are", "UTC"), ("changed", "Europe/Berlin")):
        found["upserts"].append(upserts(name, rows(options.upserts, zone), options.upserts))
    rest = options.tasks - options.upserts
    upserts("the rest", rows(rest, "UTC", options.upserts), rest)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    found["late"].append(lateness(options.due))
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("bench", password="x"))
    found["pages"] = [asdict(measure(page, client, options.rounds)) for page in pages()]
    return found


def is_over(figures: dict[str, Any]) -> bool:
    """Whether a limit is passed."""
    few, many = figures["late"]
    slow = [row for row in figures["upserts"] if row["cpu_ms"] > MOST_CPU_MS or _for_100_000(row) > MOST_SECONDS]
    return bool(slow) or many["p99"] > few["p99"] * MOST_LATER or any(page["is_over"] for page in figures["pages"])


def _for_100_000(row: dict[str, Any]) -> float:
    return float(row["seconds"] / row["count"] * 100_000)


def report(figures: dict[str, Any]) -> None:
    """Print the figures as Markdown."""
    print("| upserts | number | seconds | for 100,000 | CPU each, ms |\n|---|---:|---:|---:|---:|")
    for row in figures["upserts"]:
        print(
            f"| {row['upserts']} | {row['count']:,} | {row['seconds']:.1f} | {_for_100_000(row):.1f} "
            f"| {row['cpu_ms']:.3f} |"
        )
    print("\n| tasks | late p50, ms | p99, ms | memory of the scheduler, MiB |\n|---:|---:|---:|---:|")
    for row in figures["late"]:
        print(f"| {row['tasks']:,} | {row['p50'] * 1000:.0f} | {row['p99'] * 1000:.0f} | {row['memory']:.0f} |")
    print("\n| page | statements | median, ms | p95, ms | |\n|---|---:|---:|---:|---|")
    for page in figures["pages"]:
        over = "over" if page["is_over"] else ""
        print(f"| {page['page']} | {page['statements']} | {page['median']:.0f} | {page['p95']:.0f} | {over} |")


if __name__ == "__main__":
    sys.exit(main())
