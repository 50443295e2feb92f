"""The processes that a benchmark starts and ends."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

QUEUE = "bench"
"""What the clusters of workers are called, followed by the system."""


@contextmanager
def processes(*commands: str, system: str, settle: float = 4) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run modules with their arguments within the block, which begins after *settle* seconds."""
    environment = os.environ | {"BENCH_SYSTEM": system, "SCHEDULED_TASKS_TEST_CLUSTER": f"{QUEUE}-{system}"}
    started = [
        # What they say goes beside the table, not into it.
        subprocess.Popen(
            [sys.executable, "-m", *command.split()], env=environment, stdout=sys.stderr, start_new_session=True
        )
        for command in commands
    ]
    try:
        time.sleep(settle)
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


@contextmanager
def scheduler_of_ours(*, enabled: bool) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run our scheduler within the block, if *enabled*."""
    with processes("django runscheduler", system="ours") if enabled else nullcontext([]) as started:
        yield started


@contextmanager
def competing(*, enabled: bool) -> Iterator[None]:
    """Keep one core busy with something else within the block, if *enabled*."""
    if not enabled:
        yield
        return
    process = multiprocessing.get_context("fork").Process(target=_burn, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()


def _burn() -> None:
    while True:
        pass


def cpu_seconds(pid: int, *, ended: bool = False) -> float:
    """Return the CPU time that a process has used, by ``/proc``.

    Args:
        pid: Which.
        ended: Count the processes that it has started, and that have ended, as well.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def busy_seconds(pid: int) -> float:
    """Return the same more exactly, of the threads that have not ended: for processes that do next to nothing."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9


def proportional_memory(pid: int) -> float:
    """Return the memory of a process in MiB; of what it shares with others only its part (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def family(pid: int) -> list[int]:
    """Return the process and all that it started."""
    found = [pid]
    for parent in found:  # which grows meanwhile
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        found += map(int, children)
    return found


def families(started: Iterable[subprocess.Popen[bytes]]) -> list[int]:
    """Return the ids of *started* and of all that they started."""
    return [pid for process in started for pid in family(process.pid)]
