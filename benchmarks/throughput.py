"""How many executions a second are recorded, and how long one takes: ours, django-q2, Celery, a bare loop.

``python -m benchmarks.throughput [--rounds 3] [--count 4000] [--busy] [--quick]``. All run on one PostgreSQL and one
Redis that the benchmark starts itself, with two workers each, one system after the other in each round, on both
brokers; ours with its scheduler. The function does nothing. ``--busy`` keeps one core busy with something else.
django-q2 saves every result; ``async_task`` is called as its manual shows it, and once more with a kept ``broker=``,
which spares it a connection to Redis for each call (with the ORM broker there is none to spare). Celery is measured
where it is installed with django-celery-results. Three figures:

enqueue: triggers a second from one process while no worker runs.
throughput: recorded executions a second while two workers work off what was enqueued.
latency: from just before the trigger until the record of its end can be read, one at a time, workers idle.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from benchmarks.lateness import bare_worker, percentile
from benchmarks.machine import has_celery
from benchmarks.processes import competing, processes, scheduler_of_ours
from tests.servers import PostgreSQL, Redis, own_servers

KEPT = "django-q2 redis kept"
SYSTEMS = (
    "limit",
    "ours redis",
    "django-q2 redis",
    KEPT,
    *["celery redis"] * has_celery(),
    "ours orm",
    "django-q2 orm",
)


@dataclass
class Figures:
    """What one system did in one round; latencies in seconds."""

    enqueue: float
    throughput: float
    p50: float
    p99: float


class System(Protocol):
    """One of those that are compared."""

    def trigger(self) -> Any:
        """Enqueue one call of the function, and return what :meth:`is_recorded` takes."""

    def is_recorded(self, handle: Any) -> bool:
        """Whether the end of that call can be read."""

    def recorded(self) -> int:
        """Return how many calls have been recorded."""

    def workers(self) -> Any:
        """Return a context within which two workers run."""


class Bare:
    """A row written when queued, started and finished, and nothing else."""

    def __init__(self) -> None:
        import psycopg
        import redis

        self.dsn = f"host=127.0.0.1 port={os.environ['PGPORT']} user=postgres dbname=test"
        self.port = int(os.environ["REDIS_URL"].rpartition(":")[2].partition("/")[0])
        self.client, self.connection = redis.Redis(port=self.port), psycopg.connect(self.dsn, autocommit=True)
        self.connection.execute("DROP TABLE IF EXISTS bare")
        self.connection.execute(
            "CREATE TABLE bare"
            " (id bigserial PRIMARY KEY, queued timestamptz, started timestamptz, finished timestamptz)"
        )
        self.client.delete("bare")

    def trigger(self) -> int:
        row = self.connection.execute("INSERT INTO bare (queued) VALUES (clock_timestamp()) RETURNING id").fetchone()
        self.client.rpush("bare", row[0])
        return int(row[0])

    def is_recorded(self, handle: int) -> bool:
        rows = self.connection.execute("SELECT 1 FROM bare WHERE id = %s AND finished IS NOT NULL", [handle])
        return rows.fetchone() is not None

    def recorded(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM bare WHERE finished IS NOT NULL").fetchone()[0])

    @contextmanager
    def workers(self) -> Iterator[list[Any]]:
        context = multiprocessing.get_context("fork")
        started = [context.Process(target=bare_worker, args=(self.dsn, self.port)) for _ in range(2)]
        for worker in started:
            worker.start()
        yield started
        self.client.rpush("bare", *["stop"] * len(started))
        for worker in started:
            worker.join()


class Ours:
    """Triggers through the facade, as a view would."""

    def __init__(self, *, with_parameter: bool = False) -> None:
        from django_scheduled_tasks import task
        from django_scheduled_tasks.models import Execution, ScheduledTask
        from django_scheduled_tasks.services.tasks.edit import create_task

        Execution.objects.all().delete()
        ScheduledTask.objects.all().delete()
        create_task(name="bench", function="bench.nothing", overlap="allow")
        self.params = {"number": 1} if with_parameter else None
        self.task, self.executions = task("bench"), Execution.objects

    def trigger(self) -> str:
        info, errors = self.task.run_once(self.params)
        if errors is not None:
            raise RuntimeError(str(errors))
        return info.tracking_id

    def is_recorded(self, handle: str) -> bool:
        return self.executions.filter(tracking_id=handle, status="completed").exists()

    def recorded(self) -> int:
        return self.executions.filter(status="completed").count()

    def workers(self) -> Any:
        return processes("django qcluster", system="ours", settle=0)


class DjangoQ:
    """``async_task``; every result is saved."""

    def __init__(self, *, kept: bool = False, with_parameter: bool = False) -> None:
        from django_q.brokers import get_broker
        from django_q.models import OrmQ, Task
        from django_q.tasks import async_task

        OrmQ.objects.all().delete()
        Task.objects.all().delete()
        self.options = {"broker": get_broker()} if kept else {}
        self.options |= {"number": 1} if with_parameter else {}
        self.async_task, self.tasks = async_task, Task.objects

    def trigger(self) -> str:
        return str(self.async_task("benchmarks.app.tasks.nothing", **self.options))

    def is_recorded(self, handle: str) -> bool:
        return self.tasks.filter(id=handle).exists()

    def recorded(self) -> int:
        return self.tasks.count()

    def workers(self) -> Any:
        return processes("django qcluster", system="django-q2", settle=0)


def measure(system: System, count: int, single: int) -> Figures:
    """Enqueue *count* calls and let two workers work them off; then time *single* calls one by one."""
    system.trigger()  # whatever is built at the first call
    began = time.perf_counter()
    for _ in range(count):
        system.trigger()
    enqueue = count / (time.perf_counter() - began)
    with scheduler_of_ours(enabled=isinstance(system, Ours)), system.workers():
        throughput = _throughput(system, count)
        latencies = [_latency(system) for _ in range(single)]
    return Figures(enqueue, throughput, percentile(latencies, 0.5), percentile(latencies, 0.99))


def _throughput(system: System, count: int) -> float:
    """From the first that is seen as recorded to the last."""
    deadline = time.monotonic() + 120
    done = began_with = 0
    began = 0.0
    while done <= count:
        done = system.recorded()
        if done and not began_with:
            began, began_with = time.perf_counter(), done
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {count} were recorded within two minutes.")
        time.sleep(0.1)  # each look costs the workers some of the machine
    return (done - began_with) / (time.perf_counter() - began)


def _latency(system: System) -> float:
    time.sleep(0.01)
    began = time.perf_counter()
    handle = system.trigger()
    while not system.is_recorded(handle):
        time.sleep(0.0005)
        if time.perf_counter() - began > 30:
            raise TimeoutError("Not recorded within 30 s.")
    return time.perf_counter() - began


def run_one(name: str, count: int, single: int) -> None:
    """Measure one system in this process, and print its figures as JSON."""
    import django

    django.setup()
    kinds: dict[str, Callable[[], System]] = {"limit": Bare, "ours": Ours, "django-q2": DjangoQ, "celery": _celery}
    system = DjangoQ(kept=True) if name == KEPT else kinds[name.partition(" ")[0]]()
    print(json.dumps(asdict(measure(system, count, single))))


def _celery() -> System:
    from benchmarks.celery_app import CeleryTasks

    return CeleryTasks()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=4_000, help="how many are enqueued and worked off")
    parser.add_argument("--single", type=int, default=300, help="how many are timed one by one")
    parser.add_argument("--busy", action="store_true", help="keep one core busy with something else")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.count, options.single)
        return
    if options.quick:
        options.rounds, options.count, options.single = 1, 500, 30
    found: defaultdict[str, list[Figures]] = defaultdict(list)
    with own_servers() as (postgres, redis), competing(enabled=options.busy):
        environment = settings_of(postgres, redis)
        for number in range(options.rounds):
            for name in options.systems.split(","):
                found[name].append(_in_a_process(name, options, environment))
                print(f"round {number + 1}: {name} done", file=sys.stderr)
    report(found)


def settings_of(postgres: PostgreSQL, redis: Redis) -> dict[str, str]:
    """Return the environment of the processes that use these servers, and migrate the database."""
    environment = os.environ | postgres.environment()
    environment |= {"REDIS_URL": redis.url, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    environment |= {"SCHEDULED_TASKS_TEST_PROFILE": "postgres"}
    subprocess.run([sys.executable, "-m", "django", "migrate", "--verbosity=0"], env=environment, check=True)
    return environment


def _in_a_process(name: str, options: argparse.Namespace, environment: dict[str, str]) -> Figures:
    kind, broker, *_ = [*name.split(), "redis"]
    command = [sys.executable, "-m", "benchmarks.throughput", "--one", name]
    command += ["--count", str(options.count), "--single", str(options.single)]
    environment = environment | {"BENCH_SYSTEM": kind, "BENCH_BROKER": broker}
    environment |= {"SCHEDULED_TASKS_TEST_CLUSTER": f"bench-{kind}"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def report(found: dict[str, list[Figures]]) -> None:
    """Print medians over the rounds as Markdown, with ratios to the limit and to django-q2 on the same broker."""
    medians = {
        name: Figures(**{key: statistics.median(getattr(one, key) for one in rounds) for key in asdict(rounds[0])})
        for name, rounds in found.items()
    }
    print(
        "| system | enqueue/s | of the limit | recorded/s | of django-q2 | latency p50, ms | p99, ms | of django-q2 |"
        " of django-q2 with a kept broker |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, one in medians.items():
        broker = [*name.split(), "none"][1]
        peer, kept = medians.get(f"django-q2 {broker}"), medians.get(KEPT) if broker == "redis" else None
        share = f"{one.enqueue / medians['limit'].enqueue:.2f}" if "limit" in medians else ""
        # Of a few executions all may be recorded before the first look: then there is no rate.
        more = f"{one.throughput / peer.throughput:.2f}" if peer and peer.throughput else ""
        print(
            f"| {name} | {one.enqueue:.0f} | {share} | {one.throughput:.0f} | {more} | {one.p50 * 1000:.1f} |"
            f" {one.p99 * 1000:.1f} | {_later(one, peer)} | {_later(one, kept)} |"
        )


def _later(one: Figures, other: Figures | None) -> str:
    return f"{one.p50 / other.p50:.2f}, {one.p99 / other.p99:.2f}" if other else ""


if __name__ == "__main__":
    main()
