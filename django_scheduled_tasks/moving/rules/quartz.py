"""Schedules of Quartz and of EventBridge: 1 is Sunday, the year comes last, ``?`` is anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules.apscheduler import interval
from django_scheduled_tasks.moving.rules.fields import (
    WEEKDAYS,
    Reading,
    Span,
    Special,
    System,
    Unreadable,
    read_field,
    reading_of,
    spans,
)

QUARTZ = System(name="Quartz", gap="ours", twice=False)
EVENTBRIDGE = System(name="EventBridge", gap="ours", twice=False)
_SPANS = spans(weekday=Span(name="weekday", low=1, high=7, names=WEEKDAYS, ours=lambda day: day - 1, is_kept=False))
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.+)\)")
_NO_YEAR, _WITH_YEAR = 6, 7


def eventbridge(text: str, zone: ZoneInfo, anchor: datetime) -> Reading:
    """Read ``rate(5 minutes)`` or ``cron(minute hour day month weekday year)``.

    Raises:
        Unreadable: It is neither.
    """
    if rate := _RATE.fullmatch(text.strip()):
        return interval(timedelta(**{f"{rate[2]}s": int(rate[1])}), anchor, system=EVENTBRIDGE)
    found = _CRON.fullmatch(text.strip())
    if found is None:
        raise Unreadable(f"{text[:60]!r} is neither rate(…) nor cron(…).")
    texts = found[1].replace(",", " ").split() if ", " in found[1] else found[1].split()
    if len(texts) != _NO_YEAR:
        raise Unreadable(f"{text[:60]!r} has {len(texts)} fields instead of six.")
    return _read(["0", *texts], zone, EVENTBRIDGE)


def quartz(text: str, zone: ZoneInfo) -> Reading:
    """Read an expression of Quartz: seconds first, and the year last, if there is one.

    Raises:
        Unreadable: It is none, or names years.
    """
    texts = text.split()
    if len(texts) not in {_NO_YEAR, _WITH_YEAR}:
        raise Unreadable(f"{text[:60]!r} has {len(texts)} fields instead of six.")
    return _read(texts, zone, QUARTZ)


def milliseconds(number: int) -> Reading:
    """Return the reading of a fixed rate in milliseconds."""
    return interval(timedelta(milliseconds=number), datetime(1970, 1, 1, tzinfo=UTC), system=QUARTZ)


def _read(texts: list[str], zone: ZoneInfo, system: System) -> Reading:
    named = dict(zip(("second", "minute", "hour", "day", "month", "weekday", "year"), texts, strict=False))
    year = named.pop("year", "*")
    if year not in {"*", "?"}:
        raise Unreadable(f"It is bound to years ({year[:40]}), which a schedule here does not have.")
    special = _special(named["day"].upper(), named["weekday"].upper())
    if special.day_texts:
        named["day"] = "*"
    if special.weekday_texts:
        named["weekday"] = "*"
    if named["day"] == "1/1":
        named["day"] = "*"
    return reading_of({name: read_field(named[name], _SPANS[name]) for name in _SPANS}, zone, system, special)


def _special(day: str, weekday: str) -> Special:
    if day == "L":
        return Special(last=frozenset({0}), day_texts=("L",))
    if day == "LW":
        return Special(working=frozenset({0}), day_texts=("LW",))
    if day.endswith("W"):
        raise Unreadable(f"{day[:10]}, the working day nearest to a day of the month, does not exist here.")
    if day.startswith("L-"):
        raise Unreadable(f"{day[:10]}, a day counted from the end of the month, does not exist here.")
    name, sign, number = weekday.partition("#")
    is_last = len(weekday) > 1 and weekday.endswith("L")
    if not sign and not is_last:
        return Special()
    (found,) = read_field(weekday[:-1] if is_last else name, _SPANS["weekday"]).values
    if is_last:
        return Special(nth=frozenset({(found, -1)}), weekday_texts=(f"{found}L",))
    return Special(nth=frozenset({(found, int(number))}), weekday_texts=(f"{found}#{number}",))
