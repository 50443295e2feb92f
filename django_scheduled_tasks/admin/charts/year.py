"""The year of a calendar: twelve months as SVG, each day with words of its own for keys and screen readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from django.utils.dates import MONTHS, WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi, pgettext
from django.utils.translation import gettext as _

from django_scheduled_tasks.schedules.calendars import DayKind
from django_scheduled_tasks.schedules.calendars.year import ExcludedDay

_CELL, _ROW, _TOP = 28, 18, 18
_WIDTH, _HEIGHT = 7 * _CELL, _TOP + 6 * _ROW + 2
_DAY = timedelta(days=1)
_LOOKS = {DayKind.WEEKDAY: "dst-day-off", DayKind.HOLIDAY: "dst-holiday", DayKind.DATE: "dst-blackout"}


def year_months(year: int, excluded: Mapping[date, ExcludedDay], *, first: date) -> list[tuple[str, SafeString]]:
    """Return each month's name and its drawing.

    Args:
        year: Which.
        excluded: The days that are excluded as a whole.
        first: The day that Tab leads to; from there arrow keys go on.
    """
    return [(str(MONTHS[month]), _month(year, month, excluded, first)) for month in range(1, 13)]


def day_words(day: date, excluded: ExcludedDay | None) -> str:
    """Return a day in words: ``Fri 1 Jan 2027, New Year's Day, public holiday: excluded``."""
    # Translators: format of a day, as in Django's date filter.
    text = date_format(day, pgettext("date format", "D j M Y"))
    if excluded is None:
        return _("%(day)s: allowed") % {"day": text}
    kind = kind_words(excluded.kind)
    parts = [text, *([excluded.label] if excluded.kind != DayKind.WEEKDAY else []), *([kind] if kind else [])]
    return _("%(day)s: excluded") % {"day": ", ".join(parts)}


def kind_words(kind: DayKind) -> str:
    """Return what people call a kind of excluded day; empty for a day of the week, which says it itself."""
    return {DayKind.HOLIDAY: _("public holiday"), DayKind.DATE: _("closed")}.get(kind, "")


def _month(year: int, month: int, excluded: Mapping[date, ExcludedDay], first: date) -> SafeString:
    parts = [*_heads(), *_days(year, month, excluded, first)]
    return format_html(
        '<svg class="dst-month" viewBox="0 0 {} {}" role="group" aria-label="{} {}">{}</svg>',
        _WIDTH,
        _HEIGHT,
        MONTHS[month],
        year,
        SafeString("".join(parts)),  # nosec B703  (each part has been escaped)
    )


def _x(weekday: int) -> int:
    return (6 - weekday if get_language_bidi() else weekday) * _CELL


def _heads() -> Iterator[SafeString]:
    for weekday in range(7):
        yield format_html(
            '<text class="dst-month-head" x="{}" y="12" text-anchor="middle" aria-hidden="true">{}</text>',
            _x(weekday) + _CELL // 2,
            str(WEEKDAYS_ABBR[weekday])[:1],
        )


def _days(year: int, month: int, excluded: Mapping[date, ExcludedDay], first: date) -> Iterator[SafeString]:
    day = date(year, month, 1)
    offset = day.weekday()
    while day.month == month:
        row = (day.day - 1 + offset) // 7
        yield _day(day, _x(day.weekday()), _TOP + row * _ROW, excluded.get(day), is_first=day == first)
        day += _DAY


def _day(day: date, x: int, y: int, excluded: ExcludedDay | None, *, is_first: bool) -> SafeString:
    words = day_words(day, excluded)
    box = SafeString("")
    if excluded is not None:
        box = format_html(
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"></rect>',
            _LOOKS[excluded.kind],
            x + 2,
            y + 1,
            _CELL - 4,
            _ROW - 3,
        )
        if excluded.kind == DayKind.HOLIDAY:
            box += format_html(
                '<circle class="dst-holiday-dot" cx="{}" cy="{}" r="2.5"></circle>', x + _CELL - 4, y + 3
            )
    return format_html(
        '<g class="dst-cal-day" role="img" tabindex="{}" data-dst-day="{}" aria-label="{}"><title>{}</title>{}'
        '<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text></g>',
        0 if is_first else -1,
        day.isoformat(),
        words,
        words,
        box,
        "dst-month-off" if excluded is not None and excluded.kind == DayKind.WEEKDAY else "dst-month-day",
        x + _CELL // 2,
        y + 13,
        day.day,
    )
