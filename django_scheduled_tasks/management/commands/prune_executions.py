"""``manage.py prune_executions``: delete executions that need not be kept."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.scheduling.retention import Pruned, prune_steps


class Command(ScheduledTasksCommand):
    """Parse the arguments, prune, print what was deleted."""

    help = (
        "Delete executions that need not be kept: of each task all but the last ones, and what is too old. Open"
        " executions and the last success and failure of a task are never deleted. The scheduler does this by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--dry-run", action="store_true", help="only say how many would be deleted")

    def handle(self, *_args: Any, dry_run: bool, verbosity: int, **_options: Any) -> None:
        """Delete in batches, and say how many of each task."""
        pruned = Pruned()
        for name, count in prune_steps(dry_run=dry_run):
            pruned.add(name, count)
            if count and verbosity > 1:
                self.stdout.write(f"… {pruned.total}")
        for name, count in sorted(pruned.by_task.items()):
            self.stdout.write(f"{count:>8}  {on_one_line(name) or '(deleted tasks)'}")
        verb = "would be deleted" if dry_run else "deleted"
        self.stdout.write(f"{pruned.total:>8}  executions {verb}.")
