"""What the admin's pages cost over a long history: time and SQL statements, next to the lists of others.

``python -m benchmarks.admin [--database postgres] [--executions 1000000] [--tasks 1000] [--rounds 20] [--json FILE]
[--check] [--quick]``. A database of its own, Django's test client as a superuser, each page warm.

Beside ours stand django-q2's list of successes and, where django-celery-results is installed, its list of results,
over as many rows. A list of ours that takes more than 200 ms or 8 statements (session and user among them) is marked;
with --check the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.history import DIALECTS, fill, fill_others
from benchmarks.lateness import percentile
from benchmarks.machine import described, has_celery
from tests.servers import own_servers

MOST_MS, MOST_STATEMENTS = 200, 8
WARM_UP = 2
TASKS = "/admin/django_scheduled_tasks/scheduledtask/"
EXECUTIONS = "/admin/django_scheduled_tasks/execution/"


@dataclass(frozen=True)
class Page:
    """What is opened, and whether it is a list of ours, which has limits."""

    name: str
    path: str
    is_limited: bool = True


@dataclass(frozen=True)
class Figures:
    """What one page took; milliseconds."""

    page: str
    statements: int
    median: float
    p95: float
    cpu: float
    """Of this process alone, which says more than the clock while the machine is busy with something else."""
    is_over: bool


def pages() -> Iterator[Page]:
    """Return the pages of ours."""
    from django_scheduled_tasks.models import Execution, ScheduledTask

    task = ScheduledTask.objects.order_by("name_key")[3]
    failed = Execution.objects.filter(outcome="failed").order_by("-pk")[0]
    newest = Execution.objects.order_by("-pk")[0]
    yield Page("tasks", TASKS)
    yield Page("tasks: page 2", f"{TASKS}?p=2")
    for state in ("failing", "running", "paused", "late", "broken"):
        yield Page(f"tasks: {state}", f"{TASKS}?state={state}")
    yield Page("tasks: search", f"{TASKS}?q=task+00")
    yield Page("tasks: by last", f"{TASKS}?o=-4")
    yield Page("tasks: live tick", f"{TASKS}live/?v=x")
    yield Page("upcoming", f"{TASKS}upcoming/")
    yield Page("task", f"{TASKS}{task.pk}/change/", is_limited=False)
    yield Page("task: Run once", f"{TASKS}{task.pk}/run-once/", is_limited=False)
    yield Page("execution", f"{EXECUTIONS}{newest.pk}/change/", is_limited=False)
    yield Page("execution: failed", f"{EXECUTIONS}{failed.pk}/change/", is_limited=False)
    yield Page("execution: live tick", f"{EXECUTIONS}{newest.pk}/live/?v=x&log=490", is_limited=False)
    yield Page("history", EXECUTIONS)
    yield Page("history: page 2", f"{EXECUTIONS}?p=2")
    yield Page("history: page 200", f"{EXECUTIONS}?p=200")
    filters = ("status=errors", "status=completed", "status=pending", "outcome=failed", "outcome=missed")
    filters += (f"task={task.pk}", "trigger=admin", "trigger=api", "when=today", "when=7d", "when=30d")
    filters += ("outcome=failed&when=30d", f"outcome=failed&task={task.pk}", "trigger=admin&when=7d")
    for chosen in filters:
        yield Page(f"history: {chosen.replace(str(task.pk), 'one')}", f"{EXECUTIONS}?{chosen}")
    searches = {"number": f"%23{failed.pk}", "tracking id": str(failed.tracking_id), "task": "task+0003"}
    searches |= {"error": "SMTP", "rare error": "SMTP+server+103+", "nothing": "nowhere"}
    for name, text in searches.items():
        yield Page(f"history: search, {name}", f"{EXECUTIONS}?q={text}")
    yield Page("history: news", f"{EXECUTIONS}news/?after={newest.pk - 3}")


# --- measuring


def measure(page: Page, client: Any, rounds: int) -> Figures:
    """Open one page again and again."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for _ in range(WARM_UP):
        response = client.get(page.path)
        if response.status_code not in {200, 204, 286}:
            raise RuntimeError(f"{page.path}: {response.status_code}")
    with CaptureQueriesContext(connection) as queries:
        client.get(page.path)
    statements = len(queries)  # the next request empties the log
    if os.environ.get("BENCH_SQL") == page.name:
        for query in queries:
            print(f"{query['time']} s: {query['sql'][:4000]}\n", file=sys.stderr)
    times: list[float] = []
    cpu_began = time.process_time()
    for _ in range(rounds):
        began = time.perf_counter()
        client.get(page.path)
        times.append((time.perf_counter() - began) * 1000)
    cpu = (time.process_time() - cpu_began) * 1000 / rounds
    median = statistics.median(times)
    is_over = page.is_limited and (median >= MOST_MS or statements > MOST_STATEMENTS)
    return Figures(page.name, statements, median, percentile(times, 0.95), cpu, is_over)


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admin", description=__doc__)
    parser.add_argument("--database", choices=DIALECTS, default="postgres")
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=20, help="how often each page is opened")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--check", action="store_true", help="fail if a list is over its limits")
    parser.add_argument("--quick", action="store_true", help="20,000 executions, 200 tasks, 5 rounds")
    options = parser.parse_args()
    if options.quick:
        options.executions, options.tasks, options.rounds = 20_000, 200, 5
    dialect = DIALECTS[options.database]
    with own_servers() as (postgres, redis), tempfile.TemporaryDirectory() as folder:
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "SCHEDULED_TASKS_TEST_PROFILE": options.database,
            "SCHEDULED_TASKS_TEST_CLUSTER": "bench-admin",
        }
        if options.database == "sqlite":
            os.environ["SCHEDULED_TASKS_TEST_DATABASE"] = f"{folder}/db.sqlite3"
        import django

        django.setup()
        from django.contrib.auth.models import User
        from django.core.management import call_command
        from django.db import connection
        from django.test import Client

        call_command("migrate", verbosity=0)
        fill(options.executions, options.tasks, dialect)
        compared = fill_others(options.executions, dialect).items()
        others = [Page(name, path, is_limited=False) for name, path in compared]
        with connection.cursor() as cursor:
            cursor.execute(dialect.analyze)
        print(f"{options.executions:,} executions are written.", file=sys.stderr)
        client = Client(SERVER_NAME="localhost")
        client.force_login(User.objects.create_superuser("anna"))
        found = [measure(page, client, options.rounds) for page in (*pages(), *others)]
        machine = described("Django", "django-q2", *(["django-celery-results"] if has_celery() else []))
        connection.close()
    report(machine, found, options)
    return 1 if options.check and any(one.is_over for one in found) else 0


def report(machine: dict[str, str], found: list[Figures], options: argparse.Namespace) -> None:
    """Print a table in Markdown; what is over its limit is marked."""
    print(", ".join(f"{name} {said}" for name, said in machine.items()) + ".")
    load = f"load {os.getloadavg()[0]:.1f}"
    size = f"{options.executions:,} executions, {options.tasks:,} tasks"
    print(f"{options.database}, {size}; {options.rounds} rounds; {load}.\n")
    print("| page | statements | median, ms | p95, ms | CPU, ms | |")
    print("|---|---:|---:|---:|---:|---|")
    for one in found:
        over = "over its limit" if one.is_over else ""
        print(f"| {one.page} | {one.statements} | {one.median:.0f} | {one.p95:.0f} | {one.cpu:.0f} | {over} |")
    if options.json:
        said = {"machine": machine, "executions": options.executions, "tasks": options.tasks, "rounds": options.rounds}
        options.json.write_text(json.dumps(said | {"pages": [asdict(one) for one in found]}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
