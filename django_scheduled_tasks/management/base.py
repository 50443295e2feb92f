"""What all commands share."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from django_scheduled_tasks.models import Way
from django_scheduled_tasks.services.door import through, user_and_host


class ScheduledTasksCommand(BaseCommand):
    """A command of ours: whatever it does is recorded as done through it."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Do what Django does, with the name of the command and who calls it at hand."""
        with through(Way.COMMAND, type(self).__module__.rpartition(".")[2], user_and_host()):
            return super().execute(*args, **options)
