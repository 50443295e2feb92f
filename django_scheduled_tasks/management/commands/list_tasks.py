"""``manage.py list_tasks``: what there is, and when it is due."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import F

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.printable import on_one_line, printable_json
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import describe


class Command(BaseCommand):
    """Print all tasks, the one due next first."""

    help = "List the scheduled tasks, the one that is due next first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--json", action="store_true", help="print a JSON array")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print them."""
        rows = list(ScheduledTask.objects.order_by(F("next_run_at").asc(nulls_last=True), "name_key"))
        if options["json"]:
            self._print_json(rows)
            return
        if not rows:
            self.stdout.write(
                "There are no scheduled tasks yet. Put @scheduled_task(name=…) on a function in tasks.py."
            )
            return
        lines = [tuple(map(on_one_line, (row.name, _state(row), _when(row), row.function))) for row in rows]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        for *columns, function in lines:
            padded = "  ".join(text.ljust(width) for text, width in zip(columns, widths, strict=True))
            self.stdout.write(f"{padded}  {function}")

    def _print_json(self, rows: list[ScheduledTask]) -> None:
        found = [
            {
                "id": str(row.pk),
                "name": row.name,
                "function": row.function,
                "scheduleKind": row.schedule_kind,
                "expression": row.expression,
                "timezone": row.timezone,
                "enabled": row.enabled,
                "nextRunAt": iso_milliseconds(row.next_start_at) if row.next_start_at else None,
                "pauseReason": row.pause_reason,
            }
            for row in rows
        ]
        self.stdout.write(printable_json(found, indent=2))


def _state(row: ScheduledTask) -> str:
    if row.function not in registry.functions():
        return "broken"
    if row.next_start_at is not None:
        return iso_milliseconds(row.next_start_at)
    if not row.enabled:
        return "off"
    return "paused" if row.paused_at is not None else "-"


def _when(row: ScheduledTask) -> str:
    try:
        return describe(row.schedule) or row.expression
    except InvalidSchedule as exc:
        return exc.message
