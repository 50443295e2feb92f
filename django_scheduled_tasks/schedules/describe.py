"""A sentence for a schedule: for common shapes only, since none is better than a wrong one."""

from __future__ import annotations

import re
from datetime import time

from django_scheduled_tasks.schedules.base import Schedule
from django_scheduled_tasks.schedules.cron import Cron
from django_scheduled_tasks.schedules.dates import Dates
from django_scheduled_tasks.schedules.fields import Fields
from django_scheduled_tasks.schedules.interval import Interval
from django_scheduled_tasks.schedules.manual import Manual
from django_scheduled_tasks.schedules.phrases import MOST_LISTED, days_phrase, is_run, weekdays_phrase
from django_scheduled_tasks.schedules.texts import clock, join_and, month_name, ngettext, say_number, short_day
from django_scheduled_tasks.schedules.texts import gettext as _

_ALL_MONTHS, _ALL_HOURS = 12, 24


def describe(schedule: Schedule) -> str:
    """Return a sentence in the present language, without a full stop; "" where none is sure to be right."""
    if isinstance(schedule, Cron):
        return _describe_cron(schedule.fields)
    if isinstance(schedule, Interval):
        return _describe_interval(schedule)
    if isinstance(schedule, Dates):
        return _describe_dates(schedule)
    return _("Only when someone runs it") if isinstance(schedule, Manual) else schedule.describe()


def _describe_dates(schedule: Dates) -> str:
    if (count := len(schedule.instants)) > 1:
        return ngettext("At %(count)s date", "At %(count)s dates", count) % {"count": say_number(count)}
    (instant,) = schedule.instants
    local = instant if schedule.timezone is None else instant.astimezone(schedule.timezone)
    values = {"date": short_day(local.date(), with_weekday=True), "time": clock(local)}
    if schedule.timezone is None or schedule.timezone.key == "UTC":
        return _("Once, on %(date)s at %(time)s UTC") % values
    return _("Once, on %(date)s at %(time)s (%(zone)s)") % {**values, "zone": schedule.timezone.key}


# --- intervals ----------------------------------------------------------------------------------------------------


def _describe_interval(schedule: Interval) -> str:
    parts = [(int(number), unit) for number, unit in re.findall(r"(\d+)([dhms])", schedule.expression)]
    if len(parts) > 1:
        return _("Every %(duration)s") % {"duration": join_and([_amount(number, unit) for number, unit in parts])}
    ((number, unit),) = parts
    weeks, rest = divmod(number, 7)
    return _every(weeks, "w") if unit == "d" and not rest else _every(number, unit)


def _every(number: int, unit: str) -> str:
    texts = {
        "w": ngettext("Every week", "Every %(number)s weeks", number),
        "d": ngettext("Every day", "Every %(number)s days", number),
        "h": ngettext("Every hour", "Every %(number)s hours", number),
        "m": ngettext("Every minute", "Every %(number)s minutes", number),
        "s": ngettext("Every second", "Every %(number)s seconds", number),
    }
    return texts[unit] % {"number": number}


def _amount(number: int, unit: str) -> str:
    texts = {
        "d": ngettext("%(number)s day", "%(number)s days", number),
        "h": ngettext("%(number)s hour", "%(number)s hours", number),
        "m": ngettext("%(number)s minute", "%(number)s minutes", number),
        "s": ngettext("%(number)s second", "%(number)s seconds", number),
    }
    return texts[unit] % {"number": number}


# --- cron ---------------------------------------------------------------------------------------------------------


def _describe_cron(fields: Fields) -> str:
    days = _days(fields)
    if days is None:
        return ""
    if often := _often(fields):
        return _("%(often)s, %(days)s") % {"often": often, "days": days} if days else often
    times = [
        time(hour, minute, second) for hour in fields.hours for minute in fields.minutes for second in fields.seconds
    ]
    if len(times) > MOST_LISTED:
        return ""
    at = join_and([clock(item) for item in times])
    return (
        _("At %(times)s, %(days)s") % {"times": at, "days": days}
        if days
        else _("Every day at %(times)s") % {"times": at}
    )


def _often(fields: Fields) -> str:
    """Return what is due more than a few times a day: ``Every 15 minutes``; "" if it is not that."""
    all_hours, all_minutes = len(fields.hours) == _ALL_HOURS, _step(fields.minutes, 60) == 1
    if all_hours and all_minutes and (step := _step(fields.seconds, 60)):
        return _every(step, "s")
    if fields.seconds != (0,):
        return ""
    if step := _step(fields.minutes, 60):
        if all_hours:
            return _every(step, "m")
        if len(fields.hours) > 1 and is_run(fields.hours):
            values = {"first": clock(time(fields.hours[0])), "last": clock(time(fields.hours[-1], fields.minutes[-1]))}
            return _("%(often)s from %(first)s to %(last)s") % {"often": _every(step, "m"), **values}
    hours = _step(fields.hours, 24)
    if hours and len(fields.minutes) == 1:
        (minute,) = fields.minutes
        every = _every(hours, "h")
        return _("%(often)s at :%(minute)s") % {"often": every, "minute": f"{minute:02d}"} if minute else every
    return ""


def _step(numbers: tuple[int, ...], size: int) -> int:
    """Return n if *numbers* are every n-th one from 0 on without a short step at the end; 0 if they are not."""
    step = size // len(numbers)
    return step if len(numbers) > 1 and numbers == tuple(range(0, size, step)) and size % step == 0 else 0


def _days(fields: Fields) -> str | None:
    """Return on which days: "" for every day, None where there is no sure phrase."""
    if fields.every_day:
        return ""
    if len(fields.months) < _ALL_MONTHS:
        return _day_of_year(fields)
    if fields.any_day and fields.both_days:
        return _on_weekdays(fields)
    if fields.any_weekday and fields.both_days and (phrase := days_phrase(fields)):
        text = _("%(days)s of month") if fields.days else _("on %(days)s of the month")
        return text % {"days": phrase}
    return None


def _on_weekdays(fields: Fields) -> str | None:
    phrase = weekdays_phrase(fields)
    if phrase is None:
        return None
    if fields.nth_weekdays or fields.last_weekdays:
        return _("on %(days)s of the month") % {"days": phrase}
    if len(fields.weekdays) == 1:
        return _("only on %(weekday)s") % {"weekday": phrase}
    return _("on %(weekdays)s") % {"weekdays": phrase} if len(fields.weekdays) == 2 else phrase  # noqa: PLR2004


def _day_of_year(fields: Fields) -> str | None:
    if not (fields.any_weekday and fields.both_days and len(fields.months) == len(fields.days) == 1):
        return None
    if fields.last_day or fields.last_working_day:
        return None
    return _("on %(day)s %(month)s") % {"day": min(fields.days), "month": month_name(fields.months[0])}
