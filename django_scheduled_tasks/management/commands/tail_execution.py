"""``manage.py tail_execution``: follow an execution."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.management.output import follow, refuse, show, wait_for
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.queries.lookup import get_execution


class Command(BaseCommand):
    """Parse the arguments, find the execution, print its log while it grows."""

    help = (
        "Print the log of an execution until it ends, and then how it ended. The exit code is 1 if there is none, or if"
        " it ended without success."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("tracking_id", help="its tracking id")

    def handle(self, *_args: Any, tracking_id: str, **_options: Any) -> None:
        """Follow it, and print where it is then."""
        try:
            execution = get_execution(tracking_id)
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        follow(self, execution, as_json=False)
        info = wait_for(self, ExecutionInfo.of(execution, with_traceback=True), timedelta(0))
        show(self, info, as_json=False)
        if info.status == Status.ERRORS:
            sys.exit(1)
