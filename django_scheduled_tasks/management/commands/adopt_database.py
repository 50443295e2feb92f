"""``manage.py adopt_database``: say that this is where the database is at home."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import refuse
from django_scheduled_tasks.models import ScheduledTask, write_alias
from django_scheduled_tasks.services.adoption import adopt, is_ambiguous, waiting_here
from django_scheduled_tasks.services.installation.state import look, settle_in
from django_scheduled_tasks.services.installation.words import why


class Command(ScheduledTasksCommand):
    """Parse the arguments, ask, adopt."""

    help = (
        "Let tasks run by schedule in a database that was taken for a copy, or that was held after a gap. In a copy,"
        " what was waiting never starts, and schedules count from now. With --same all goes on as after a downtime."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--environment", metavar="NAME", help="the environment's name; it has to be that of the setting ENVIRONMENT"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--copy", action="store_true", help="it is a copy: what was waiting in it never starts here")
        what.add_argument(
            "--same",
            action="store_true",
            help="it is no copy: it has moved, got another SECRET_KEY or a name, or is production from a backup",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_args: Any, environment: str | None, copy: bool, same: bool, yes: bool, **_options: Any) -> None:
        """Say what is held and why, ask, and adopt."""
        settle_in()
        found = look()
        if not found.is_held:
            self.stdout.write("The database is at home here already; nothing was changed.")
            return
        if is_ambiguous(found) and not copy and not same:
            raise CommandError(
                "Nothing but the name is new. Say which it is: --same (this installation has got a name), or --copy."
            )
        tasks = ScheduledTask.objects.using(write_alias()).scheduled().count()
        self.stdout.write(f"Nothing runs by schedule here. {why(found)}")
        self.stdout.write(f"From now on {tasks} tasks run here by schedule.")
        if not same:
            self.stdout.write(f"{waiting_here()} executions that were waiting in the copy never start.")
        if not yes and input("Type yes to go on: ").strip().casefold() != "yes":
            raise CommandError("Nothing was changed.")
        name = get_settings().ENVIRONMENT if environment is None else environment
        try:
            done = adopt(environment=name, is_same=same)
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=False)
        self.stdout.write(f"Adopted{f' as {done.environment}' if done.environment else ''}.")
        self.stdout.write(f"{done.skipped} copied executions were skipped, {done.lost} had been running.")
