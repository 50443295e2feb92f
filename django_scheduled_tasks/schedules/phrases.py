"""Days as phrases, for sentences about cron expressions. None where there is no short one."""

from __future__ import annotations

from collections.abc import Sequence

from django_scheduled_tasks.schedules.fields import Fields
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import join_and, ngettext, pgettext, weekday_name

MOST_LISTED = 4
"""Longer lists are no sentence."""
_RANGE_FROM = 3


def is_run(numbers: Sequence[int]) -> bool:
    """Whether *numbers* (sorted) follow one another."""
    return len(numbers) == numbers[-1] - numbers[0] + 1


def weekdays_phrase(fields: Fields) -> str | None:
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
    days = _from_monday(fields.weekdays)
    if len(days) >= _RANGE_FROM and is_run([(day - 1) % 7 for day in days]):
        return _("%(first)s to %(last)s") % {"first": weekday_name(days[0]), "last": weekday_name(days[-1])}
    return join_and([weekday_name(day) for day in days]) if len(days) <= MOST_LISTED else None


def days_phrase(fields: Fields) -> str | None:
    """Return ``day 1``, ``days 1 and 15``, ``days 1 to 7``, ``the last day``, ``the last working day``; or None."""
    kinds = [bool(fields.days), fields.last_day, fields.last_working_day]
    if sum(kinds) != 1:
        return None
    if fields.last_day:
        return _("the last day")
    if fields.last_working_day:
        return _("the last working day")
    days = sorted(fields.days)
    if len(days) >= _RANGE_FROM and is_run(days):
        text = _("%(first)s to %(last)s") % {"first": days[0], "last": days[-1]}
    elif len(days) <= MOST_LISTED:
        text = join_and([str(day) for day in days])
    else:
        return None
    return ngettext("day %(days)s", "days %(days)s", len(days)) % {"days": text}


def _from_monday(weekdays: frozenset[int]) -> list[int]:
    return sorted(weekdays, key=lambda day: (day - 1) % 7)


def _ordinal(number: int) -> str:
    # Not without a context: other apps say "second" of time.
    ordinals = (
        *(pgettext("ordinal", "first"), pgettext("ordinal", "second"), pgettext("ordinal", "third")),
        *(pgettext("ordinal", "fourth"), pgettext("ordinal", "fifth")),
    )
    return ordinals[number - 1]
