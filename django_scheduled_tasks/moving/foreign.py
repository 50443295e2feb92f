"""What all sources that are other schedulers share: the options, the report, and writing."""

from __future__ import annotations

from abc import abstractmethod
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, TextIO

from django.core.management.base import OutputWrapper

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.moving.compare import Verdict
from django_scheduled_tasks.moving.functions import FunctionMap, stubs
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.names import without_secrets
from django_scheduled_tasks.moving.plan import Act, Item, make_plan
from django_scheduled_tasks.moving.source import Source
from django_scheduled_tasks.moving.write import apply, undo
from django_scheduled_tasks.printable import on_one_line, printable
from django_scheduled_tasks.schedules import format_duration

Out = OutputWrapper | TextIO
_EXTRAS = frozenset(
    {
        *("starts_at", "ends_at", "max_runs", "queue", "expires_after", "timeout", "grace", "spread", "overlap"),
        *("catch_up", "contact"),
    }
)
"""Columns that are shown beside the schedule."""


class ForeignSource(Source):
    """Another scheduler, whose tasks can be moved in."""

    stop: ClassVar[str]
    """How the old one is switched off: a sentence."""
    remarks: ClassVar[tuple[str, ...]] = ()
    """What is another thing here for all of its tasks: sentences."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options that all have."""
        parser.add_argument("--apply", action="store_true", help="write; without it nothing is written")
        parser.add_argument("--map", metavar="FILE", help='TOML: "path.that.ran" = "app.function", or false')
        parser.add_argument(
            "--accept", metavar="NAME", action="append", default=[], help="its difference or loss is all right"
        )
        parser.add_argument(
            "--accept-clock-changes", action="store_true", help="so are all that differ at clock changes only"
        )
        parser.add_argument("--undo", action="store_true", help="delete what was moved in and not touched since")

    @abstractmethod
    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Return the tasks of the old scheduler.

        Raises:
            CommandError: They cannot be read.
        """

    def run(self, options: Mapping[str, Any], out: Out) -> int:
        """Report, and write if ``--apply`` is given."""
        if options["undo"]:
            self._undo(options, out)
            return 0
        items = make_plan(self.rows(options), FunctionMap.read(options["map"]), source=self.name)
        self._report(items, out)
        if not options["apply"]:
            out.write("Nothing has been written. With --apply it is; tasks are created paused.\n")
            return 0
        apply(items, source=self.name, accepted=options["accept"], clock_changes=options["accept_clock_changes"])
        out.write(f"Written. Now {self.stop}, then: manage.py resume_tasks --imported {self.name}\n")
        return 0

    def _report(self, items: list[Item], out: Out) -> None:
        for item in items:
            _show(item, out)
        if missing := [item.row for item in items if item.bound.is_missing and not item.row.cannot]:
            out.write(
                f"\nNo function is registered for {len(missing)} of them. Paste this into a tasks.py, or use --map:\n\n"
            )
            out.write("\n".join(f"    {line}".rstrip() for line in printable(stubs(missing)).split("\n")) + "\n")
        verdicts, acts = Counter(item.verdict for item in items), Counter(item.act for item in items)
        counted = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict])
        written = ", ".join(f"{acts[act]} {act}" for act in Act if acts[act])
        out.write(
            f"\n{len(items)} tasks of {self.name}: {counted or 'none'}" + (f" ({written})" if written else "") + ".\n"
        )
        for remark in self.remarks if items else ():
            out.write(f"{remark}\n")

    def _undo(self, options: Mapping[str, Any], out: Out) -> None:
        found = undo(self.name, is_dry_run=not options["apply"])
        for task in found.deleted:
            out.write(on_one_line(f"deleted   {task.name}") + "\n")
        for task, why in found.kept:
            out.write(on_one_line(f"kept      {task.name}: {why}") + "\n")
        said = "deleted" if options["apply"] else "would be deleted (with --apply)"
        out.write(f"{len(found.deleted)} tasks {said}, {len(found.kept)} kept.\n")


def _show(item: Item, out: Out) -> None:
    row, reading = item.row, item.row.reading
    head = f"{item.verdict:<8} {item.act:<9} {item.name}"
    if item.name != row.name:
        head += f" (was: {row.name})"
    out.write(on_one_line(head) + "\n")
    if reading is not None:
        schedule = " ".join(filter(None, [reading.kind, reading.expression.replace("\n", ", "), reading.timezone]))
        what = item.bound.function or f"no function for: {without_secrets(row.target)}"
        out.write(on_one_line(f"         {schedule} → {what}") + "\n")
    if extras := [f"{name}={_shown(value)}" for name, value in row.columns().items() if _tells(name, value)]:
        out.write(on_one_line(f"         {' '.join(extras)}") + "\n")
    if row.values.get("enabled") is False:
        out.write("         It is switched off.\n")
    for text in [*item.sentences, *(reading.notes if reading else ()), *row.notes]:
        out.write(on_one_line(f"         {text}") + "\n")


def _tells(name: str, value: Any) -> bool:
    return name in _EXTRAS and bool(value) and value != getattr(ScheduledTask(), name)


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)
