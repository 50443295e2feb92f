"""A sentence for a schedule. Only for shapes where it is certain to be right: none is better than a wrong one."""

from __future__ import annotations

import re

from django_scheduled_tasks.schedules.base import Schedule
from django_scheduled_tasks.schedules.description.phrases import days_of_month_phrase, months_phrase, weekdays_phrase
from django_scheduled_tasks.schedules.description.times import even_step, every, often_phrase, times_phrase
from django_scheduled_tasks.schedules.expression.fields import Fields
from django_scheduled_tasks.schedules.kinds.cron import Cron
from django_scheduled_tasks.schedules.kinds.dates import Dates
from django_scheduled_tasks.schedules.kinds.interval import Interval
from django_scheduled_tasks.schedules.kinds.manual import Manual
from django_scheduled_tasks.schedules.texts import clock, join_and, join_or, month_name, ngettext, say_number, short_day
from django_scheduled_tasks.schedules.texts import gettext as _


def describe(schedule: Schedule) -> str:
    """Return a sentence in the present language, without a full stop; "" if no sentence is certain to be right."""
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
    return every(weeks, "w") if unit == "d" and not rest else every(number, unit)


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
    if fixed := _day_of_year(fields):
        return _sentence(fields, fixed)
    days, months = _days(fields), months_phrase(fields)
    if days is None or months is None:
        return ""
    sentence = _sentence(fields, days)
    if sentence and months:
        return _("%(sentence)s, %(months)s") % {"sentence": sentence, "months": months}
    return sentence


def _sentence(fields: Fields, days: str) -> str:
    """Return times and days together; "" where there is no sure phrase for the times."""
    times = times_phrase(fields)
    if times and not (len(fields.minutes) == 1 and even_step(fields.hours, 24)):
        text = _("At %(times)s, %(days)s") if days else _("Every day at %(times)s")
        return text % {"times": times, "days": days}
    often = often_phrase(fields)
    return _("%(often)s, %(days)s") % {"often": often, "days": days} if often and days else often


def _days(fields: Fields) -> str | None:
    """Return on which days of its months: "" for every day, None where there is no sure phrase."""
    if fields.any_day and fields.any_weekday:
        return ""
    if fields.any_day and fields.both_days:
        return _on_weekdays(fields)
    days, weekdays = days_of_month_phrase(fields), weekdays_phrase(fields)
    if fields.any_weekday and fields.both_days:
        return days
    if days is None or weekdays is None or fields.any_day or fields.any_weekday:
        return None
    if fields.both_days:
        weekdays = weekdays_phrase(fields, join=join_or) or ""
        return _("%(days)s, if it is %(weekdays)s") % {"days": days, "weekdays": weekdays}
    if fields.nth_weekdays or fields.last_weekdays:
        weekdays = _("on %(days)s of the month") % {"days": weekdays}
    else:
        weekdays = _("on %(weekdays)s") % {"weekdays": weekdays}
    return _("%(days)s, and also %(weekdays)s") % {"days": days, "weekdays": weekdays}


def _on_weekdays(fields: Fields) -> str | None:
    phrase = weekdays_phrase(fields)
    if phrase is None:
        return None
    if fields.nth_weekdays or fields.last_weekdays:
        return _("on %(days)s of the month") % {"days": phrase}
    if len(fields.weekdays) == 1:
        return _("only on %(weekday)s") % {"weekday": phrase}
    return _("on %(weekdays)s") % {"weekdays": phrase} if len(fields.weekdays) == 2 else phrase  # noqa: PLR2004


def _day_of_year(fields: Fields) -> str:
    if not (fields.any_weekday and fields.both_days and len(fields.months) == len(fields.days) == 1):
        return ""
    if fields.last_day or fields.last_working_day:
        return ""
    return _("on %(day)s %(month)s") % {"day": min(fields.days), "month": month_name(fields.months[0])}
