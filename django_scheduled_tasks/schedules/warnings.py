"""What is likely to surprise about a schedule, as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_scheduled_tasks.schedules import fields
from django_scheduled_tasks.schedules.base import Schedule
from django_scheduled_tasks.schedules.cron import Cron
from django_scheduled_tasks.schedules.describe import WEEKDAY_NAMES
from django_scheduled_tasks.schedules.interval import Interval
from django_scheduled_tasks.schedules.zones import SECOND, ClockChange, next_change, wall_of

MANY_A_DAY = 1_000
"""From so many occurrences a day on there is a warning."""
_STEP = re.compile(r"\*/(\d+)")
_NUMBER = re.compile(r"\d+")
_DAY, _YEAR = timedelta(days=1), timedelta(days=366)


def warnings_for(schedule: Schedule, *, now: datetime) -> list[str]:
    """Return what is likely to surprise, in the present language.

    Args:
        schedule: A valid one.
        now: Aware; clock changes after it are named.
    """
    found = []
    if isinstance(schedule, Cron):
        found += _day_or_weekday(schedule)
        found += _uneven(schedule)
        found += _clock_changes(schedule, now)
    found += _many(schedule, now)
    return found


def _day_or_weekday(schedule: Cron) -> Iterator[str]:
    day, weekday = schedule.spec.split()[3], schedule.spec.split()[5]
    if day.startswith("*") or weekday.startswith("*"):
        return
    days = _("day %(day)s") % {"day": day}
    name = weekday
    if weekday in fields.WEEKDAYS:
        name = str(WEEKDAY_NAMES[fields.WEEKDAYS.index(weekday)])
    elif _NUMBER.fullmatch(weekday):
        name = str(WEEKDAY_NAMES[int(weekday) % 7])
    yield _('Runs on %(days)s or on %(weekday)s: cron joins the two with "or".') % {"days": days, "weekday": name}


def _uneven(schedule: Cron) -> Iterator[str]:
    """A step that does not divide the hour or the day starts anew at its beginning."""
    _second, minute, hour, *_others = schedule.spec.split()
    if (step := _STEP.fullmatch(minute)) and 60 % int(step[1]) and int(step[1]) < 60:  # noqa: PLR2004
        last = 59 // int(step[1]) * int(step[1])
        values = {"last": f":{last:02d}", "first": ":00", "gap": 60 - last}
        yield _("Not even: after %(last)s the next is at %(first)s, %(gap)s minutes later.") % values
    if (step := _STEP.fullmatch(hour)) and 24 % int(step[1]) and int(step[1]) < 24:  # noqa: PLR2004
        last = 23 // int(step[1]) * int(step[1])
        values = {"last": f"{last:02d}:00", "first": "00:00", "gap": 24 - last}
        yield _("Not even: after %(last)s the next is at %(first)s, %(gap)s hours later.") % values


def _clock_changes(schedule: Cron, now: datetime) -> Iterator[str]:
    """Name the next gap that skips one of its times, and the next overlap that repeats one."""
    if schedule.moving or schedule.timezone is None:
        return
    sentences = []
    seen: set[bool] = set()
    instant = now
    while change := next_change(schedule.timezone, instant, now + 2 * _YEAR):
        instant = change.instant
        if change.is_gap not in seen and (wall := _wall_inside(schedule, change)):
            seen.add(change.is_gap)
            sentences.append(_sentence(change, wall, schedule.timezone))
    if sentences:
        yield " ".join(sentences)


def _wall_inside(schedule: Cron, change: ClockChange) -> datetime | None:
    """Return the first matching wall-clock time that *change* skips or repeats."""
    plain = Cron(schedule.text, ZoneInfo("UTC"))
    start = change.wall_start.replace(tzinfo=ZoneInfo("UTC"))
    found = plain.next_after(start - SECOND)
    if found is None or found.replace(tzinfo=None) >= change.wall_end:
        return None
    return found.replace(tzinfo=None)


def _sentence(change: ClockChange, wall: datetime, zone: ZoneInfo) -> str:
    values = {"time": f"{wall:%H:%M}"}
    if change.is_gap:
        after = wall_of(zone, change.instant)
        values |= {"date": _date(wall, with_weekday=True), "after": f"{after:%H:%M}"}
        return _("On %(date)s the clock skips %(time)s, so it runs at %(after)s.") % values
    values |= {"date": _date(wall)}
    return _("On %(date)s %(time)s comes twice; it runs once.") % values


def _date(wall: datetime, *, with_weekday: bool = False) -> str:
    date = f"{wall.day} {fields.MONTH_SHORT_NAMES[wall.month - 1]} {wall.year}"
    return f"{fields.WEEKDAY_SHORT_NAMES[wall.weekday()]} {date}" if with_weekday else date


def _many(schedule: Schedule, now: datetime) -> Iterator[str]:
    """Count a day's occurrences: exactly where it is quick, else from the first ones."""
    if isinstance(schedule, Interval):
        count = _DAY // schedule.every
    elif isinstance(schedule, Cron):
        count = 1
        for field, text in zip(fields.FIELDS[:3], schedule.spec.split()[:3], strict=True):
            count *= len(fields.values_of(field, text))
    else:
        return
    if count >= MANY_A_DAY and schedule.next_after(now) is not None:
        yield _("%(count)s a day.") % {"count": number_format(count, force_grouping=True)}
