"""``manage.py runscheduler``: start due tasks on time."""

from __future__ import annotations

import gc
import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.alias import write_alias
from django_scheduled_tasks.db.limits import limit_connecting
from django_scheduled_tasks.db.migrated import why_not_migrated
from django_scheduled_tasks.exceptions import HeldCopy
from django_scheduled_tasks.scheduler.loop import Loop
from django_scheduled_tasks.scheduler.supervisor import ClusterSupervisor
from django_scheduled_tasks.scheduler.tick import Done

CONNECT_WITHIN = 5.0
"""Seconds in which a connection to the database is to be made."""


class Command(BaseCommand):
    """Parse arguments, run the loop."""

    help = (
        "Start scheduled tasks when they are due. Any number of schedulers may run, on any number of hosts; each due"
        " time still runs once. Workers are started by 'manage.py qcluster', or by --with-cluster."
    )

    # Those of URLs and templates would import all that serves pages, a quarter of the memory of this process.
    requires_system_checks = (Tags.compatibility, Tags.models)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--with-cluster",
            action="store_true",
            help="also start qcluster and start it again when it dies: one command is a whole installation",
        )
        parser.add_argument("--once", action="store_true", help="handle what is due now, then exit")

    def handle(self, *_args: Any, with_cluster: bool, once: bool, verbosity: int, **_options: Any) -> None:
        """Run until SIGTERM or SIGINT; a second one does not wait for what the cluster still runs."""
        if why := why_not_migrated():
            raise CommandError(why)
        loop = Loop(on_pass=self._report if verbosity >= 2 else lambda _done: None)  # noqa: PLR2004  (Django's levels)
        if once:
            try:
                done = loop.once()
            except HeldCopy as exc:
                raise CommandError(exc.message) from exc
            self.stdout.write(f"{done.tasks} tasks were due, {done.executions} executions recorded, {done.sent} sent.")
            return

        cluster = ClusterSupervisor() if with_cluster else None

        asked = False

        def stop(_signal: int, _frame: FrameType | None) -> None:
            nonlocal asked
            if asked and cluster:
                cluster.kill()
            asked = True
            loop.stop()

        limit = get_settings().DATABASE_TIMEOUT.total_seconds()
        limit_connecting(write_alias(), CONNECT_WITHIN, answer=limit)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if cluster:
            cluster.start()
        if verbosity:
            self.stdout.write("Scheduler is running. Stop it with Ctrl-C.")
            self.stdout.flush()  # it may be a pipe
        # All that is imported by now stays: the garbage collector need not look at it again in the middle of a pass.
        gc.freeze()
        try:
            loop.run()
        finally:
            if cluster:
                cluster.stop()
        if verbosity:
            self.stdout.write("Scheduler has stopped.")

    def _report(self, done: Done) -> None:
        self.stdout.write(
            f"{done.tasks} tasks due, {done.executions} executions recorded, {done.sent} sent, {done.lost} lost leases"
        )
