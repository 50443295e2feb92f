"""Schedules of Celery, huey, django-q2 and others whose fields are those of cron, each by its own rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules.fields import (
    FREE,
    WEEKDAYS,
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

CELERY = System(name="Celery", gap="shift", twice=False)
HUEY = System(name="huey", gap="skip", twice=True)
CRONTAB = System(name="the package crontab", gap="shift", twice=False)
CRON = System(name="cron", gap="cron", twice=False, together=False)
KUBERNETES = System(name="Kubernetes", gap="ours", twice=False, together=False)
_FIVE = ("minute", "hour", "day", "month", "weekday")
_FIVE_FIELDS, _SIX_FIELDS, _SEVEN_FIELDS = 5, 6, 7
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_CELERY_SPANS = spans(weekday=Span(name="weekday", low=0, high=6, names=WEEKDAYS, open_step=False), open_step=False)
_CELERY_NAMES = {"day_of_month": "day", "month_of_year": "month", "day_of_week": "weekday"}


def croniter(name: str) -> System:
    """Return the rules of croniter, which *name* uses."""
    return System(name=name, gap="end", twice=True, together=False)


def celery(fields: Mapping[str, Any], zone: ZoneInfo) -> Reading:
    """Read a ``crontab(…)`` of Celery: what is not given is every minute, every hour and so on."""
    named = {_CELERY_NAMES.get(name, name): value for name, value in fields.items()}
    if unknown := named.keys() - set(_FIVE):
        raise Unreadable(f"crontab() of Celery has no {sorted(unknown)[0]}.")
    return reading_of({name: read_field(named.get(name, "*"), _CELERY_SPANS[name]) for name in _FIVE}, zone, CELERY)


def huey(fields: Mapping[str, Any], zone: ZoneInfo) -> Reading:
    """Read a ``crontab(…)`` of huey."""
    names = {"day_of_week": "weekday"}
    named = {names.get(name, name): value for name, value in fields.items()}
    read = {name: read_field(named.get(name, "*"), spans()[name]) for name in _FIVE}
    return reading_of(read, zone, HUEY)


def five(text: str, zone: ZoneInfo, system: System) -> Reading:
    """Read an expression of cron; the sixth field, where there is one, are the seconds.

    Raises:
        Unreadable: It has another number of fields, or one of them cannot be read.
    """
    given = ALIASES.get(text.strip().lower(), text)
    if given.startswith("@"):
        raise Unreadable(f"{given[:40]} is not a time.")
    texts = given.split()
    if len(texts) not in {_FIVE_FIELDS, _SIX_FIELDS}:
        raise Unreadable(f"{given[:60]!r} has {len(texts)} fields instead of five.")
    named = dict(zip((*_FIVE, "second"), texts, strict=False))
    special, named = _special(named)
    read = {name: read_field(part, spans()[name]) for name, part in named.items()}
    if system.gap == "end":  # croniter takes a field that allows everything for free
        read |= {name: FREE for name in ("day", "weekday") if _is_full(name, read[name])}
    read |= {name: Field(frozenset(), "*", is_free=True) for name in ("day", "weekday") if named[name] == "*"}
    return reading_of(read, zone, system, special)


def with_year(text: str, zone: ZoneInfo) -> Reading:
    """Read an expression of the package ``crontab``: its sixth field is the year."""
    texts = ALIASES.get(text, text).split()
    if len(texts) == _SIX_FIELDS and texts[-1] == "*":
        texts = texts[:-1]
    if len(texts) != _FIVE_FIELDS:
        raise Unreadable(f"{text[:60]!r} names years or seconds in a way that does not exist here.")
    return five(" ".join(texts), zone, CRONTAB)


def _is_full(name: str, field: Field) -> bool:
    return len(field.values) == {"day": 31, "weekday": 7}[name]


def _special(named: dict[str, str]) -> tuple[Special, dict[str, str]]:
    """Take ``L``, ``5L`` and ``1#2`` out of the fields; what is left of one may be ``*``."""
    nth, weekday_texts, rest = set(), [], []
    for part in named["weekday"].split(","):
        weekday, sign, number = part.partition("#")
        is_last = part[-1:] in {"L", "l"} and part != "L"
        if not sign and not is_last:
            rest.append(part)
            continue
        (day,) = read_field(part[:-1] if is_last else weekday, spans()["weekday"]).values
        if sign and number not in {"1", "2", "3", "4", "5"}:
            raise Unreadable(f"{part[:20]!r} in the field weekday cannot be read.")
        nth.add((day, -1 if is_last else int(number)))
        weekday_texts.append(f"{day}L" if is_last else f"{day}#{number}")
    days = named["day"].split(",")
    is_last_day = any(part.upper() == "L" for part in days)
    left = {
        "weekday": ",".join(rest) or "*",
        "day": ",".join(part for part in days if part.upper() != "L") or "*",
    }
    special = Special(
        nth=frozenset(nth),
        last=frozenset({0} if is_last_day else ()),
        day_texts=("L",) if is_last_day else (),
        weekday_texts=tuple(weekday_texts),
    )
    return special, named | left
