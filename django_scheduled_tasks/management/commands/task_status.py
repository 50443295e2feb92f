"""``manage.py task_status``: where an execution is."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.management.output import refuse, show, wait_for
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.queries.lookup import get_execution


class Command(BaseCommand):
    """Parse the arguments, find the execution, print its status."""

    help = "Say where an execution is. The exit code is 1 if there is none, or if it ended without success."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("tracking_id", help="its tracking id")
        parser.add_argument("--wait", action="store_true", help="wait for its end")
        parser.add_argument("--json", action="store_true", help="print the envelope of the REST API")

    def handle(self, *_args: Any, tracking_id: str, wait: bool, json: bool, **_options: Any) -> None:
        """Print the status, and wait for the end if asked to."""
        try:
            execution = get_execution(tracking_id)
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=json)
        info = ExecutionInfo.of(execution, with_traceback=True)
        if wait:
            info = wait_for(self, info)
        show(self, info, as_json=json)
        if info.status == Status.ERRORS:
            sys.exit(1)
