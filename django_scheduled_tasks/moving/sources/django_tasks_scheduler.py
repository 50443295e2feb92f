"""``import_tasks django-tasks-scheduler``: the rows of django-tasks-scheduler."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models

from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.rules.apscheduler import interval
from django_scheduled_tasks.moving.rules.due import Once
from django_scheduled_tasks.moving.rules.fields import Reading, Unreadable
from django_scheduled_tasks.moving.rules.systems import croniter, five
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.celery_beat import OVERLAPS, duration
from django_scheduled_tasks.moving.sources.tables import Columns, add_database, read_table

_TEXT, _NUMBER = models.TextField(), models.IntegerField()
_ID = models.BigAutoField(primary_key=True)
_TASK: Columns = {
    "id": _ID,
    **dict.fromkeys(("name", "task_type", "callable", "queue", "cron_string", "interval_unit"), _TEXT),
    **dict.fromkeys(("timeout", "interval", "repeat"), _NUMBER),
    **dict.fromkeys(("enabled", "at_front"), models.BooleanField()),
    "scheduled_time": models.DateTimeField(),
}
_ARGUMENT: Columns = {"id": _ID, **dict.fromkeys(("arg_type", "val", "key"), _TEXT), "object_id": _NUMBER}
_SYSTEM = croniter("django-tasks-scheduler")


@register_source
class DjangoTasksScheduler(ForeignSource):
    """django-tasks-scheduler."""

    name = "django-tasks-scheduler"
    help = "the tasks in the table of django-tasks-scheduler (4 and later)"
    stop = "switch its tasks off, or stop its workers"
    remarks = (OVERLAPS,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the database."""
        super().add_arguments(parser)
        add_database(parser)

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the tables."""
        using, now = options["database"], read_now()
        arguments: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for table in ("scheduler_taskarg", "scheduler_taskkwarg"):
            for found in read_table(using, table, _ARGUMENT):
                arguments[found["object_id"]].append(found)
        for old in read_table(using, "scheduler_task", _TASK):
            yield _row(old, arguments[old["id"]], now)


def _row(old: Mapping[str, Any], arguments: Iterable[Mapping[str, Any]], now: datetime) -> Row:
    row = Row(key=f"django-tasks-scheduler:{old['id']}", name=old["name"], target=old["callable"])
    row.values = {"enabled": bool(old["enabled"]), "queue": old["queue"] if old["queue"] != "default" else ""}
    if old.get("timeout"):
        row.values["timeout"] = timedelta(seconds=old["timeout"])
    if old.get("at_front"):
        row.losses.append("That it goes to the front of its queue does not exist here.")
    try:
        for argument in arguments:
            value = _value(argument)
            if argument.get("key"):
                row.kwargs[argument["key"]] = value
            else:
                row.args.append(value)
        row.reading = _reading(old, now)
    except Unreadable as exc:
        row.cannot = str(exc)
    if old["task_type"] == "RepeatableTaskType" and old.get("repeat") is not None:
        row.values["max_runs"] = old["repeat"] + 1  # those that are left after the one that is scheduled
    return row


def _reading(old: Mapping[str, Any], now: datetime) -> Reading:
    at = (old.get("scheduled_time") or now).astimezone(UTC).replace(microsecond=0)
    if old["task_type"] == "CronTaskType":
        return five(old.get("cron_string") or "", ZoneInfo("UTC"), _SYSTEM)
    if old["task_type"] == "RepeatableTaskType":
        return interval(duration(old["interval"], old["interval_unit"]), at, system=_SYSTEM)
    return Reading(kind="dates", expression=at.strftime("%Y-%m-%dT%H:%M:%SZ"), due=Once((at,)), system=_SYSTEM)


def _value(argument: Mapping[str, Any]) -> Any:
    kind, text = argument["arg_type"], argument["val"]
    if kind == "callable":
        raise Unreadable(f"An argument is what {text[:60]}() returns at each run; call it in the function itself.")
    try:
        if kind == "bool":
            return text.lower() == "true"
        readers: dict[str, Any] = {"int": int, "float": float, "json": json.loads}
        return readers.get(kind, str)(text)  # a datetime stays ISO 8601
    except (ValueError, RecursionError):
        raise Unreadable(f"{text[:40]!r} is no {kind[:20]}.") from None
