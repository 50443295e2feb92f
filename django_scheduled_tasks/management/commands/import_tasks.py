"""``manage.py import_tasks``: take over the tasks of another scheduler, or of another environment."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.moving import registered_sources


class Command(ScheduledTasksCommand):
    """Parse the arguments, and let the source do it."""

    help = "Take over the tasks of another scheduler. Writes nothing without --apply."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add a subcommand for each source."""
        chosen = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
        for name, source in sorted(registered_sources().items()):
            source.add_arguments(chosen.add_parser(name, help=source.help, description=source.help))

    def handle(self, *_args: Any, source: str, **options: Any) -> None:
        """Import."""
        try:
            code = registered_sources()[source].run(options, self.stdout)
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        if code:
            sys.exit(code)
