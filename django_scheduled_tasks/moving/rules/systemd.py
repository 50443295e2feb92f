"""Schedules of systemd's timers: weekday and date both have to match, times are ``hour:minute:second``."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.moving.rules.fields import (
    Reading,
    Special,
    System,
    Unreadable,
    read_field,
    reading_of,
    spans,
)
from django_scheduled_tasks.schedules import parse_timezone

SYSTEMD = System(name="systemd", gap="ours", twice=False)
_NAMED = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
_EVENT = re.compile(
    r"(?:(?P<weekday>[A-Za-z][A-Za-z,.-]*)\s+)?"
    r"(?:(?:(?P<year>[^\s-]+)-)?(?P<month>[^\s~:-]+)(?P<sign>[-~])(?P<day>[^\s:]+)\s*)?"
    r"(?:(?P<hour>[^\s:]+):(?P<minute>[^\s:]+)(?::(?P<second>[^\s:]+))?)?"
)


def on_calendar(text: str, zone: ZoneInfo) -> Reading:
    """Read an ``OnCalendar=``.

    Raises:
        Unreadable: It is bound to years or cannot be read.
    """
    given = text.strip()
    words = given.rsplit(None, 1)
    if len(words) > 1 and (words[1] == "UTC" or ("/" in words[1] and words[1][0].isalpha())):
        given, zone = words[0], _zone(words[1])
    found = _EVENT.fullmatch(_NAMED.get(given.lower(), given))
    if not given or found is None:
        raise Unreadable(f"{text[:60]!r} cannot be read.")
    if (found["year"] or "*") != "*":
        raise Unreadable(f"It is bound to years ({found['year'][:40]}), which a schedule here does not have.")
    named = {
        "second": found["second"] or "0",
        "minute": found["minute"] or "0",
        "hour": found["hour"] or "0",
        "day": found["day"] or "*",
        "month": found["month"] or "*",
        "weekday": found["weekday"] or "*",
    }
    special = Special()
    if found["sign"] == "~":
        if named["day"] not in {"1", "01"}:
            raise Unreadable("A day counted from the end of the month does not exist here, but for the last one.")
        special, named["day"] = Special(last=frozenset({0}), day_texts=("L",)), "*"
    ranges = {name: part.replace("..", "-") for name, part in named.items()}
    return reading_of({name: read_field(ranges[name], spans()[name]) for name in ranges}, zone, SYSTEMD, special)


def _zone(name: str) -> ZoneInfo:
    try:
        return parse_timezone(name)
    except InvalidSchedule as exc:
        raise Unreadable(exc.message) from None
