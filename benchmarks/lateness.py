"""How late tasks start and are recorded: ours, django-q2's own schedules, Celery's beat, and a bare loop as the limit.

``python -m benchmarks.lateness [--rounds 3] [--counts 1,100,1000]``. All run on one PostgreSQL and one Redis that the
benchmark starts itself, with two workers each, one system after the other in each round. Lateness is the time from the
due instant until the record says that the function has run. Celery is measured where it is installed with
django-celery-beat and django-celery-results; its interval begins anew with each run, so that it falls behind.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from benchmarks.machine import has_celery
from benchmarks.processes import processes
from tests.servers import own_servers

SYSTEMS = ("limit", "ours", "django-q2", *["celery"] * has_celery())


def percentile(values: list[float], share: float) -> float:
    """Return the value below which *share* of *values* lie."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


# --- the limit: a row written when queued, started and finished, and nothing else


def bare_worker(dsn: str, port: int) -> None:
    """Update rows when they are started and finished, until told to stop."""
    import psycopg
    import redis

    client, connection = redis.Redis(port=port), psycopg.connect(dsn, autocommit=True)
    while True:
        taken = client.blpop("bare", timeout=1)
        if taken is None:
            continue
        if taken[1] == b"stop":
            return
        number = int(taken[1])
        connection.execute("UPDATE bare SET started = clock_timestamp() WHERE id = %s", [number])
        connection.execute("UPDATE bare SET finished = clock_timestamp() WHERE id = %s", [number])


def look_at_clock(connection: Any) -> tuple[float, datetime, float]:
    """Return how long the database took to say its time, that time, and the middle of the asking, monotonic."""
    began = time.monotonic()
    (now,) = connection.execute("SELECT clock_timestamp()").fetchone()
    ended = time.monotonic()
    return ended - began, now, (began + ended) / 2


def run_limit(dsn: str, port: int, count: int, instants: int, *, every: int = 1) -> list[float]:
    """Return how late each of *count* tasks was at each of *instants* instants, *every* so many seconds."""
    import psycopg
    import redis

    client, connection = redis.Redis(port=port), psycopg.connect(dsn, autocommit=True)
    connection.execute("DROP TABLE IF EXISTS bare")
    connection.execute(
        "CREATE TABLE bare (id bigserial PRIMARY KEY, due timestamptz, queued timestamptz, started timestamptz,"
        " finished timestamptz)"
    )
    client.delete("bare")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=bare_worker, args=(dsn, port)) for _ in range(2)]
    for worker in workers:
        worker.start()
    time.sleep(1)  # until the workers are up, so that nothing stands in the way of the clock's answer
    looks = [look_at_clock(connection) for _ in range(20)]
    _took, now, looked_at = min(looks)
    first = (now + timedelta(seconds=3)).replace(microsecond=0)
    for number in range(instants):
        due = first + timedelta(seconds=number * every)
        time.sleep(max((due - now).total_seconds() - (time.monotonic() - looked_at), 0))
        with connection.transaction():
            rows = connection.execute(
                "INSERT INTO bare (due, queued) SELECT %s, clock_timestamp() FROM generate_series(1, %s) RETURNING id",
                [due, count],
            ).fetchall()
        client.rpush("bare", *(row[0] for row in rows))
    wait_for(
        lambda: connection.execute("SELECT count(*) FROM bare WHERE finished IS NULL").fetchone() == (0,), seconds=60
    )
    client.rpush("bare", *["stop"] * len(workers))
    for worker in workers:
        worker.join()
    found = connection.execute("SELECT extract(epoch FROM finished - due)::float FROM bare").fetchall()
    return [row[0] for row in found]


def wait_for(condition: Callable[[], Any], *, seconds: float) -> None:
    """Wait until *condition* is true.

    Raises:
        TimeoutError: Not within *seconds*.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {seconds} s.")
        time.sleep(0.1)


# --- ours, django-q2 and Celery


def run_ours(count: int, instants: int) -> list[float]:
    """As :func:`run_limit`, for our own scheduler and runner."""
    from django_scheduled_tasks.lifecycle import ENDED
    from django_scheduled_tasks.models import Execution, ScheduledTask, read_now
    from django_scheduled_tasks.services.delivery.notify import wake_schedulers

    Execution.objects.all().delete()
    ScheduledTask.objects.all().delete()
    with processes("django runscheduler", "django qcluster", system="ours"):
        now = read_now()
        first = (now + timedelta(seconds=3 + count / 250)).replace(microsecond=0)
        kind = {"schedule_kind": "interval", "expression": "1s", "starts_at": first}
        ScheduledTask.objects.bulk_create(
            ScheduledTask(
                name=f"bench {number}",
                name_key=f"bench {number}",
                function="bench.nothing",
                max_runs=instants,
                next_run_at=first,
                created_at=now,
                updated_at=now,
                overlap="allow",
                **kind,
            )
            for number in range(count)
        )
        wake_schedulers()  # as each service does that changes a task
        total = count * instants
        wait_for(
            lambda: Execution.objects.filter(status__in=ENDED).count() >= total, seconds=60 + instants + total / 100
        )
    rows = Execution.objects.filter(outcome="succeeded").values_list("scheduled_for", "completed_at")
    return [(completed - due).total_seconds() for due, completed in rows if completed]


def run_django_q(count: int, instants: int) -> list[float]:
    """As :func:`run_limit`, for django-q2's own schedules; its results are saved, as by default."""
    from django_q.models import Schedule, Task

    Schedule.objects.all().delete()
    Task.objects.all().delete()
    due: datetime = datetime.now().astimezone() + timedelta(seconds=8)
    with processes("django qcluster", system="django-q2"):
        Schedule.objects.bulk_create(
            Schedule(func="benchmarks.app.tasks.nothing", schedule_type=Schedule.ONCE, next_run=due, name=f"q {number}")
            for number in range(count)
        )
        wait_for(lambda: Task.objects.count() >= count, seconds=90 + count / 20)
    return [(stopped - due).total_seconds() for stopped in Task.objects.values_list("stopped", flat=True)]


def run_celery(count: int, instants: int) -> list[float]:
    """As :func:`run_limit`, for beat with django-celery-beat; the k-th run is due k seconds after the first."""
    from benchmarks import celery_app

    celery_app.forget()
    due = datetime.now().astimezone().replace(microsecond=0) + timedelta(seconds=8 + count / 250)
    celery_app.schedule("bench", count, due, timedelta(seconds=1) if instants > 1 else timedelta(hours=1))
    total = count * instants
    with processes(celery_app.WORKER, celery_app.BEAT, system="celery"):
        wait_for(lambda: len(celery_app.results()) >= total, seconds=60 + instants + total / 10)
    return [(done - due).total_seconds() - number // count for number, done in enumerate(celery_app.results()[:total])]


def main() -> None:
    """Measure, and print a table with ratios to the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lateness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts", default="1,100,1000")
    parser.add_argument("--seconds", type=int, default=60, help="for how long a task is due each second")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.counts, options.seconds = 1, "20", 5
    systems = options.systems.split(",")
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
        dsn = f"host=127.0.0.1 port={postgres.port} user=postgres dbname=test"
        runs: dict[str, Callable[[int, int], list[float]]] = {
            "limit": lambda count, instants: run_limit(dsn, redis.port, count, instants),
            "ours": run_ours,
            "django-q2": run_django_q,
            "celery": run_celery,
        }
        results: defaultdict[tuple[str, str], list[list[float]]] = defaultdict(list)
        for number in range(options.rounds):
            for count in map(int, options.counts.split(",")):
                for system in systems:
                    instants = 5 if count == 1 and system in {"limit", "ours"} else 1
                    results[f"{count} due at once", system].append(runs[system](count, instants))
                    print(f"round {number + 1}: {count} at once, {system} done", file=sys.stderr)
            if options.seconds:
                for system in (name for name in systems if name != "django-q2"):
                    results[f"each second, {options.seconds} s", system].append(runs[system](1, options.seconds))
    report(results)


def report(results: dict[tuple[str, str], list[list[float]]]) -> None:
    """Print medians over the rounds as Markdown, in milliseconds, with ratios to the limit."""
    print("| due | system | runs | p50, ms | p95, ms | p99, ms | max, ms | p95 of the limit | p99 of the limit |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    limits: dict[str, tuple[float, float]] = {}
    for (name, system), rounds in results.items():
        shares = [statistics.median(percentile(values, share) for values in rounds) for share in (0.5, 0.95, 0.99, 1)]
        if system == "limit":
            limits[name] = (shares[1], shares[2])
        ratios = ["", ""]
        if name in limits:
            ratios = [f"{own / limit:.2f}" for own, limit in zip(shares[1:3], limits[name], strict=True)]
        columns = [f"{value * 1000:.1f}" for value in shares] + ratios
        print(f"| {name} | {system} | {sum(map(len, rounds))} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
