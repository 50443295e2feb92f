"""``import_tasks django-q2``: the rows of django-q2's own scheduler."""

from __future__ import annotations

import ast
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models

from django_scheduled_tasks.lifecycle import CatchUp
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.rules.django_q import KINDS, read
from django_scheduled_tasks.moving.rules.fields import Unreadable
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.celery_beat import OVERLAPS, zone_of
from django_scheduled_tasks.moving.sources.tables import Columns, add_database, columns_of, database_of, read_table

_TEXT, _NUMBER = models.TextField(), models.IntegerField()
_COLUMNS: Columns = {
    "id": models.BigAutoField(primary_key=True),
    **dict.fromkeys(("name", "func", "hook", "args", "kwargs", "schedule_type", "cron", "cluster"), _TEXT),
    "intended_date_kwarg": _TEXT,
    **dict.fromkeys(("minutes", "repeats"), _NUMBER),
    "next_run": models.DateTimeField(),
}
_TABLE = "django_q_schedule"
_LONGEST = 100_000
_CALL_COMMAND = frozenset({"django.core.management.call_command", "call_command"})
_UNUSED_OPTIONS = frozenset({"group", "task_name"})


@register_source
class DjangoQ2(ForeignSource):
    """django-q2's schedules."""

    name = "django-q2"
    help = "the schedules in django-q2's table"
    stop = 'delete the rows of django_q\'s Schedule, or set "scheduler": False in Q_CLUSTER'
    remarks = (OVERLAPS,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the database."""
        super().add_arguments(parser)
        add_database(parser)

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the table."""
        cluster = getattr(settings, "Q_CLUSTER", {})
        zone = cluster.get("time_zone") or settings.TIME_ZONE
        catch_up = CatchUp.ALL if cluster.get("catch_up", True) else CatchUp.LATEST
        for old in read_table(options["database"], _TABLE, _COLUMNS):
            try:
                yield _row(old, zone_of(zone), str(catch_up))
            except Unreadable as exc:
                name = old["name"] or f"{old['func']} {old['id']}"
                yield Row(key=f"django-q2:{old['id']}", name=name, target=old["func"], cannot=str(exc))


class Schedules(NamedTuple):
    """The names of django-q2's schedules that are not done."""

    only_there: list[str]
    """Not moved in."""
    in_both: list[str]
    """Moved in, and running here too."""


def look_at_schedules() -> Schedules:
    """Return which of django-q2's schedules are not moved in, and which run here as well; two statements."""
    found = Schedules([], [])
    using = database_of(_TABLE)
    if columns_of(using, _TABLE) is None:
        return found
    moved = ScheduledTask.objects.filter(moved_from__startswith="django-q2:")
    running = dict(moved.values_list("moved_from", "next_run_at"))
    for old in read_table(using, _TABLE, _COLUMNS):
        key = f"django-q2:{old['id']}"
        if old["repeats"] != 0 and key not in running:
            found.only_there.append(old["name"] or old["func"])
        elif old["repeats"] != 0 and running[key] is not None:
            found.in_both.append(old["name"] or old["func"])
    return found


def _row(old: Mapping[str, Any], zone: ZoneInfo, catch_up: str) -> Row:
    row = Row(
        key=f"django-q2:{old['id']}", name=old["name"] or f"{old['func']} {old['id']}", target=old["func"].strip()
    )
    row.args, row.kwargs = _arguments(old)
    options = row.kwargs.pop("q_options", None) or {}
    repeats = old["repeats"]
    row.values = {"enabled": repeats != 0, "catch_up": catch_up}
    kind = KINDS.get(old["schedule_type"], old["schedule_type"])
    if repeats > 0 and kind != "ONCE":
        row.values["max_runs"] = repeats
    row.values["queue"] = old.get("cluster") or options.pop("cluster", None) or options.pop("broker_name", None) or ""
    if timeout := options.pop("timeout", None):
        row.values["timeout"] = timedelta(seconds=timeout)
    if old.get("hook") or options.pop("hook", None):
        row.losses.append("Its hook does not exist here; use the signal execution_finished.")
    if name := old.get("intended_date_kwarg"):
        row.losses.append(f"{name}, the time it was due at, is not given as a parameter; it is context.scheduled_for.")
    row.losses += [f"Its option {name} does not exist here." for name in sorted(options.keys() - _UNUSED_OPTIONS)]
    if row.target in _CALL_COMMAND and row.args and isinstance(row.args[0], str):
        row.command, row.words = row.args[0], list(map(str, row.args[1:]))
        row.args = []
    anchor = old["next_run"] or read_now()
    fields = {"schedule_type": kind, "minutes": old["minutes"], "cron": old["cron"]}
    row.reading = read(fields, zone, anchor)
    return row


def _arguments(old: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Read arguments as django-q2 does: Python literals, nothing that is run."""
    args, kwargs = old["args"] or "", old["kwargs"] or ""
    if len(args) + len(kwargs) > _LONGEST:
        raise Unreadable("Its arguments are too long.")
    try:
        by_position = ast.literal_eval(args) if args.strip() else ()
        by_name = _keywords(kwargs) if kwargs.strip() else {}
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise Unreadable("Its arguments are no Python literals.") from None
    return list(by_position) if isinstance(by_position, tuple) else [by_position], by_name


def _keywords(text: str) -> dict[str, Any]:
    """Read ``{"x": 1}`` or ``x=1, y=2``."""
    try:
        found = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError(text) from None
        found = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError(text)
    return found
