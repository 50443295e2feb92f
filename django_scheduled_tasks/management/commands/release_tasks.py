"""``manage.py release_tasks``: end holds."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.queries.holds import get_hold, lasting
from django_scheduled_tasks.services.tasks.holds import release


class Command(ScheduledTasksCommand):
    """Parse the arguments, and release."""

    help = "End holds: what was due meanwhile is caught up as after a downtime, and what waits starts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("hold", nargs="*", type=int, help="numbers of holds, as hold_tasks says; none: all holds")
        parser.add_argument("--reason", help="only those with this reason, word for word")

    def handle(self, *_args: Any, hold: list[int], reason: str | None, **_options: Any) -> None:
        """Release them."""
        try:
            rows = [get_hold(number) for number in hold] if hold else list(lasting())
            rows = [row for row in rows if reason is None or row.reason == reason]
            for row in rows:
                release(row)
                self.stdout.write(on_one_line(f"Released hold {row.pk}: {row.reason}"))
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        if not rows:
            self.stdout.write("Nothing is held.")
