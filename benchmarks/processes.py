"""The processes that a benchmark starts and ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
