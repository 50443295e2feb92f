"""Reads the dates of an iCalendar file (RFC 5545): its VEVENTs with the day on which each begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.calendars.calendar import DateSpan
from django_scheduled_tasks.schedules.calendars.definition import LABEL_LENGTH, MOST_DATES
from django_scheduled_tasks.schedules.texts import gettext as _

MOST_BYTES = 1_000_000
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{6})Z?)?")
_DURATION = re.compile(r"P(?:(\d{1,3})W|(\d{1,4})D)(?:T.*)?")
_DAY = timedelta(days=1)
_REPEATS = frozenset({"RRULE", "RDATE"})


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    name: str
    value: str


@dataclass(slots=True)
class _Event:
    """One VEVENT as far as it has been read."""

    line: int
    lines: dict[str, _Line]


def read_ics(text: str) -> list[DateSpan]:
    """Return the days of the events of an ICS file, in order; what is cancelled is left out.

    An event of a day or more excludes its days (``DTEND`` is exclusive), one with a time of day the days that it
    touches. Events that repeat are refused, since their dates are not in the file.

    Raises:
        InvalidSchedule: It is no such file, is too large, or an event cannot be read; ``field`` is ``ics``, and the
            sentence names the line.
    """
    if len(text.encode()) > MOST_BYTES:
        raise _refusal(None, _("The file is larger than %(most)s bytes.") % {"most": f"{MOST_BYTES:,}"})
    found: set[DateSpan] = set()
    for event in _events(text):
        if event.lines.get("STATUS", _Line(0, "", "")).value.upper() != "CANCELLED":
            found.add(_span(event))
        if len(found) > MOST_DATES:
            raise _refusal(None, _("These are more than %(most)s.") % {"most": MOST_DATES})
    if not found:
        raise _refusal(None, _("The file has no event."))
    return sorted(found)


def _lines(text: str) -> Iterator[_Line]:
    """Yield the lines; those that begin with white space go on with the one before (RFC 5545, 3.1)."""
    number, whole = 0, ""
    for place, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if line[:1] in {" ", "\t"} and whole:
            whole += line[1:]
            continue
        if whole:
            yield _parsed(number, whole)
        number, whole = place, line.strip("\ufeff")
    if whole:
        yield _parsed(number, whole)


def _parsed(number: int, line: str) -> _Line:
    head, _colon, value = _split(line)
    return _Line(number, head.partition(";")[0].strip().upper(), value.strip())


def _split(line: str) -> tuple[str, str, str]:
    """Split *line* at its first colon that is not within quotation marks."""
    quoted = False
    for place, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == ":" and not quoted:
            return line[:place], sign, line[place + 1 :]
    return line, "", ""


def _events(text: str) -> Iterator[_Event]:
    event: _Event | None = None
    inner: list[str] = []
    begun = False
    for line in _lines(text):
        if not begun:
            if (line.name, line.value.upper()) != ("BEGIN", "VCALENDAR"):
                raise _refusal(line.number, _("It does not begin with BEGIN:VCALENDAR."))
            begun = True
        elif line.name == "BEGIN" and event is not None:
            inner.append(line.value.upper())
        elif line.name == "BEGIN" and line.value.upper() == "VEVENT":
            event = _Event(line.number, {})
        elif line.name == "END" and inner:
            inner.pop()
        elif line.name == "END" and line.value.upper() == "VEVENT" and event is not None:
            yield event
            event = None
        elif event is not None and not inner:
            event.lines.setdefault(line.name, line)
    if event is not None:
        raise _refusal(event.line, _("This event has no end."))


def _span(event: _Event) -> DateSpan:
    for name in _REPEATS & event.lines.keys():
        raise _refusal(event.lines[name].number, _("Events that repeat cannot be read; export their dates one by one."))
    begins = event.lines.get("DTSTART")
    if begins is None:
        raise _refusal(event.line, _("This event has no DTSTART."))
    first, _has_time = _day(begins)
    last = first
    if (ends := event.lines.get("DTEND")) is not None:
        last, is_time = _day(ends)
        if not is_time or ends.value.rstrip("Z").endswith("T000000"):
            last = max(last - _DAY, first)
        if last < first:
            raise _refusal(ends.number, _("DTEND is before DTSTART."))
    elif (lasts := event.lines.get("DURATION")) is not None and (match := _DURATION.fullmatch(lasts.value)):
        last = first + max(timedelta(weeks=int(match[1] or 0), days=int(match[2] or 0)) - _DAY, timedelta(0))
    summary = event.lines.get("SUMMARY")
    return DateSpan(first, last, _label(summary.value) if summary is not None else "")


def _day(line: _Line) -> tuple[date, bool]:
    match = _DATE.fullmatch(line.value)
    if match is None:
        raise _refusal(line.number, _("%(name)s has no date.") % {"name": line.name})
    try:
        return date(int(match[1]), int(match[2]), int(match[3])), match[4] is not None
    except ValueError:
        raise _refusal(line.number, _("%(name)s has no date.") % {"name": line.name}) from None


def _label(text: str) -> str:
    """Return a summary without its escapes (RFC 5545, 3.3.11), on one line."""
    plain = re.sub(r"\\([\\;,])", r"\1", re.sub(r"\\[nN]", " ", text))
    return " ".join("".join(sign if sign.isprintable() else " " for sign in plain).split())[:LABEL_LENGTH]


def _refusal(number: int | None, sentence: str) -> InvalidSchedule:
    nothing = _("Nothing was imported.")
    if number is None:
        return InvalidSchedule(f"{sentence} {nothing}", field="ics")
    text = _("Line %(number)s: %(sentence)s") % {"number": number, "sentence": sentence}
    return InvalidSchedule(f"{text} {nothing}", field="ics")
