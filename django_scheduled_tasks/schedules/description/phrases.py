"""Days and months as phrases, for sentences about cron expressions. None where there is no short one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django_scheduled_tasks.schedules.description.times import progression
from django_scheduled_tasks.schedules.expression.fields import Fields
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import join_and, month_name, ngettext, pgettext, weekday_name

MOST_LISTED = 4
"""Longer lists of days are no sentence."""
_MOST_MONTHS, _MOST_WEEKDAYS = 6, 6
_RANGE_FROM = 3
_ALL_MONTHS, _DAYS_A_WEEK = 12, 7


def is_run(numbers: Sequence[int]) -> bool:
    """Whether *numbers* (sorted) follow one another."""
    return len(numbers) == numbers[-1] - numbers[0] + 1


def weekdays_phrase(fields: Fields, *, join: Callable[[Sequence[str]], str] = join_and) -> str | None:
    """Return ``Monday to Friday``, ``Monday and Thursday``, ``the second Monday``, ``the last Friday``; or None."""
    kinds = [bool(fields.weekdays), bool(fields.last_weekdays), bool(fields.nth_weekdays)]
    if sum(kinds) != 1:
        return None
    if fields.last_weekdays:
        names = [weekday_name(day) for day in _from_monday(fields.last_weekdays)]
        return _("the last %(weekday)s") % {"weekday": names[0]} if len(names) == 1 else None
    if fields.nth_weekdays:
        if len(fields.nth_weekdays) > 1:
            return None
        ((day, nth),) = fields.nth_weekdays
        return _("the %(nth)s %(weekday)s") % {"nth": _ordinal(nth), "weekday": weekday_name(day)}
    days = fields.weekdays
    first = [day for day in days if (day - 1) % _DAYS_A_WEEK not in days]
    last = [day for day in days if (day + 1) % _DAYS_A_WEEK not in days]
    if len(days) >= _RANGE_FROM and len(first) == 1:
        return _("%(first)s to %(last)s") % {"first": weekday_name(first[0]), "last": weekday_name(last[0])}
    return join([weekday_name(day) for day in _from_monday(days)]) if len(days) <= _MOST_WEEKDAYS else None


def days_phrase(fields: Fields) -> str | None:
    """Return ``day 1``, ``days 1 and 15``, ``days 1 to 7``, ``the last day``; or None."""
    kinds = [bool(fields.days), fields.last_day, fields.last_working_day]
    if sum(kinds) != 1:
        return None
    if fields.last_day:
        return _("the last day")
    if fields.last_working_day:
        return _("the last weekday (Monday to Friday)")
    days = sorted(fields.days)
    if len(days) >= _RANGE_FROM and is_run(days):
        text = _("%(first)s to %(last)s") % {"first": days[0], "last": days[-1]}
    elif len(days) <= MOST_LISTED:
        text = join_and([str(day) for day in days])
    else:
        return _stepped(fields)
    return ngettext("day %(days)s", "days %(days)s", len(days)) % {"days": text}


def days_of_month_phrase(fields: Fields) -> str | None:
    """Return ``day 1 of month``, ``on the last day of the month``; or None."""
    phrase = days_phrase(fields)
    if phrase is None or phrase == _stepped(fields):
        return phrase
    return (_("%(days)s of month") if fields.days else _("on %(days)s of the month")) % {"days": phrase}


def _stepped(fields: Fields) -> str | None:
    days = sorted(fields.days)
    step = progression(tuple(days))
    values = {"step": step, "first": days[0], "last": days[-1]} if step else {}
    return _("every %(step)s days from day %(first)s to day %(last)s of month") % values if step > 1 else None


def months_phrase(fields: Fields) -> str | None:
    """Return ``in January and July``, ``from June to August``, "" for all months; or None."""
    months = fields.months
    if len(months) == _ALL_MONTHS:
        return ""
    if len(months) >= _RANGE_FROM and is_run(months):
        return _("from %(first)s to %(last)s") % {"first": month_name(months[0]), "last": month_name(months[-1])}
    if len(months) <= _MOST_MONTHS:
        return _("in %(months)s") % {"months": join_and([month_name(month) for month in months])}
    return None


def _from_monday(weekdays: frozenset[int]) -> list[int]:
    return sorted(weekdays, key=lambda day: (day - 1) % 7)


def _ordinal(number: int) -> str:
    # Not without a context: other apps say "second" of time.
    ordinals = (
        *(pgettext("ordinal", "first"), pgettext("ordinal", "second"), pgettext("ordinal", "third")),
        *(pgettext("ordinal", "fourth"), pgettext("ordinal", "fifth")),
    )
    return ordinals[number - 1]
