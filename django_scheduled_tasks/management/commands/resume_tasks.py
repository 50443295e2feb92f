"""``manage.py resume_tasks --imported``: let all tasks go on that stand still since they were moved in."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.moving.write import resume_moved_in
from django_scheduled_tasks.printable import on_one_line


class Command(ScheduledTasksCommand):
    """Parse the arguments, and resume."""

    help = "Let all tasks go on that import_tasks has created and that nobody has resumed or paused since."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option."""
        parser.add_argument(
            "--imported",
            nargs="?",
            const="",
            required=True,
            metavar="SOURCE",
            help="those of one source, such as celery-beat; without it, of all",
        )

    def handle(self, *_args: Any, imported: str, **_options: Any) -> None:
        """Resume them."""
        try:
            tasks = resume_moved_in(imported or None)
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        for task in tasks:
            self.stdout.write(on_one_line(f"{task.name}: next {task.next_run_at or 'never'}"))
        self.stdout.write(f"{len(tasks)} tasks go on.")
