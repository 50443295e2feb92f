"""``manage.py list_alerts``: what is wrong now."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import Alert, write_alias
from django_scheduled_tasks.printable import on_one_line, printable_json
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from django_scheduled_tasks.services.alerts.telling.sender import Sender
from django_scheduled_tasks.services.alerts.telling.wording import kind_name, sentence, where
from django_scheduled_tasks.services.installation.state import is_held


class Command(BaseCommand):
    """Print the alerts; the exit code is 1 if one is open."""

    help = "List the open alerts, newest first. The exit code is 1 if there is one, for scripts and probes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--all", action="store_true", help="those that are over as well, at most 1,000")
        parser.add_argument("--json", action="store_true", help="print a JSON array")
        parser.add_argument(
            "--look",
            action="store_true",
            help="look and tell first, as a scheduler does: from cron it tells that no scheduler runs",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print them."""
        if options["look"]:
            _look()
        alerts = Alert.objects.using(write_alias())
        rows: QuerySet[Alert] = alerts.order_by("-id") if options["all"] else alerts.open().order_by("-id")
        shown = list(rows[:1_000])
        if options["json"]:
            self.stdout.write(printable_json([_facts(row) for row in shown], indent=2))
        for row in [] if options["json"] else shown:
            since = iso_milliseconds(row.opened_at)
            self.stdout.write(on_one_line(f"#{row.pk}  {since}  {kind_name(row.kind)}  {where(row)}  {sentence(row)}"))
        if any(row.is_open for row in shown) or alerts.open().exists():
            sys.exit(1)
        if not shown and not options["json"]:
            self.stdout.write("Nothing is open.")


def _look() -> None:
    """Decide and send once, unless the database is a copy, of which nobody is told anything."""
    if is_held():
        return
    sender = Sender()
    Watch(is_scheduler=False).look()
    sender.send_due()
    sender.close(within=get_settings().ALERT_TIMEOUT.total_seconds())


def _facts(row: Alert) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "taskName": row.task_name,
        "queue": row.queue,
        "openedAt": iso_milliseconds(row.opened_at),
        "closedAt": iso_milliseconds(row.closed_at) if row.closed_at else None,
        "count": row.count,
        "sentence": sentence(row),
    }
