"""Schedules of django-q2: most count on from ``next_run``, and keep the time of day of a zone."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules import systems
from django_scheduled_tasks.moving.rules.apscheduler import interval
from django_scheduled_tasks.moving.rules.due import Once, Steps
from django_scheduled_tasks.moving.rules.fields import Reading, Unreadable

DJANGO_Q = systems.croniter("django-q2")
_FIXED = {"HOURLY": timedelta(hours=1)}
_DAYS = {"DAILY": 1, "WEEKLY": 7, "BIWEEKLY": 14}
_MONTHS = {"MONTHLY": 1, "BIMONTHLY": 2, "QUARTERLY": 3, "YEARLY": 12}
_SURE_DAY = 28
KINDS = {
    "O": "ONCE",
    "I": "MINUTES",
    "H": "HOURLY",
    "D": "DAILY",
    "W": "WEEKLY",
    "BW": "BIWEEKLY",
    "M": "MONTHLY",
    "BM": "BIMONTHLY",
    "Q": "QUARTERLY",
    "Y": "YEARLY",
    "C": "CRON",
}


def read(fields: Mapping[str, Any], zone: ZoneInfo, anchor: datetime) -> Reading:
    """Return the reading of a row of ``Schedule``.

    Args:
        fields: ``schedule_type`` (the long name), ``minutes``, ``cron``.
        zone: django-q2's: the project's, unless ``Q_CLUSTER`` names another.
        anchor: The row's ``next_run``.
    Raises:
        Unreadable: It cannot be said here.
    """
    kind, at = str(fields["schedule_type"]), anchor.astimezone(UTC).replace(microsecond=0)
    if kind == "CRON":
        return systems.five(str(fields.get("cron") or ""), zone, DJANGO_Q)
    if kind == "ONCE":
        expression = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Reading(kind="dates", expression=expression, timezone=zone.key, due=Once((at,)), system=DJANGO_Q)
    if kind == "MINUTES":
        return interval(timedelta(minutes=int(fields.get("minutes") or 1)), at, system=DJANGO_Q)
    if kind in _FIXED:
        return interval(_FIXED[kind], at, system=DJANGO_Q)
    if days := _DAYS.get(kind):
        step = partial(_kept, zone, lambda moment: moment + timedelta(days=days))
        return _steps(zone, at, step, kind="interval", expression=f"{days}d", starts_at=at)
    if months := _MONTHS.get(kind):
        return _monthly(zone, at, months)
    raise Unreadable(f"There is no schedule type {kind[:20]!r} in django-q2.")


def _monthly(zone: ZoneInfo, at: datetime, months: int) -> Reading:
    local = at.astimezone(zone)
    named = sorted({(local.month - 1 + number) % 12 + 1 for number in range(0, 12, months)})
    month = "*" if months == 1 else ",".join(map(str, named))
    time_of_day = f"{local.minute} {local.hour}"
    if local.second:
        time_of_day = f"{local.second} {time_of_day}"
    is_end = local.day == calendar.monthrange(local.year, local.month)[1] and local.day > _SURE_DAY
    day = "L" if is_end else str(local.day)

    def step(moment: datetime) -> datetime:
        days = (_add_months(moment, months) - moment).days
        return moment + timedelta(days=days)

    kept = partial(_kept, zone, step) if months < 12 else step  # noqa: PLR2004  (by year it does not look at the zone)
    return _steps(zone, at, kept, kind="cron", expression=f"{time_of_day} {day} {month} *", starts_at=at)


def _steps(zone: ZoneInfo, at: datetime, step: Callable[[datetime], datetime], **values: Any) -> Reading:
    why = (
        "django-q2 counts on from the last run: after a shorter month it stays on that month's last day, and after a"
        " time that the clock skipped it stays an hour off. Here day and time stay."
    )
    return Reading(due=Steps(at, step), timezone=zone.key, system=DJANGO_Q, why=why, **values)


def _kept(zone: ZoneInfo, step: Callable[[datetime], datetime], moment: datetime) -> datetime:
    """Return the next run as django-q2 calculates it: it corrects by how much the clock of its zone has changed."""
    following = step(moment)
    old, new = (one.astimezone(zone).replace(tzinfo=None) for one in (moment, following))
    return following - ((new - old) - (following - moment))


def _add_months(moment: datetime, months: int) -> datetime:
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
