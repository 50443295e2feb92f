"""Schedules of any scheduler that this package knows the rules of, as name and fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules import apscheduler, django_q, quartz, systems
from django_scheduled_tasks.moving.rules.due import Never
from django_scheduled_tasks.moving.rules.fields import Reading, System, Unreadable
from django_scheduled_tasks.moving.rules.systemd import SYSTEMD, on_calendar
from django_scheduled_tasks.schedules import parse_duration

_AIRFLOW = systems.croniter("Airflow")


def read(kind: str, fields: Mapping[str, Any], zone: ZoneInfo, anchor: datetime) -> Reading:
    """Return the reading of a schedule.

    Args:
        kind: ``celery``, ``huey``, ``django-q``, ``procrastinate``, ``rq``, ``apscheduler``, ``k8s``, ``github``,
            ``crontab``, ``airflow``, ``eventbridge``, ``quartz`` or ``oncalendar``.
        fields: As that scheduler calls them.
        zone: In which it reads them.
        anchor: From when intervals count.
    Raises:
        Unreadable: It cannot be said here.
    """
    if kind not in _READERS:
        raise Unreadable(f"The rules of {kind!r} are not known. Known are: {', '.join(sorted(_READERS))}.")
    found: Reading = _READERS[kind](fields, zone, anchor)
    return found


def _celery(fields: Mapping[str, Any], zone: ZoneInfo, anchor: datetime) -> Reading:
    if solar := fields.get("solar"):
        raise Unreadable(f"Sunrise and sunset ({solar}) do not exist here; take a time of day.")
    if "timedelta" in fields:
        every = timedelta(**json.loads(fields["timedelta"]))
        return apscheduler.interval(every, anchor, system=systems.CELERY)
    if "seconds" in fields:
        return apscheduler.interval(timedelta(seconds=float(fields["seconds"])), anchor, system=systems.CELERY)
    if "every" in fields:
        every = timedelta(**{fields["period"]: int(fields["every"])})
        return apscheduler.interval(every, anchor, system=systems.CELERY)
    return systems.celery({name: value for name, value in fields.items() if name != "crontab"}, zone)


def _apscheduler(fields: Mapping[str, Any], zone: ZoneInfo, anchor: datetime) -> Reading:
    if "from_crontab" in fields:
        return apscheduler.from_crontab(fields["from_crontab"], zone)
    rest = {name: value for name, value in fields.items() if name != "trigger"}
    if fields.get("trigger") == "interval":
        return apscheduler.interval(timedelta(**{name: int(value) for name, value in rest.items()}), anchor)
    return apscheduler.cron(rest, zone)


def _crontab(fields: Mapping[str, Any], zone: ZoneInfo, _anchor: datetime) -> Reading:
    return crontab_line(fields["line"], zone)


def crontab_line(text: str, zone: ZoneInfo) -> Reading:
    """Read the time of a line of crontab.

    Raises:
        Unreadable: ``@reboot``, an ``H`` of Jenkins, or it cannot be read.
    """
    if text.strip().lower() == "@reboot":
        raise Unreadable("@reboot is no time: let the service manager of the machine (systemd) do it.")
    if any(part[:1] == "H" for part in text.split()):
        raise Unreadable("H of Jenkins stands for any value; write one, or a time with a spread.")
    if any(part[-1:] in {"W", "w"} for part in text.split()):
        raise Unreadable("W, the working day nearest to a day of the month, does not exist here.")
    return systems.five(text, zone, systems.CRON)


def _airflow(fields: Mapping[str, Any], zone: ZoneInfo, anchor: datetime) -> Reading:
    text = str(fields["schedule_interval"])
    if text in {"None", "@once"}:
        return Reading(
            kind="manual", due=Never(), system=_AIRFLOW, notes=("It has no schedule: it is started by hand.",)
        )
    if text[-1:] in {"h", "m", "s", "d"} and text[:-1].isdecimal():
        return apscheduler.interval(parse_duration(text), anchor, system=_AIRFLOW)
    return systems.five(text, zone, _AIRFLOW)


def _quartz(fields: Mapping[str, Any], zone: ZoneInfo, _anchor: datetime) -> Reading:
    if "fixed_ms" in fields:
        return quartz.milliseconds(int(fields["fixed_ms"]))
    return quartz.quartz(str(fields["cron"]).replace("10am", "10"), zone)


def _systemd(fields: Mapping[str, Any], zone: ZoneInfo, anchor: datetime) -> Reading:
    if "OnUnitActiveSec" in fields:
        return apscheduler.interval(parse_duration(fields["OnUnitActiveSec"]), anchor, system=SYSTEMD)
    return on_calendar(fields["OnCalendar"], zone)


def _expression(name: str, system: System) -> Any:
    return lambda fields, zone, _anchor: systems.five(str(fields[name]), zone, system)


_READERS: Mapping[str, Any] = {
    "celery": _celery,
    "huey": lambda fields, zone, _anchor: systems.huey(fields, zone),
    "django-q": django_q.read,
    "procrastinate": _expression("cron", systems.croniter("procrastinate")),
    "rq": lambda fields, zone, _anchor: systems.with_year(str(fields["cron"]), zone),
    "apscheduler": _apscheduler,
    "k8s": _expression("schedule", systems.KUBERNETES),
    "github": _expression("cron", systems.CRON),
    "crontab": _crontab,
    "airflow": _airflow,
    "eventbridge": lambda fields, zone, anchor: quartz.eventbridge(str(fields["expression"]), zone, anchor),
    "quartz": _quartz,
    "oncalendar": _systemd,
}
