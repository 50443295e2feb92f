"""Schedules of APScheduler 3: day and weekday both have to match, and 0 is Monday."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules.due import Every
from django_scheduled_tasks.moving.rules.fields import (
    Field,
    Reading,
    Span,
    Special,
    System,
    Unreadable,
    read_field,
    reading_of,
    spans,
)
from django_scheduled_tasks.schedules import format_duration

APSCHEDULER = System(name="APScheduler", gap="shift", twice=True)
FROM_MONDAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPANS = spans(
    wraps=False,
    weekday=Span(
        name="weekday", low=0, high=6, names=FROM_MONDAY, ours=lambda day: (day + 1) % 7, wraps=False, is_kept=False
    ),
)
_ORDER = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
_LEAST = {"month": "1", "day": "1", "hour": "0", "minute": "0", "second": "0"}
_POSITIONS = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}
_POSITION = re.compile(r"(1st|2nd|3rd|4th|5th|last) +(\w+)")
_ALL_WEEKS = frozenset({"*", "1-53"})


def interval(
    every: timedelta, anchor: datetime, *, system: System = APSCHEDULER, counts_from_now: bool = False
) -> Reading:
    """Return the reading of a fixed duration: its zone is UTC, so that days are 24 hours here too.

    Args:
        every: The duration.
        anchor: One of its due times.
        system: Whose it is.
        counts_from_now: Whether *anchor* says nothing: it counts from when the task is created.
    Raises:
        Unreadable: It is no whole number of seconds.
    """
    if every < timedelta(seconds=1) or every.microseconds:
        raise Unreadable(f"An interval of {every.total_seconds()} seconds is none of whole seconds.")
    at = anchor.astimezone(UTC).replace(microsecond=0)
    due = Every(every, at)
    return Reading(
        kind="interval",
        expression=format_duration(every),
        due=due,
        system=system,
        starts_at=None if counts_from_now else at,
    )


def cron(fields: Mapping[str, Any], zone: ZoneInfo) -> Reading:
    """Read the fields of a ``CronTrigger``: those after the last one that is given have their least value.

    Raises:
        Unreadable: It is bound to years or weeks, or cannot be read.
    """
    named = {name: str(value).strip().lower() for name, value in fields.items() if value is not None}
    if unknown := named.keys() - set(_ORDER):
        raise Unreadable(f"A CronTrigger has no {sorted(unknown)[0]}.")
    if named.get("year", "*") != "*":
        raise Unreadable(f"It is bound to years ({named['year'][:40]}), which a schedule here does not have.")
    if named.get("week", "*") not in _ALL_WEEKS:
        raise Unreadable(
            f"It is bound to weeks of the year ({named['week'][:40]}), which a schedule here does not have."
        )
    last = max((_ORDER.index(name) for name in named), default=len(_ORDER))
    full = {name: named.get(name, "*" if at < last else _LEAST.get(name, "*")) for at, name in enumerate(_ORDER)}
    special, full["day"] = _special(full["day"])
    full["weekday"] = full.pop("day_of_week")
    read = {name: read_field(full[name], _SPANS[name]) for name in _SPANS}
    for name in ("day", "weekday"):
        if len(read[name].values) == {"day": 31, "weekday": 7}[name]:
            read[name] = Field(read[name].values, "*", is_free=True)
    return reading_of(read, zone, APSCHEDULER, special)


def from_crontab(text: str, zone: ZoneInfo) -> Reading:
    """Read what was given to ``CronTrigger.from_crontab``: 0 is Monday there, too."""
    texts = text.split()
    names = ("minute", "hour", "day", "month", "day_of_week")
    if len(texts) != len(names):
        raise Unreadable(f"{text[:60]!r} has {len(texts)} fields instead of five.")
    return cron(dict(zip(names, texts, strict=True)), zone)


def _special(text: str) -> tuple[Special, str]:
    """Take ``last``, ``last fri`` and ``2nd mon`` out of the field of days."""
    nth, last, day_texts, weekday_texts, rest = set(), False, [], [], []
    for part in (part.strip() for part in text.split(",")):
        if found := _POSITION.fullmatch(part):
            if found[2] not in FROM_MONDAY:
                raise Unreadable(f"{part[:40]!r} in the field day cannot be read.")
            weekday, number = (FROM_MONDAY.index(found[2]) + 1) % 7, _POSITIONS[found[1]]
            nth.add((weekday, number))
            weekday_texts.append(f"{weekday}L" if number < 0 else f"{weekday}#{number}")
        elif part == "last":
            last = True
            day_texts.append("L")
        else:
            rest.append(part)
    if nth and (rest or last):
        raise Unreadable("Its field day has numbers and weekdays at once, which cannot be said here.")
    special = Special(
        nth=frozenset(nth),
        last=frozenset({0} if last else ()),
        day_texts=tuple(day_texts),
        weekday_texts=tuple(weekday_texts),
    )
    return special, ",".join(rest) or "*"
