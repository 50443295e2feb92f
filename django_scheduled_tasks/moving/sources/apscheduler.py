"""``import_tasks apscheduler``: the job stores of APScheduler 3 in a database.

A job is kept as a pickle, which may run anything when it is loaded. It is not: it is taken apart, and only plain values
and the classes of APScheduler's triggers are understood.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management import CommandError
from django.db import models

from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.rules.apscheduler import APSCHEDULER, FROM_MONDAY, cron, interval
from django_scheduled_tasks.moving.rules.due import Once
from django_scheduled_tasks.moving.rules.fields import MONTHS, Reading, Unreadable
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.celery_beat import zone_of
from django_scheduled_tasks.moving.sources.pickles import NotReadable, Thing, read
from django_scheduled_tasks.moving.sources.tables import Columns, add_database, columns_of, database_of, read_table

_COLUMNS: Columns = {"id": models.TextField(primary_key=True), "job_state": models.BinaryField()}
_TABLES = ("django_apscheduler_djangojob", "apscheduler_jobs")
_INSTEAD = "Write its schedule as cron(…) or every(…) in a tasks.py."
_POSITIONS = ("1st", "2nd", "3rd", "4th", "5th", "last")
_AT_ONCE, _DEFAULT_GRACE = 1, 1


@register_source
class APScheduler(ForeignSource):
    """APScheduler's job stores."""

    name = "apscheduler"
    help = "the jobs in a table of APScheduler 3: that of django-apscheduler, or of its store for SQLAlchemy"
    stop = "stop the process that starts the scheduler"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the table."""
        super().add_arguments(parser)
        add_database(parser)
        parser.add_argument("--table", help=f"default: {' or '.join(_TABLES)}")

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the table."""
        asked = options["database"]
        table = options["table"] or next(
            (name for name in _TABLES if columns_of(asked or database_of(name), name) is not None), None
        )
        if table is None:
            raise CommandError(
                f"There is no table {' or '.join(_TABLES)} in the database; --database or --table names another"
                ". Jobs that are only in memory, or in Redis or MongoDB, cannot be read: write them into a tasks.py."
            )
        for found in read_table(asked, table, _COLUMNS):
            yield _row(str(found["id"]), bytes(found["job_state"]))


def _row(key: str, data: bytes) -> Row:
    row = Row(key=f"apscheduler:{key}"[:255], name=key, target="")
    try:
        _read_job(row, read(data))
    except (NotReadable, TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as exc:
        row.cannot = f"Its pickle is not understood, and is not loaded, since that could run anything. {exc} {_INSTEAD}"
    except Unreadable as exc:
        row.cannot = f"{exc} {_INSTEAD}" if row.reading is None else str(exc)
    return row


def _read_job(row: Row, job: Any) -> None:
    if not isinstance(job, dict) or not {"func", "id", "trigger"} <= job.keys():
        raise Unreadable("It is no job of APScheduler 3.")
    row.target = str(job["func"]).replace(":", ".")
    if job.get("name") and job["name"] != row.target.rpartition(".")[2]:  # else nobody has given it a name
        row.name = str(job["name"])
    row.args = [_plain(value) for value in job.get("args") or ()]
    row.kwargs = {str(name): _plain(value) for name, value in (job.get("kwargs") or {}).items()}
    row.values["enabled"] = job.get("next_run_time") is not None
    if (job.get("misfire_grace_time") or _DEFAULT_GRACE) != _DEFAULT_GRACE:
        row.values["grace"] = timedelta(seconds=int(job["misfire_grace_time"]))
    row.values["catch_up"] = "latest" if job.get("coalesce") else "all"
    if (most := job.get("max_instances") or _AT_ONCE) > _AT_ONCE:
        row.values["overlap"] = "allow"
        row.losses.append(f"Up to {most} at once is not a limit here: any number may run at once.")
    trigger = job["trigger"]
    if not isinstance(trigger, Thing):
        raise Unreadable("It has no trigger.")
    state = trigger.attributes()
    row.reading = _reading(trigger.path.rpartition(".")[2], state)
    if state.get("jitter"):
        row.values["spread"] = timedelta(seconds=int(state["jitter"]))
        row.notes.append("Its jitter is a spread here: the same delay each time.")
    if (start := _instant(state.get("start_date"))) is not None:
        row.values.setdefault("starts_at", start)
    if (end := _instant(state.get("end_date"))) is not None:
        row.values["ends_at"] = end + timedelta(seconds=1)  # its end is inclusive


def _reading(kind: str, state: Mapping[str, Any]) -> Reading:
    if kind == "DateTrigger":
        at = _instant(state["run_date"]) or datetime.now(UTC)
        return Reading(kind="dates", expression=at.strftime("%Y-%m-%dT%H:%M:%SZ"), due=Once((at,)), system=APSCHEDULER)
    if kind == "IntervalTrigger":
        every, start = _plain(state["interval"]), _instant(state["start_date"])
        if not isinstance(every, timedelta) or start is None:
            raise Unreadable("Its interval cannot be read.")
        return interval(every, start)
    if kind == "CronTrigger":
        fields = {}
        for field in state["fields"]:
            found = field.attributes()
            if not found.get("is_default"):
                fields[str(found["name"])] = ",".join(map(_expression, found["expressions"]))
        return cron(fields, zone_of(_zone_name(state["timezone"])))
    raise Unreadable(f"There is no {kind[:40]} here.")


def _expression(thing: Thing) -> str:
    """Return the text of one part of a field, as it was written."""
    kind, state = thing.path.rpartition(".")[2], thing.attributes()
    if kind == "LastDayOfMonthExpression":
        return "last"
    if kind == "WeekdayPositionExpression":
        return f"{_POSITIONS[state['option_num']]} {FROM_MONDAY[state['weekday']]}"
    step = f"/{state['step']}" if state.get("step") else ""
    if kind == "AllExpression":
        return f"*{step}"
    names: Any = {"MonthRangeExpression": (None, *MONTHS), "WeekdayRangeExpression": FROM_MONDAY}.get(kind)
    if names is None and kind != "RangeExpression":
        raise Unreadable(f"Its trigger has a {kind[:40]}, whose rules are not known.")
    first, last = ((names[one] if names and one is not None else one) for one in (state["first"], state.get("last")))
    return f"{first}{step}" if last is None or last == first else f"{first}-{last}{step}"


def _zone_name(zone: Any) -> str:
    """Return the name of the zone that a pickle names."""
    if isinstance(zone, Thing):
        if zone.path in {"datetime.timezone.utc", "pytz._UTC"}:
            return "UTC"
        if zone.path == "datetime.timezone" and isinstance(offset := _plain(zone.args[0]), timedelta):
            return "UTC" if not offset else f"of the offset {offset}"
        names = [one for one in zone.args if isinstance(one, str)]
        if names:
            return names[0]
    raise Unreadable("Its time zone cannot be read.")


def _instant(value: Any) -> datetime | None:
    """Return an instant of a pickle in UTC and whole seconds."""
    if value is None:
        return None
    found = _plain(value)
    if not isinstance(found, datetime):
        raise Unreadable("One of its dates cannot be read.")
    return found.astimezone(UTC).replace(microsecond=0)


def _plain(value: Any) -> Any:
    """Return a value of a pickle with dates and durations as such; other objects cannot be parameters."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if not isinstance(value, Thing):
        return value
    if value.path == "datetime.timedelta":
        return timedelta(*value.args)
    if value.path in {"datetime.datetime", "datetime.date"} and value.args:
        return _date(value)
    raise Unreadable(f"It is given an object of {value.path[:60]}, which is no plain value.")


def _date(value: Thing) -> datetime | date:
    """Return a date as Python packs it: two bytes of the year, then one for each part, three of microseconds."""
    raw = value.args[0].encode("latin-1") if isinstance(value.args[0], str) else bytes(value.args[0])
    year, month, day = int.from_bytes(raw[:2], "big"), raw[2] & 0x7F, raw[3]
    if value.path == "datetime.date":
        return date(year, month, day)
    fold = raw[2] >> 7
    zone: Any = UTC
    if len(value.args) > 1:
        name = _zone_name(value.args[1])
        zone = ZoneInfo(name) if not name.startswith("of the offset") else _fixed(value.args[1])
    wall = datetime(year, month, day, raw[4], raw[5], raw[6], int.from_bytes(raw[7:10], "big"), fold=fold)  # noqa: DTZ001
    return wall.replace(tzinfo=zone)


def _fixed(zone: Thing) -> timezone:
    return timezone(_plain(zone.args[0]))
