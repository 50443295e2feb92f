"""``manage.py check_health``: whether all is well, for probes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from django_scheduled_tasks.db.migrated import why_not_migrated
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import PresenceKind
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.services.alerts.health import examine
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.scheduling import presence

NOT_WELL, UNKNOWN = 1, 3
PROCESSES = {"scheduler", "worker", "web"}


class Command(BaseCommand):
    """Print what is wrong; the exit code says whether anything is."""

    help = (
        "Say whether the installation is well, or with arguments whether the named processes of this host are: a"
        " scheduler or workers are well if they have said lately that they are there, a web process if the database has"
        " the tables that it needs. The exit code is 0 if all is well, 1 if not, 3 if the database does not answer."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "process", nargs="*", metavar="scheduler|worker|web", help="which processes of this host; none: the whole"
        )
        parser.add_argument("--queue", help="with worker: those of this queue; '' is the default one")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print it, and exit."""
        if unknown := sorted({*options["process"]} - PROCESSES):
            raise CommandError(f"{', '.join(unknown)}: it is one of {', '.join(sorted(PROCESSES))}.")
        try:
            wrong = list(_wrong(options["process"], options["queue"]))
        except (DatabaseError, InterfaceError) as exc:
            self.stderr.write(on_one_line(f"The database does not answer: {exc}"))
            sys.exit(UNKNOWN)
        for sentence in wrong:
            self.stderr.write(on_one_line(sentence))
        if wrong:
            sys.exit(NOT_WELL)
        self.stdout.write("All is well.")


def _wrong(processes: list[str], queue: str | None) -> Iterator[str]:
    if why := why_not_migrated():
        yield why
        return
    if not processes:
        yield from (problem.message for problem in examine().problems)
        return
    for name in sorted({*processes} - {"web"}):
        # In a copy of a database they do not say that they are there, and have nothing to do.
        if not presence.is_here(PresenceKind(name), queue=queue if name == "worker" else None) and not is_held():
            yield f"No {name} of this host, {HOST}, has been seen lately."
