"""Processor time that one execution costs, by process: ours, django-q2, Celery, a bare loop.

``python -m benchmarks.cost [--rounds 3] [--count 3000] [--busy] [--quick]``. Wall times differ from machine to machine
and from hour to hour; processor time hardly does. On one PostgreSQL and one Redis that the benchmark starts itself,
each system gets two workers and, where it needs one, its scheduler. After a few calls to warm up the workers are
stopped (SIGSTOP), *count* calls are triggered, and the workers go on. What each process has used from then on, until
the last call is recorded, is divided by *count*; so nothing of the start is in it. The function takes one parameter and
does nothing. ``--busy`` keeps one core busy with something else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.machine import has_celery
from benchmarks.processes import competing, cpu_seconds, family, scheduler_of_ours
from benchmarks.throughput import Bare, DjangoQ, Ours, System, settings_of
from tests.servers import own_servers

SYSTEMS = ("limit", "ours redis", "ours redis alone", "django-q2 redis", *["celery redis"] * has_celery())
PARTS = ("trigger", "workers", "scheduler", "PostgreSQL", "Redis")
WARM_UP = 60
"""Calls before the measurement: long enough for what is built at the first ones."""


class Meter:
    """Reads what each part has used so far.

    Args:
        workers: The process that started the workers.
        scheduler: That of the scheduler, if there is one.
    """

    def __init__(self, workers: list[int], scheduler: list[int]) -> None:
        servers = [int(os.environ["BENCH_POSTGRES"]), int(os.environ["BENCH_REDIS"])]
        self._roots = dict(zip(PARTS, ([os.getpid()], workers, scheduler, servers[:1], servers[1:]), strict=True))

    def read(self) -> dict[str, float]:
        """Return seconds by part; of this process alone what it has used itself."""
        used = {part: sum(_tree(pid) for pid in roots) for part, roots in self._roots.items()}
        return used | {"trigger": time.process_time()}


def _tree(root: int) -> float:
    return sum(cpu_seconds(pid, ended=True) for pid in family(root))


def measure(system: System, count: int, *, scheduler: bool) -> dict[str, float]:
    """Return milliseconds of processor time for one call, by part."""
    with system.workers() as started, scheduler_of_ours(enabled=scheduler) as schedulers:
        workers = [getattr(process, "pid", process) for process in started]
        for _ in range(WARM_UP):
            system.trigger()
        _wait(system, WARM_UP)
        time.sleep(3)  # what follows an execution, and what a scheduler does once, is over
        meter = Meter(workers, [process.pid for process in schedulers])
        before = meter.read()
        with _stopped(workers):
            for _ in range(count):
                system.trigger()
            triggered = meter.read()
        _wait(system, WARM_UP + count)
        used = meter.read()
    used["trigger"] = triggered["trigger"]  # afterwards this process only looks
    return {part: 1000 * (used[part] - before[part]) / count for part in PARTS}


@contextmanager
def _stopped(roots: list[int]) -> Iterator[None]:
    pids = [pid for root in roots for pid in family(root)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _wait(system: System, count: int) -> None:
    deadline = time.monotonic() + 300
    while (done := system.recorded()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {count} were recorded within five minutes.")
        time.sleep(0.5)  # each look costs the database some of what is measured


def run_one(name: str, count: int) -> None:
    """Measure one system in this process, and print its figures as JSON."""
    import django

    django.setup()
    kind = name.partition(" ")[0]
    kinds: dict[str, Callable[[], System]] = {
        "limit": Bare,
        "ours": lambda: Ours(with_parameter=True),
        "django-q2": lambda: DjangoQ(with_parameter=True),
        "celery": _celery,
    }
    print(json.dumps(measure(kinds[kind](), count, scheduler=kind == "ours" and "alone" not in name)))


def _celery() -> System:
    from benchmarks.celery_app import CeleryTasks

    return CeleryTasks()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=3_000, help="how many calls are measured")
    parser.add_argument("--busy", action="store_true", help="keep one core busy with something else")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.count)
        return
    if options.quick:
        options.rounds, options.count = 1, 300
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    with own_servers() as (postgres, redis), competing(enabled=options.busy):
        environment = settings_of(postgres, redis)
        environment |= {"BENCH_POSTGRES": str(postgres.pid), "BENCH_REDIS": str(redis.pid)}
        for number in range(options.rounds):
            for name in options.systems.split(","):
                found[name].append(_in_a_process(name, options.count, environment))
                print(f"round {number + 1}: {name} done", file=sys.stderr)
    report(found)


def _in_a_process(name: str, count: int, environment: dict[str, str]) -> dict[str, float]:
    kind, broker, *_ = [*name.split(), "redis"]
    environment = environment | {"BENCH_SYSTEM": kind, "BENCH_BROKER": broker}
    environment |= {"SCHEDULED_TASKS_TEST_CLUSTER": f"bench-{kind}"}
    command = [sys.executable, "-m", "benchmarks.cost", "--one", name, "--count", str(count)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians over the rounds as Markdown, in milliseconds, with the ratio to django-q2."""
    print("| system | " + " | ".join(f"{part}, ms" for part in PARTS) + " | all, ms | of django-q2 |")
    print("|---|" + "---:|" * (len(PARTS) + 2))
    totals = {name: statistics.median(sum(one.values()) for one in rounds) for name, rounds in found.items()}
    peer = totals.get("django-q2 redis")
    for name, rounds in found.items():
        figures = [statistics.median(one[part] for one in rounds) for part in PARTS]
        cells = " | ".join(f"{figure:.2f}" for figure in figures)
        share = f"{totals[name] / peer:.2f}" if peer else ""
        print(f"| {name} | {cells} | {totals[name]:.2f} | {share} |")


if __name__ == "__main__":
    main()
