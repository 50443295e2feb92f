"""``import_tasks celery-beat``: the rows of django-celery-beat."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.rules.apscheduler import interval
from django_scheduled_tasks.moving.rules.due import Once
from django_scheduled_tasks.moving.rules.fields import Reading, Unreadable
from django_scheduled_tasks.moving.rules.systems import CELERY, celery
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.tables import Columns, add_database, read_table
from django_scheduled_tasks.schedules import parse_timezone

_TEXT, _NUMBER, _INSTANT, _FLAG = (
    models.TextField(),
    models.IntegerField(),
    models.DateTimeField(),
    models.BooleanField(),
)
_ID = models.BigAutoField(primary_key=True)
_TASK: Columns = {
    "id": _ID,
    **dict.fromkeys(("name", "task", "args", "kwargs", "queue", "exchange", "routing_key", "headers"), _TEXT),
    **dict.fromkeys(("crontab_id", "interval_id", "solar_id", "clocked_id", "priority", "expire_seconds"), _NUMBER),
    **dict.fromkeys(("expires", "start_time", "last_run_at"), _INSTANT),
    **dict.fromkeys(("one_off", "enabled"), _FLAG),
    "description": _TEXT,
}
_CRONTAB: Columns = {
    "id": _ID,
    **dict.fromkeys(("minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone"), _TEXT),
}
_INTERVAL: Columns = {"id": _ID, "every": _NUMBER, "period": _TEXT}
_CLOCKED: Columns = {"id": _ID, "clocked_time": _INSTANT}
_LONGEST = timedelta(days=36_525)
OF_CELERY = frozenset({"celery.backend_cleanup"})
"""What Celery does for itself."""
OVERLAPS = 'Runs of one task may overlap in the old scheduler; here the next one is skipped, unless overlap="allow".'


@register_source
class CeleryBeat(ForeignSource):
    """django-celery-beat."""

    name = "celery-beat"
    help = "the periodic tasks in the tables of django-celery-beat"
    stop = "stop celery beat"
    remarks = (OVERLAPS,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the database."""
        super().add_arguments(parser)
        add_database(parser)

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the tables."""
        using = options["database"]

        def by_id(name: str, columns: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
            return {row["id"]: row for row in read_table(using, f"django_celery_beat_{name}schedule", columns)}

        schedules = {
            "crontab": by_id("crontab", _CRONTAB),
            "interval": by_id("interval", _INTERVAL),
            "clocked": by_id("clocked", _CLOCKED),
        }
        now = read_now()
        for old in read_table(using, "django_celery_beat_periodictask", _TASK):
            yield _row(old, schedules, now)


def _row(old: Mapping[str, Any], schedules: Mapping[str, Mapping[int, Any]], now: datetime) -> Row:
    row = Row(key=f"celery-beat:{old['id']}", name=old["name"], target=old["task"])
    if old["task"] in OF_CELERY:
        row.cannot = "Celery does this for itself; leave it there."
        return row
    row.values = {
        "enabled": bool(old.get("enabled", True)),
        "description": old.get("description") or "",
        "queue": old.get("queue") or "",
        "starts_at": old.get("start_time"),
        "ends_at": old.get("expires"),
        "max_runs": 1 if old.get("one_off") else None,
        "expires_after": timedelta(seconds=old["expire_seconds"]) if old.get("expire_seconds") else None,
    }
    row.values = {name: value for name, value in row.values.items() if value is not None}
    for name in ("exchange", "routing_key", "priority"):
        if old.get(name) not in {None, ""}:
            row.losses.append(f"Its {name.replace('_', ' ')} ({old[name]}) does not exist here.")
    if (old.get("headers") or "{}").strip() not in {"{}", ""}:
        row.losses.append("Its headers do not exist here.")
    try:
        row.args, row.kwargs = arguments(old.get("args"), old.get("kwargs"))
        row.reading = _reading(old, schedules, now)
    except Unreadable as exc:
        row.cannot = str(exc)
    if old.get("one_off") and row.values["enabled"] and old.get("last_run_at"):
        row.notes.append("It has run already; if it shall not again, do not resume it.")
    return row


def arguments(args: str | None, kwargs: str | None) -> tuple[list[Any], dict[str, Any]]:
    """Read arguments that are stored as JSON.

    Raises:
        Unreadable: They are none.
    """
    try:
        by_position, by_name = json.loads(args or "[]"), json.loads(kwargs or "{}")
    except (ValueError, RecursionError):
        raise Unreadable("Its arguments are no JSON.") from None
    if not isinstance(by_position, list) or not isinstance(by_name, dict):
        raise Unreadable("Its arguments are no list and no object of JSON.")
    return by_position, by_name


def _reading(old: Mapping[str, Any], schedules: Mapping[str, Mapping[int, Any]], now: datetime) -> Reading:
    if old.get("solar_id"):
        raise Unreadable("Sunrise and sunset do not exist here; take a time of day.")
    if found := schedules["crontab"].get(old.get("crontab_id") or 0):
        fields = {name: value for name, value in found.items() if name not in {"id", "timezone"}}
        return celery(fields, zone_of(found.get("timezone")))
    if found := schedules["interval"].get(old.get("interval_id") or 0):
        last, start = old.get("last_run_at"), old.get("start_time")
        every = duration(found["every"], found["period"])
        anchor = last + every if last else start or now
        return interval(every, anchor, system=CELERY, counts_from_now=not (last or start))
    if found := schedules["clocked"].get(old.get("clocked_id") or 0):
        at = found["clocked_time"].astimezone(UTC).replace(microsecond=0)
        return Reading(kind="dates", expression=at.strftime("%Y-%m-%dT%H:%M:%SZ"), due=Once((at,)), system=CELERY)
    raise Unreadable("Its row names no schedule.")


def duration(number: int, period: str) -> timedelta:
    """Return ``3``, ``"hours"`` as a duration.

    Raises:
        Unreadable: There is no such period, or it is too long.
    """
    try:
        found = timedelta(**{period: number})
    except (TypeError, OverflowError):
        found = None
    if found is None or abs(found) > _LONGEST:
        raise Unreadable(f"An interval of {number} {period[:20]} cannot be read.")
    return found


def zone_of(name: str | None) -> ZoneInfo:
    """Return the zone of this name; UTC if there is none.

    Raises:
        Unreadable: It is no zone.
    """
    try:
        return parse_timezone(name or "UTC")
    except InvalidSchedule as exc:
        raise Unreadable(exc.message) from None
