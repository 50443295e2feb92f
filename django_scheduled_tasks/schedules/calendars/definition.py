"""Calendars as JSON: what is stored, declared, and sent by programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.base import parse_timezone
from django_scheduled_tasks.schedules.calendars.calendar import Calendar, DateSpan
from django_scheduled_tasks.schedules.calendars.holiday import HolidayRegion
from django_scheduled_tasks.schedules.calendars.windows import WeeklyWindow
from django_scheduled_tasks.schedules.texts import gettext as _

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_DATES, MOST_WINDOWS = 2_000, 50
LABEL_LENGTH = 100
_FIELDS = frozenset({"weekdays", "holidays", "dates", "windows"})
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def read_calendar(name: str, zone: str, definition: Mapping[str, Any], *, version: int = 1) -> Calendar:
    """Return the calendar that is stored or sent so.

    Args:
        name: As tasks name it.
        zone: IANA name.
        definition: ``weekdays`` (names such as ``mon``, on which tasks may run), ``holidays`` (``DE-BE``), ``dates``
            (each a text such as ``2027-12-24``, or ``from``, ``to`` and ``label``), ``windows`` (texts); all optional.
        version: Counts its changes.

    Raises:
        InvalidSchedule: Something cannot be read; its ``field`` says what.
    """
    if unknown := sorted(map(str, definition.keys() - _FIELDS)):
        text = _('A calendar has weekdays, holidays, dates and windows; "%(name)s" is none of them.')
        raise InvalidSchedule(text % {"name": ", ".join(unknown)[:LABEL_LENGTH]}, field="definition")
    holidays = definition.get("holidays") or ""
    if not isinstance(holidays, str):
        raise InvalidSchedule(_("It has to be a code such as DE or DE-BE."), field="holidays")
    windows = _list(definition, "windows", MOST_WINDOWS)
    return Calendar(
        name=name,
        zone=parse_timezone(zone),
        weekdays=_weekdays(definition.get("weekdays")),
        holidays=HolidayRegion.parse(holidays) if holidays else None,
        dates=tuple(read_date(one) for one in _list(definition, "dates", MOST_DATES)),
        windows=tuple(WeeklyWindow.parse(one if isinstance(one, str) else "") for one in windows),
        version=version,
    )


def definition_of(calendar: Calendar) -> dict[str, Any]:
    """Return the JSON that :func:`read_calendar` reads, in one form for all that mean the same."""
    found: dict[str, Any] = {"weekdays": [WEEKDAYS[number] for number in sorted(calendar.weekdays)]}
    if calendar.holidays is not None:
        found["holidays"] = calendar.holidays.code
    if calendar.dates:
        found["dates"] = [
            {"from": span.first.isoformat(), "to": span.last.isoformat(), "label": span.label}
            for span in calendar.dates
        ]
    if calendar.windows:
        found["windows"] = [str(window) for window in calendar.windows]
    return found


def read_date(given: Any) -> DateSpan:
    """Return the dates that a text, a date, or ``from``, ``to`` and ``label`` say.

    Raises:
        InvalidSchedule: It says none; ``field`` is ``dates``.
    """
    if isinstance(given, DateSpan):
        return given
    if isinstance(given, Mapping):
        first, last, label = given.get("from"), given.get("to"), given.get("label") or ""
    elif isinstance(given, (list, tuple)) and given:
        first, last, label = given[0], given[1] if len(given) > 1 else None, given[2] if len(given) > 2 else ""  # noqa: PLR2004
    else:
        first, last, label = given, None, ""
    begin = _date(first)
    # A control character would look like another line where the label is shown.
    text = " ".join(str(label).split())[:LABEL_LENGTH]
    return DateSpan(begin, begin if last in (None, "") else _date(last), text)


def _date(given: Any) -> date:
    try:
        found = given if type(given) is date else date.fromisoformat(given)
        if _FIRST_YEAR <= found.year <= _LAST_YEAR:
            return found
    except (TypeError, ValueError):
        pass
    text = _('"%(text)s" is no date. Write it like 2027-12-24.') % {"text": str(given)[:40]}
    raise InvalidSchedule(text, field="dates")


def _weekdays(given: Any) -> frozenset[int]:
    if given is None:
        return frozenset(range(7))
    if isinstance(given, str):
        given = [part for part in given.replace(",", " ").split() if part]
    if not isinstance(given, (list, tuple, set, frozenset)):
        given = [given]
    names = [str(one).strip().lower()[:3] for one in given]
    if wrong := [one for one in names if one not in WEEKDAYS]:
        text = _('"%(name)s" is no day of the week. Known are: %(known)s.')
        raise InvalidSchedule(text % {"name": wrong[0], "known": ", ".join(WEEKDAYS)}, field="weekdays")
    return frozenset(WEEKDAYS.index(one) for one in names)


def _list(definition: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    given = definition.get(name) or ()
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise InvalidSchedule(_("It has to be a list."), field=name)
    found = list(given)
    if len(found) > most:
        raise InvalidSchedule(_("These are more than %(most)s.") % {"most": most}, field=name)
    return found
