"""``manage.py explain_task``: why a task ran, or did not run, at an instant."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.printable import on_one_line, printable_json
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import read_when
from django_scheduled_tasks.services.queries.lookup import get_task


class Command(BaseCommand):
    """Parse the arguments, and say why."""

    help = "Say in one sentence why a task ran, or did not run, at an instant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("name", help="name of the task (whatever its case), or its id")
        parser.add_argument(
            "--at",
            required=True,
            help="02:00 (the last one, in the task's zone), 2026-03-29 02:30, or ISO 8601 such as 2026-03-29T00:30:00Z",
        )
        parser.add_argument("--json", action="store_true", help="print kind, sentence and facts as JSON")

    def handle(self, *_args: Any, name: str, at: str, json: bool, **_options: Any) -> None:
        """Say it."""
        try:
            task = get_task(name)
            found = explain(task, read_when(at, timezone=task.timezone, now=read_now()))
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=json)
        if json:
            self.stdout.write(printable_json(found.as_dict(), indent=2))
            return
        self.stdout.write(on_one_line(found.sentence))
        for fact, value in found.facts.items():
            self.stdout.write(on_one_line(f"  {fact.replace('_', ' ')}: {value}"))
