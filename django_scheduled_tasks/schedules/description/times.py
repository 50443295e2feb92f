"""Times of day as phrases, for sentences about cron expressions. "" where there is no sure one."""

from __future__ import annotations

from datetime import time
from itertools import product

from django_scheduled_tasks.schedules.expression.fields import Fields
from django_scheduled_tasks.schedules.texts import clock, join_and, ngettext
from django_scheduled_tasks.schedules.texts import gettext as _

MOST_TIMES = 4
"""More times of day than this are no list, but something that happens every so often."""
_MOST_SPANS = 3
_MINUTES, _HOURS = 60, 24


def every(number: int, unit: str) -> str:
    """Return ``Every 15 minutes``; *unit* is one of ``w d h m s``."""
    texts = {
        "w": ngettext("Every week", "Every %(number)s weeks", number),
        "d": ngettext("Every day", "Every %(number)s days", number),
        "h": ngettext("Every hour", "Every %(number)s hours", number),
        "m": ngettext("Every minute", "Every %(number)s minutes", number),
        "s": ngettext("Every second", "Every %(number)s seconds", number),
    }
    return texts[unit] % {"number": number}


def times_phrase(fields: Fields) -> str:
    """Return ``03:00 and 15:00`` where a day has few times, else ""."""
    if fields.times_a_day > MOST_TIMES:
        return ""
    times = product(fields.hours, fields.minutes, fields.seconds)
    return join_and([clock(time(*each)) for each in times])


def often_phrase(fields: Fields) -> str:
    """Return what is due every so often: ``Every 15 minutes``, ``Every hour from 09:00 to 17:00``."""
    all_hours, all_minutes = len(fields.hours) == _HOURS, len(fields.minutes) == _MINUTES
    if all_hours and all_minutes and (step := even_step(fields.seconds, _MINUTES)):
        return every(step, "s")
    if all_hours and all_minutes and len(fields.seconds) == 1 and fields.seconds != (0,):
        return _("%(often)s at second %(second)s") % {"often": every(1, "m"), "second": fields.seconds[0]}
    if fields.seconds != (0,):
        return ""
    if step := even_step(fields.minutes, _MINUTES):
        return _minutes(fields, step)
    if len(fields.minutes) <= MOST_TIMES:
        return _hours(fields)
    step = progression(fields.minutes)
    if all_hours and step:
        values = {"first": f":{fields.minutes[0]:02d}", "last": f":{fields.minutes[-1]:02d}"}
        inner = _("from %(first)s to %(last)s of each hour") % values
        return _("%(often)s, %(times)s") % {"often": every(step, "m"), "times": inner}
    return ""


def _minutes(fields: Fields, step: int) -> str:
    """Return ``Every 15 minutes``, in all hours or in those of a few spans."""
    often, spans = every(step, "m"), _spans(fields.hours)
    if len(fields.hours) == _HOURS:
        return often
    ends = [{"first": clock(time(first)), "last": clock(time(last, fields.minutes[-1]))} for first, last in spans]
    if len(ends) == 1:
        return _("%(often)s from %(first)s to %(last)s") % {"often": often, **ends[0]}
    if len(ends) <= _MOST_SPANS:
        times = join_and([_("from %(first)s to %(last)s") % each for each in ends])
        return _("%(often)s, %(times)s") % {"often": often, "times": times}
    return ""


def _hours(fields: Fields) -> str:
    """Return ``Every 2 hours``, at some minutes, in all hours or from one to another."""
    step = even_step(fields.hours, _HOURS)
    often, minutes = every(step or progression(fields.hours) or 1, "h"), fields.minutes
    if len(minutes) > 1:
        often = _("%(often)s at %(times)s") % {"often": often, "times": join_and([f":{item:02d}" for item in minutes])}
    if step:
        single = minutes[0] if len(minutes) == 1 else 0
        return _("%(often)s at :%(minute)s") % {"often": often, "minute": f"{single:02d}"} if single else often
    if not progression(fields.hours):
        return ""
    first, last = time(fields.hours[0], minutes[0]), time(fields.hours[-1], minutes[-1])
    return _("%(often)s from %(first)s to %(last)s") % {"often": often, "first": clock(first), "last": clock(last)}


def even_step(numbers: tuple[int, ...], size: int) -> int:
    """Return n if *numbers* are every n-th one from 0 on without a short step at the end; 0 if they are not."""
    step = size // len(numbers)
    return step if len(numbers) > 1 and numbers == tuple(range(0, size, step)) and size % step == 0 else 0


def progression(numbers: tuple[int, ...]) -> int:
    """Return the distance between *numbers* (three or more) if it is always the same, else 0."""
    step = numbers[1] - numbers[0] if len(numbers) > 2 else 0  # noqa: PLR2004
    return step if step and numbers == tuple(range(numbers[0], numbers[-1] + 1, step)) else 0


def _spans(hours: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the first and last hour of each unbroken stretch."""
    starts = [hour for hour in hours if hour - 1 not in hours]
    ends = [hour for hour in hours if hour + 1 not in hours]
    return list(zip(starts, ends, strict=True))
