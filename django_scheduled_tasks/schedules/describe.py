"""A sentence for a schedule, for about a dozen common shapes; none rather than a wrong one."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_scheduled_tasks.schedules import fields
from django_scheduled_tasks.schedules.base import Schedule
from django_scheduled_tasks.schedules.cron import Cron
from django_scheduled_tasks.schedules.dates import Dates
from django_scheduled_tasks.schedules.interval import Interval
from django_scheduled_tasks.schedules.manual import Manual

WEEKDAY_NAMES = (
    *(gettext_lazy("Sunday"), gettext_lazy("Monday"), gettext_lazy("Tuesday"), gettext_lazy("Wednesday")),
    *(gettext_lazy("Thursday"), gettext_lazy("Friday"), gettext_lazy("Saturday")),
)
_NUMBER = re.compile(r"\d+")
_STEP = re.compile(r"\*/(\d+)")
_EVEN = {"minute": (2, 3, 4, 5, 6, 10, 12, 15, 20, 30), "hour": (2, 3, 4, 6, 8, 12)}


def describe(schedule: Schedule) -> str:
    """Return a sentence in the present language, without a full stop; empty where none is surely right."""
    if isinstance(schedule, Manual):
        return _("Only when someone runs it")
    if isinstance(schedule, Dates):
        count = len(schedule.instants)
        return ngettext("At one date", "At %(count)s dates", count) % {"count": count}
    if isinstance(schedule, Interval):
        return _describe_interval(schedule)
    return _describe_cron(schedule) if isinstance(schedule, Cron) else ""


def _describe_interval(schedule: Interval) -> str:
    seconds = int(schedule.every.total_seconds())
    if seconds % 604_800 == 0:
        count = seconds // 604_800
        return ngettext("Every week", "Every %(count)s weeks", count) % {"count": count}
    if seconds % 86_400 == 0:
        count = seconds // 86_400
        return ngettext("Every day", "Every %(count)s days", count) % {"count": count}
    if seconds % 3_600 == 0:
        return _every_hours(seconds // 3_600)
    if seconds % 60 == 0:
        return _every_minutes(seconds // 60)
    if seconds < 60:  # noqa: PLR2004
        return ngettext("Every second", "Every %(count)s seconds", seconds) % {"count": seconds}
    return _("Every %(duration)s") % {"duration": schedule.expression}


def _every_minutes(count: int) -> str:
    return ngettext("Every minute", "Every %(count)s minutes", count) % {"count": count}


def _every_hours(count: int) -> str:
    return ngettext("Every hour", "Every %(count)s hours", count) % {"count": count}


def _describe_cron(schedule: Cron) -> str:
    second, minute, hour, day, month, weekday = schedule.spec.split()
    if second != "0":
        return _("Every second") if schedule.spec == "* * * * * *" else ""
    if (day, month, weekday) == ("*", "*", "*"):
        return _describe_daily(minute, hour)
    if not (_NUMBER.fullmatch(minute) and _NUMBER.fullmatch(hour)):
        return ""
    time = _time(hour, minute)
    if (day, month) == ("*", "*"):
        return _describe_weekdays(time, weekday)
    if weekday == "*" and month == "*":
        return _describe_day_of_month(time, day)
    if weekday == "*" and _NUMBER.fullmatch(day) and _NUMBER.fullmatch(month):
        values = {"time": time, "day": int(day), "month": fields.MONTH_NAMES[int(month) - 1]}
        return _("At %(time)s, on %(day)s %(month)s") % values
    return ""


def _describe_daily(minute: str, hour: str) -> str:
    if hour == "*":
        if minute == "*":
            return _every_minutes(1)
        if (step := _STEP.fullmatch(minute)) and int(step[1]) in _EVEN["minute"]:
            return _every_minutes(int(step[1]))
        if minute == "0":
            return _every_hours(1)
        return _("Every hour at :%(minute)02d") % {"minute": int(minute)} if _NUMBER.fullmatch(minute) else ""
    if (step := _STEP.fullmatch(hour)) and int(step[1]) in _EVEN["hour"] and minute == "0":
        return _every_hours(int(step[1]))
    if _NUMBER.fullmatch(minute) and _NUMBER.fullmatch(hour):
        return _("Every day at %(time)s") % {"time": _time(hour, minute)}
    return ""


def _describe_weekdays(time: str, weekday: str) -> str:
    numbers = [_weekday_number(part) for part in re.split(r"[-,]", weekday)]
    if None in numbers:
        return ""
    days = [str(WEEKDAY_NAMES[number % 7]) for number in numbers if number is not None]
    if "-" in weekday and "," not in weekday and len(days) == 2:  # noqa: PLR2004
        if days[0] == days[1]:
            return ""
        return _("At %(time)s, %(first)s to %(last)s") % {"time": time, "first": days[0], "last": days[1]}
    if "-" in weekday:
        return ""
    if len(days) == 1:
        return _("At %(time)s, only on %(day)s") % {"time": time, "day": days[0]}
    values = {"time": time, "days": ", ".join(days[:-1]), "last": days[-1]}
    return _("At %(time)s, on %(days)s and %(last)s") % values


def _describe_day_of_month(time: str, day: str) -> str:
    if day == "L":
        return _("At %(time)s, on the last day of the month") % {"time": time}
    if day == "LW":
        return _("At %(time)s, on the last working day of the month") % {"time": time}
    if _NUMBER.fullmatch(day):
        return _("At %(time)s, on day %(day)s of the month") % {"time": time, "day": int(day)}
    return ""


def _weekday_number(text: str) -> int | None:
    if text in fields.WEEKDAYS:
        return fields.WEEKDAYS.index(text)
    return int(text) if _NUMBER.fullmatch(text) else None


def _time(hour: str, minute: str) -> str:
    return f"{int(hour):02d}:{int(minute):02d}"
