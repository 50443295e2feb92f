"""``manage.py export_tasks``: the definitions of tasks as JSON, for another environment."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from django_scheduled_tasks.carrying import export_document
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.models import ScheduledTask


class Command(ScheduledTasksCommand):
    """Print the document."""

    help = (
        "Print the definitions of tasks as JSON, to be read by import_tasks json in another environment. Names in place"
        " of ids; no people, no state, no history; secrets are masked. Tasks of an owner, and those that are as the"
        " code declares them, are left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument(
            "--tag", action="append", default=[], dest="tags", help="only tasks with it; may be repeated"
        )
        parser.add_argument("--output", metavar="FILE", help="where to write it; default: standard output")

    def handle(self, *_args: Any, tags: list[str], output: str | None, **_options: Any) -> None:
        """Export."""
        rows = [row for row in ScheduledTask.objects.all() if not tags or set(tags) & set(row.tags)]
        document = export_document(rows)
        text = json.dumps(document, indent=2, ensure_ascii=False)
        if output is None:
            self.stdout.write(text)
        else:
            try:
                Path(output).write_text(f"{text}\n", encoding="utf-8")
            except OSError as exc:
                raise CommandError(f"{output} cannot be written: {exc}") from None
        count, left = len(document["tasks"]), len(rows) - len(document["tasks"])
        tasks = "task" if count == 1 else "tasks"
        self.stderr.write(f"{count} {tasks} exported; {left} left out (of an owner, or as declared in code).")
