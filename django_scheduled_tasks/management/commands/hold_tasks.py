"""``manage.py hold_tasks``: let nothing new start, and wait until what runs has ended."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from django_scheduled_tasks.exceptions import InvalidSchedule, ScheduledTasksError
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.models import Hold, HoldScope, read_now
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.schedules import parse_duration
from django_scheduled_tasks.services.queries.holds import Running, still_running
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.tasks.holds import hold

LOOK_EVERY = 0.5
"""Seconds between two looks at what still runs. A claim under way when the hold began is seen by the second one."""


class Command(ScheduledTasksCommand):
    """Parse the arguments, hold, and wait if asked to."""

    help = (
        "Let nothing new start: of all tasks, a queue, a tag or a task. What runs goes on. With --drain the exit code"
        " is 0 as soon as nothing of it runs any more, and 1 if something still does then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--all", action="store_true", help="everything; the default")
        what.add_argument("--queue", help="the tasks of this queue")
        what.add_argument("--tag", help="the tasks with this tag")
        what.add_argument("--task", help="this task, by its name or id")
        parser.add_argument("--reason", required=True, help="why; shown on every page of the admin")
        parser.add_argument("--until", metavar="DURATION", help="end it by itself after so long, e.g. 90s or 2h")
        parser.add_argument("--drain", metavar="SECONDS", type=float, help="wait so long for the end of what runs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Hold, and wait if asked to."""
        try:
            row = hold(**_what(options), reason=options["reason"], until=_until(options["until"]))
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        self.stdout.write(f"Hold {row.pk}: nothing new starts. End it: manage.py release_tasks {row.pk}")
        if options["drain"] is None:
            return
        if running := _drain(row, options["drain"]):
            for one in running:
                self.stderr.write(on_one_line(f"Execution #{one.number} of {one.task} still runs on {one.worker}."))
            sys.exit(1)
        self.stdout.write("Nothing of it runs any more.")


def _what(options: dict[str, Any]) -> dict[str, Any]:
    if options["queue"] is not None:
        return {"scope": HoldScope.QUEUE, "queue": options["queue"]}
    if options["tag"] is not None:
        return {"scope": HoldScope.TAG, "tag": options["tag"]}
    if options["task"] is not None:
        return {"scope": HoldScope.TASK, "task": get_task(options["task"])}
    return {"scope": HoldScope.ALL}


def _until(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return read_now() + max(parse_duration(text), timedelta(0))
    except (InvalidSchedule, OverflowError) as exc:
        raise CommandError(f"--until: {exc}") from exc


def _drain(row: Hold, seconds: float) -> list[Running]:
    """Wait until two looks in a row find nothing that runs, or the time is up; return what then still does."""
    deadline, empty = time.monotonic() + seconds, 0
    while True:
        running = list(still_running(row))
        empty = 0 if running else empty + 1
        if empty > 1 or (running and time.monotonic() >= deadline):
            return running
        time.sleep(LOOK_EVERY)
