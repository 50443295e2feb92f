"""``manage.py run_task``: run a task once."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from django_scheduled_tasks.exceptions import InvalidSchedule, ScheduledTasksError
from django_scheduled_tasks.json_checks import NotStorable, read_json
from django_scheduled_tasks.lifecycle import Overlap, Status, Trigger
from django_scheduled_tasks.management.base import ScheduledTasksCommand
from django_scheduled_tasks.management.output import follow, refuse, show, wait_for
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.schedules import parse_duration
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.queries.explain.standing import why_it_is_held
from django_scheduled_tasks.services.queries.lookup import get_execution_of
from django_scheduled_tasks.services.starting.run_once import run_once


class Command(ScheduledTasksCommand):
    """Parse the arguments, call the service, print the outcome."""

    help = (
        "Run a scheduled task once, outside its schedule. Exit code 1: it was refused or, with --wait or --follow,"
        " failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("name", help="name of the task (whatever its case), or its id")
        parser.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="a parameter; the value is read as JSON if it is JSON, else as text; may be repeated. Others on this"
            " host can read it in the list of processes: give secrets with --params-file",
        )
        whole = parser.add_mutually_exclusive_group()
        whole.add_argument(
            "--params", metavar="JSON", help="all parameters as one JSON object; no place for secrets either"
        )
        whole.add_argument(
            "--params-file",
            metavar="PATH",
            help="a file with all parameters as one JSON object; - is the standard input. The way to give secrets",
        )
        parser.add_argument("--reason", default="", help="why, for people")
        parser.add_argument(
            "--again",
            metavar="TRACKING_ID",
            help="repeat this execution of it; what was missed is made good, as due when that was",
        )
        parser.add_argument("--overlap", choices=[str(item) for item in Overlap], help="override the overlap policy")
        parser.add_argument("--wait", action="store_true", help="wait for its end")
        parser.add_argument("--follow", action="store_true", help="wait for its end, and print its log meanwhile")
        parser.add_argument("--timeout", metavar="DURATION", help="with --wait or --follow: how long, e.g. 90s or 5m")
        parser.add_argument("--json", action="store_true", help="print the envelope of the REST API")

    def handle(self, *_args: Any, name: str, **options: Any) -> None:
        """Run it, and wait if asked to."""
        timeout = _duration(options["timeout"])
        try:
            earlier = get_execution_of(name, options["again"]) if options["again"] else None
            execution = run_once(
                name,
                rerun_of=earlier,
                params=_params(options["params"], options["params_file"], options["param"]),
                reason=options["reason"],
                overlap=Overlap(options["overlap"]) if options["overlap"] else None,
                trigger=Trigger.CLI,
            ).execution
        except ScheduledTasksError as exc:
            refuse(self, exc, as_json=options["json"])
        info = ExecutionInfo.of(execution, with_traceback=True)
        if info.is_open and execution.task is not None and (held := why_it_is_held(execution.task)):
            self.stderr.write(on_one_line(f"It waits. {held}"))
        if options["follow"]:
            follow(self, execution, as_json=options["json"], timeout=timeout)
            timeout = timedelta(0)
        waits = options["wait"] or options["follow"]
        if waits:
            info = wait_for(self, info, timeout)
        show(self, info, as_json=options["json"])
        if waits and info.status != Status.COMPLETED:
            sys.exit(1)


def _params(text: str | None, path: str | None, pairs: list[str]) -> dict[str, Any]:
    """Return the parameters that the options give; single ones win."""
    params: dict[str, Any] = {}
    if text is not None:
        params = _object(text, "--params")
    elif path is not None:
        params = _object(_content(path), "--params-file")
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise CommandError(f"--param {on_one_line(pair)}: write it as KEY=VALUE.")
        try:
            params[key] = read_json(value)
        except NotStorable as exc:
            raise CommandError(f"--param {on_one_line(key)}: {exc}") from exc
        except json.JSONDecodeError:
            params[key] = value
    return params


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        found = read_json(text)
    except ValueError as exc:
        raise CommandError(f"{option} is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise CommandError(f'{option} has to be a JSON object, such as \'{{"month": "2026-02"}}\'.')
    return found


def _content(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"--params-file cannot be read: {exc}") from exc


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except InvalidSchedule as exc:
        raise CommandError(f"--timeout: {exc.message}") from exc
