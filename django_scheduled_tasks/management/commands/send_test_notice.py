"""``manage.py send_test_notice``: does what alerts come by arrive?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.models import Channel, write_alias
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.alerts.telling.outbox import send_test


class Command(ScheduledTasksCommand):
    """Send a test to channels; the exit code is 1 if one did not take it."""

    help = "Send a test by each channel, or by those that are named, and print what each answered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("channel", nargs="*", help="names of channels; none: all that are switched on")

    def handle(self, *_args: Any, channel: list[str], **_options: Any) -> None:
        """Send."""
        rows = Channel.objects.using(write_alias()).order_by("name", "pk")
        chosen = list(rows.filter(name__in=channel) if channel else rows.filter(enabled=True))
        if missing := sorted({*channel} - {row.name for row in chosen}):
            raise CommandError(on_one_line(f"There is no channel called {', '.join(missing)}."))
        if not chosen:
            raise CommandError("There is no channel.")
        failed = False
        for row in chosen:
            try:
                said = send_test(row)
            except NotDelivered as exc:
                said, failed = f"not taken: {exc}", True
            self.stdout.write(on_one_line(f"{row.name}: {said}"))
        if failed:
            sys.exit(1)
