"""All benchmarks, one after the other: ``python -m benchmarks [--smoke] [--quick] [--only lateness,rest]``.

Each starts a PostgreSQL and a Redis of its own. The tables go to the terminal and, from a full run, to
``benchmarks/RESULTS.md`` with the machine and the versions, and a plot of lateness beside it. ``--smoke`` shows
within a minute that each still starts and ends: side by side, on next to no rows, with figures that are worth nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.machine import processor
from benchmarks.plot import draw

HERE = Path(__file__).parent
TITLES = {
    "lateness": "How late tasks start and are recorded",
    "throughput": "Executions a second, and how long one takes",
    "cost": "Processor time of an execution, by process",
    "idle": "What waiting costs, with ten tasks and with 100,000",
    "rest": "REST calls, with an empty table and with 1,000,000 executions",
    "admin": "Pages of the admin, with 1,000,000 executions and 1,000 tasks",
    "keys": "Tasks by program: upserts, and a million tasks",
    "metrics": "A scrape of the metrics with 100,000 tasks, and counting",
    "schedules": "CPU time of schedules and plans",
}
IN_ROUNDS = {"lateness", "throughput", "cost", "rest"}
"""Those that run the systems in turn, several times, and give medians."""
ONE_BY_ONE = {"cost": [[], ["--busy"]], "admin": [["--database", "postgres"], ["--database", "sqlite"]]}
"""Arguments with which one is run again and again."""
SMALLEST = {
    "lateness": [["--rounds=1", "--counts=3", "--seconds=0", "--systems=limit,ours"]],
    "throughput": [["--rounds=1", "--count=20", "--single=2", "--systems=limit,ours redis,django-q2 orm"]],
    "cost": [["--rounds=1", "--count=20", "--systems=limit,ours redis,django-q2 redis"]],
    "idle": [["--tasks=10", "--seconds=3"]],
    "rest": [["--rounds=1", "--seconds=0.05", "--executions=200"]],
    "admin": [[*which, "--executions=20000", "--tasks=120", "--rounds=1"] for which in ONE_BY_ONE["admin"]],
    "keys": [["--tasks=400", "--upserts=200", "--due=20", "--rounds=1"]],
    "metrics": [["--tasks=100", "--ended=100", "--rounds=1"]],
    "schedules": [["--tasks=100", "--days=2"]],
}
"""Arguments with which each is over in seconds."""
VERSIONS = ("django", "djangorestframework", "django-q2", "psycopg", "redis", "gunicorn", "celery")


def run(name: str, options: argparse.Namespace) -> str:
    """Run the benchmark *name*, show what it prints, and return it.

    Raises:
        SystemExit: It failed.
    """
    print(f"\n## {TITLES[name]}\n", flush=True)
    began = time.monotonic()
    parts = [
        _run([sys.executable, "-m", f"benchmarks.{name}", *more], name, options) for more in ONE_BY_ONE.get(name, [[]])
    ]
    print(f"benchmarks.{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return "\n".join(parts)


def _run(command: list[str], name: str, options: argparse.Namespace) -> str:
    if options.quick and name != "schedules":
        command.append("--quick")
    elif name in IN_ROUNDS:
        command += ["--rounds", str(options.rounds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    if process.wait():
        sys.exit(f"benchmarks.{name} failed.")
    return "".join(lines)


def smoke(names: list[str]) -> int:
    """Run *names* side by side, as small as they get; say how long each took, and return 1 if one has failed."""
    jobs = [(name, arguments) for name in names for arguments in SMALLEST[name]]
    jobs.sort(key=lambda job: job[0] != "idle")  # it waits most of its time
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1) as pool:
        passed = list(pool.map(lambda job: _passes(*job), jobs))
    print("The figures of a smoke test are worth nothing, so they are not shown.")
    return 0 if all(passed) else 1


def _passes(name: str, arguments: list[str]) -> bool:
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    environment = os.environ | {"BENCH_SECONDS": "0.01"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    has_table = bool(done.stdout.strip())
    said = "ok" if done.returncode == 0 and has_table else f"FAILED\n{done.stdout}{done.stderr}"
    print(f"{name} {' '.join(arguments)}: {time.monotonic() - began:.0f} s, {said}", flush=True)
    return done.returncode == 0 and has_table


def machine() -> str:
    """Return a table of what all of it ran on."""
    found = {"Processor": f"{processor()} ({os.cpu_count()} cores)", "Linux": platform.release()}
    found |= {"Python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed, not measured"
    rows = "\n".join(f"| {name} | {value} |" for name, value in found.items())
    return f"| | |\n|---|---|\n{rows}\n"


def commit() -> str:
    """Return what stands after the date: the commit that was measured, where there is git."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return f" at commit {done.stdout.strip()}" if done.returncode == 0 else ""


def main() -> int:
    """Run them, and keep the results of a full run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="only show that each starts and ends; nothing is kept")
    parser.add_argument("--quick", action="store_true", help="short rounds and small tables; nothing is kept")
    parser.add_argument("--only", default=",".join(TITLES), help="which, separated by commas (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken (default: 3)")
    options = parser.parse_args()
    if options.smoke:
        return smoke(options.only.split(","))
    began = time.monotonic()
    parts = {name: run(name, options) for name in options.only.split(",")}
    if options.quick or set(parts) != set(TITLES):
        return 0
    minutes = (time.monotonic() - began) / 60
    sections = "\n".join(
        f"## {TITLES[name]}\n\n`python -m benchmarks.{name}`\n\n{text}" for name, text in parts.items()
    )
    (HERE / "lateness.svg").write_text(draw(parts["lateness"]))
    (HERE / "RESULTS.md").write_text(
        f"# Results\n\nOf one run of `make bench` on {datetime.now(UTC):%Y-%m-%d}{commit()}, {minutes:.0f} minutes,"
        f" medians of {options.rounds} rounds. The limit is"
        " a bare loop of psycopg and redis-py: a row written when queued, started and finished, nothing else.\n\n"
        f"{machine()}\n![Lateness by system, on a logarithmic scale](lateness.svg)\n\n{sections}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
