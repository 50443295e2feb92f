"""``import_tasks celery-settings``: a ``beat_schedule`` in the settings."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import CommandError

from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.rules.apscheduler import interval
from django_scheduled_tasks.moving.rules.fields import Reading, Unreadable
from django_scheduled_tasks.moving.rules.systems import CELERY, celery
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.celery_beat import OF_CELERY, OVERLAPS, zone_of

_FIELDS = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
_MAPPED = frozenset({"queue", "expires"})


@register_source
class CelerySettings(ForeignSource):
    """Celery's own schedule."""

    name = "celery-settings"
    help = "a beat_schedule of Celery in the settings, such as CELERY_BEAT_SCHEDULE"
    stop = "take it out of the settings, or stop celery beat"
    remarks = (OVERLAPS,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add where it is."""
        super().add_arguments(parser)
        parser.add_argument("--setting", default="CELERY_BEAT_SCHEDULE", help="default: CELERY_BEAT_SCHEDULE")
        parser.add_argument("--timezone", help="Celery's; default: CELERY_TIMEZONE, else UTC, as Celery has it")

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the setting; what Celery's own classes hold is asked of them, and Celery is not imported here."""
        entries = getattr(settings, options["setting"], None)
        if not isinstance(entries, Mapping):
            raise CommandError(f"The setting {options['setting']} is no dictionary; --setting names another.")
        zone = options["timezone"] or getattr(settings, "CELERY_TIMEZONE", None) or "UTC"
        now = read_now()
        return [_row(str(name), entry, str(zone), now) for name, entry in entries.items()]


def _row(name: str, entry: Mapping[str, Any], zone: str, now: datetime) -> Row:
    row = Row(key=f"celery-settings:{name}"[:255], name=name, target=str(entry.get("task", "")))
    if row.target in OF_CELERY:
        row.cannot = "Celery does this for itself; leave it there."
        return row
    row.args, row.kwargs = list(entry.get("args") or ()), dict(entry.get("kwargs") or {})
    options = dict(entry.get("options") or {})
    if queue := options.get("queue"):
        row.values["queue"] = str(queue)
    expires = options.get("expires")
    if isinstance(expires, datetime):
        row.values["ends_at"] = expires
    elif isinstance(expires, (int, float, timedelta)):
        row.values["expires_after"] = expires if isinstance(expires, timedelta) else timedelta(seconds=expires)
    row.losses += [f"Its option {option} does not exist here." for option in sorted(options.keys() - _MAPPED)]
    try:
        row.reading = _reading(entry.get("schedule"), entry, zone_of(zone), now)
    except Unreadable as exc:
        row.cannot = str(exc)
    return row


def _reading(schedule: Any, entry: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> Reading:
    if hasattr(schedule, "_orig_minute"):
        return celery({name: getattr(schedule, f"_orig_{name}") for name in _FIELDS}, zone)
    if hasattr(schedule, "lat"):
        raise Unreadable("Sunrise and sunset do not exist here; take a time of day.")
    if entry.get("relative") or getattr(schedule, "relative", False):
        raise Unreadable("It is relative: rounded to whole hours or days. Write it as a cron expression.")
    every = getattr(schedule, "run_every", schedule)
    if isinstance(every, (int, float)) and not isinstance(every, bool):
        every = timedelta(seconds=every)
    if not isinstance(every, timedelta):
        raise Unreadable(f"Its schedule is a {type(schedule).__name__}, whose rules are not known.")
    return interval(every, now, system=CELERY, counts_from_now=True)
