"""``import_tasks json``: what ``export_tasks`` wrote in another environment, as a plan first."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError, OutputWrapper

from django_scheduled_tasks.carrying import Act, Plan, apply_plan, make_plan
from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.json_checks import read_json
from django_scheduled_tasks.moving.source import Source, register_source
from django_scheduled_tasks.printable import on_one_line, printable_json

SOMETHING_TO_DO = 2
_SIGNS = {Act.CREATE: "+", Act.UPDATE: "~", Act.DELETE: "-"}
_MOST_BYTES = 64 * 1024 * 1024


@register_source
class JsonFile(Source):
    """An export of this app."""

    name = "json"
    help = "what export_tasks wrote; shows a plan, and exits with 2 if there is something to do"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, and what to do."""
        parser.add_argument("file", help="- for standard input")
        parser.add_argument("--apply", action="store_true", help="do it, in one transaction")
        parser.add_argument("--prune", action="store_true", help="delete tasks that the file does not have")
        parser.add_argument("--tag", action="append", default=[], dest="tags", help="prune only tasks with it")
        parser.add_argument("--reason", default="", help="why; recorded with each change")

    def run(self, options: Mapping[str, Any], out: OutputWrapper | TextIO) -> int:
        """Show the plan, and apply it if asked to."""
        try:
            plan = make_plan(_document(options["file"]), prune=options["prune"], tags=options["tags"])
            say(plan, out)
            if options["apply"] or plan.errors:
                apply_plan(plan, reason=options["reason"])  # it refuses what has errors
        except InvalidInput as exc:
            lines = [on_one_line(f"{error.field}: {error.message}") for error in exc.errors]
            raise CommandError("\n".join(lines)) from None
        if not options["apply"]:
            return 0 if plan.is_empty else SOMETHING_TO_DO
        out.write("Nothing to do.\n" if plan.is_empty else "Applied.\n")
        return 0


def _document(name: str) -> Any:
    try:
        if name == "-":
            text = sys.stdin.read(_MOST_BYTES + 1)
        else:
            with Path(name).open(encoding="utf-8") as file:
                text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise CommandError(f"{name} is larger than {_MOST_BYTES // 1024**2} MB.")
        return read_json(text)
    except (OSError, ValueError) as exc:
        raise CommandError(f"{name} cannot be read: {exc}") from None


def say(plan: Plan, out: OutputWrapper | TextIO) -> None:
    """Write what *plan* would do: a line for each task, one for each field, and the numbers."""
    for item in plan.items:
        if item.act == Act.UNCHANGED:
            continue
        out.write(f"{_SIGNS[item.act]} {on_one_line(item.name)}\n")
        for name, (before, after) in item.changes.items():
            if item.act == Act.CREATE:
                out.write(f"    {name}: {printable_json(after)}\n")
            else:
                out.write(f"    {name}: {printable_json(before)} -> {printable_json(after)}\n")
    counted = [f"{plan.count(act)} to {act}" for act in (Act.CREATE, Act.UPDATE, Act.DELETE)]
    out.write(f"{', '.join(counted)}, {plan.count(Act.UNCHANGED)} unchanged.\n")
