"""``manage.py skip_task``: leave out runs of a task that are ahead, or take that back."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.queries.explain.when import read_when
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.tasks.skips import skip, undo_skip


class Command(BaseCommand):
    """Parse the arguments, and skip, or undo it."""

    help = "Leave out runs of a task that are ahead; each gets a row that says why. Run once still works."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        written = "2026-03-29 02:30 (in the task's zone) or ISO 8601 such as 2026-03-29T00:30:00Z"
        parser.add_argument("name", help="name of the task (whatever its case), or its id")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--count", type=int, help="the next so many; default: 1")
        what.add_argument("--at", action="append", default=[], help=f"just this one: {written}; may be repeated")
        what.add_argument("--from", dest="start", help="with --to: all between the two, both inclusive")
        parser.add_argument("--to", dest="end", help="the end of that range")
        parser.add_argument("--reason", default="", help="why, for people")
        parser.add_argument("--undo", action="store_true", help="let what is skipped run again; with --at only that")

    def handle(self, *_args: Any, name: str, undo: bool, **options: Any) -> None:
        """Do it, and say what is left out and what starts next."""
        try:
            task = get_task(name)
            at = [_instant(text, task) for text in options["at"]]
            if undo:
                if len(at) > 1 or options["count"] or options["start"]:
                    raise CommandError("--undo goes with one --at, or alone.")
                done = undo_skip(task, at=at[0] if at else None)
            else:
                start, end = (_instant(options[key], task) if options[key] else None for key in ("start", "end"))
                done = skip(task, count=options["count"], at=at, start=start, end=end, reason=options["reason"])
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        word = "Runs again" if undo else "Skips"
        shown = ", ".join(map(iso_milliseconds, done.instants[:5])) + (", …" if done.count > 5 else "")  # noqa: PLR2004
        self.stdout.write(on_one_line(f"{word}: {done.count}{f' ({shown})' if shown else ''}."))
        next_at = iso_milliseconds(done.next_start_at) if done.next_start_at is not None else "none"
        self.stdout.write(f"Next: {next_at}.")


def _instant(text: str, task: ScheduledTask) -> datetime:
    return read_when(text, timezone=task.timezone, now=read_now()).at
