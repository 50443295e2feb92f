"""Two releases of this app, for tests of deploys: ``SCHEDULED_TASKS_TEST_RELEASE`` says which one a process runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django_scheduled_tasks import every, scheduled_task
from django_scheduled_tasks.services.scheduling import left

RELEASE = os.environ.get("SCHEDULED_TASKS_TEST_RELEASE", "")
if seconds := os.environ.get("SCHEDULED_TASKS_TEST_UNKNOWN_FOR"):
    left.UNKNOWN_FOR = float(seconds)
    left.LEAVE_FOR = 0.5


def _append(path: str, text: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{text} {time.time()}\n")


if RELEASE == "old":

    @scheduled_task
    def changing(path: str) -> None:
        """Takes one parameter."""
        _append(path, "old")


if RELEASE == "new":

    @scheduled_task
    def changing(path: str, text: str = "") -> None:
        """Takes one more."""
        _append(path, f"new {text}")

    @scheduled_task
    def only_new(path: str) -> None:
        """Is not in the old release."""
        _append(path, "only new")

    @scheduled_task(name="declared-by-new", schedule=every("1s"))
    def declared() -> None:
        """Is declared in the new release only."""
