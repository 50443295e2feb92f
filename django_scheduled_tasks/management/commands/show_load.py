"""``manage.py show_load``: what the coming week will do to the workers."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.planner.load import Worst
from django_scheduled_tasks.printable import on_one_line, printable_json
from django_scheduled_tasks.schedules import format_duration
from django_scheduled_tasks.services.queries.load.as_json import load_json
from django_scheduled_tasks.services.queries.load.week import WeekLoad, week_load

_NAMED = 3


class Command(BaseCommand):
    """Print a table of hours, and the worst minutes."""

    help = "Show how many worker processes are expected to be busy in the coming week, and the worst minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--queue", help="of this queue alone; empty: the default one")
        parser.add_argument("--json", action="store_true", help="print what REST answers")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print them."""
        found = week_load(queue=options["queue"], now=read_now())
        if options["json"]:
            self.stdout.write(printable_json(load_json(found), indent=2))
            return
        for line in _lines(found):
            self.stdout.write(line)


def _lines(found: WeekLoad) -> Iterator[str]:
    there = "an unknown number of" if found.processes is None else str(found.processes)
    yield f"Week from {found.load.days[0]:%a %d %b} ({found.zone}), {there} worker processes, {found.counted} tasks"
    yield "     " + "".join(f"{hour:4}" for hour in range(24))
    for day, cells in zip(found.load.days, found.load.cells, strict=True):
        yield f"{day:%a}  " + "".join("   -" if busy is None else f"{busy:4}" for busy in cells)
    if not found.load.worst:
        yield "No minute needs more than are there."
    for worst in found.load.worst:
        yield on_one_line(_worst(found, worst))


def _worst(found: WeekLoad, worst: Worst) -> str:
    of_all = f" of {found.processes}" if found.processes else ""
    names = found.names(worst.works)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    longest = max((wait for _place, wait in worst.waits), default=timedelta(0))
    waits = f", waits up to {format_duration(longest)}" if longest else ""
    at = f"{timezone.localtime(worst.at):%a %H:%M}"
    return (
        f"{at}  {worst.due} due, {worst.busy}{of_all} busy for {format_duration(worst.over)}{waits}: "
        f"{', '.join(names[:_NAMED])}{more}"
    )
