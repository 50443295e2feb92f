"""``manage.py resume_task``: let the schedule of a paused task go on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Replay
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.starting.resume import due_meanwhile, resume_task


class Command(ScheduledTasksCommand):
    """Parse the arguments, and resume."""

    help = "Let the schedule of a paused task go on, and say what becomes of the runs that were due meanwhile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("task", help="its name or id")
        parser.add_argument(
            "--replay",
            choices=[str(item) for item in Replay],
            default=str(Replay.FROM_NOW),
            help="run the latest, or all of at most 1,000, one after the other; default: none of them",
        )
        parser.add_argument("--reason", default="", help="why; recorded")

    def handle(self, *_args: Any, task: str, replay: str, reason: str, **_options: Any) -> None:
        """Resume it."""
        try:
            row, now = get_task(task), read_now()
            if not row.is_paused(now):
                self.stdout.write(on_one_line(f"{row.name} is not paused."))
                return
            due = due_meanwhile(row, now=now)
            resume_task(row, replay=Replay(replay), reason=reason)
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        count = 0 if due is None else due.count
        starts = {Replay.FROM_NOW: 0, Replay.LATEST: min(count, 1), Replay.ALL: count}[Replay(replay)]
        self.stdout.write(on_one_line(f"{row.name} goes on. {count} runs were due meanwhile; {starts} of them start."))
