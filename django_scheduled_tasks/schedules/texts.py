"""Translated words: names of days and months, lists, dates. The only module of this package that imports Django."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time

from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.utils.dates import MONTHS, MONTHS_3, WEEKDAYS, WEEKDAYS_ABBR

from django_scheduled_tasks.translation import gettext, ngettext, pgettext, say_number

__all__ = [
    "clock",
    "gettext",
    "join_and",
    "join_or",
    "month_name",
    "ngettext",
    "number_word",
    "pgettext",
    "say_number",
    "short_day",
    "weekday_name",
]


def _text(lazy: object, otherwise: str) -> str:
    try:
        return str(lazy)
    except (AppRegistryNotReady, ImproperlyConfigured):
        return otherwise


def weekday_name(weekday: int) -> str:
    """Return the name of *weekday* as cron counts (0 and 7 are Sunday)."""
    english = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    index = (weekday - 1) % 7
    return _text(WEEKDAYS[index], english[index])


def month_name(month: int) -> str:
    """Return the name of *month*, 1 to 12."""
    english = (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    )
    return _text(MONTHS[month], english[month - 1])


def join_and(items: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    if len(items) < 2:  # noqa: PLR2004
        return "".join(items)
    return gettext("%(others)s and %(last)s") % {"others": ", ".join(items[:-1]), "last": items[-1]}


def join_or(items: Sequence[str]) -> str:
    """Return ``a``, ``a or b`` or ``a, b or c``."""
    if len(items) < 2:  # noqa: PLR2004
        return "".join(items)
    return gettext("%(others)s or %(last)s") % {"others": ", ".join(items[:-1]), "last": items[-1]}


def short_day(day: date, *, with_weekday: bool = False) -> str:
    """Return ``28 Mar 2027``, or ``Sun 28 Mar 2027``."""
    month = _text(MONTHS_3[day.month], day.strftime("%b")).title()
    values = {"day": day.day, "month": month, "year": day.year}
    if not with_weekday:
        return gettext("%(day)s %(month)s %(year)s") % values
    weekday = _text(WEEKDAYS_ABBR[day.weekday()], day.strftime("%a"))
    return gettext("%(weekday)s %(day)s %(month)s %(year)s") % {"weekday": weekday, **values}


def clock(moment: datetime | time) -> str:
    """Return ``03:00``, with seconds only if there are any."""
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def number_word(number: int) -> str:
    """Return a small number as a word, a larger one in digits."""
    words = (
        *(pgettext("number", "none"), pgettext("number", "one"), pgettext("number", "two")),
        *(pgettext("number", "three"), pgettext("number", "four"), pgettext("number", "five")),
        *(pgettext("number", "six"), pgettext("number", "seven"), pgettext("number", "eight")),
        *(pgettext("number", "nine"), pgettext("number", "ten")),
    )
    return words[number] if number < len(words) else str(number)
