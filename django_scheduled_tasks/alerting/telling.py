"""Who is told what of an alert: from the rules that are about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.alerting.model import Event, Kind, Rule, Terms


@dataclass(frozen=True, slots=True)
class Told:
    """One channel is told of one event; of the same event with the same number it is never told twice."""

    channel: int
    event: Event
    number: int = 0
    """Of a reminder: which one."""


def terms_of(kind: Kind, rules: Iterable[Rule]) -> Terms:
    """Return when an alert opens, as soon as one of *rules* asks it, and closes, when none wants more successes."""
    asked = [rule.terms for rule in rules if kind in rule.kinds]
    if not asked:
        return Terms()
    return Terms(min(terms.after for terms in asked), max(terms.closes_after for terms in asked))


def is_quiet(now: datetime, *, is_acknowledged: bool, silenced_until: datetime | None) -> bool:
    """Whether nobody is reminded of an alert at *now*."""
    return is_acknowledged or (silenced_until is not None and silenced_until > now)


def reminder_number(opened_at: datetime, now: datetime, every: timedelta) -> int:
    """Return which reminder is the last that is due; 0: none yet."""
    return max((now - opened_at) // every, 0) if every > timedelta(0) else 0


def wanted(
    kind: Kind,
    rules: Iterable[Rule],
    *,
    count: int,
    opened_at: datetime,
    now: datetime,
    is_quiet: bool = False,
) -> Iterator[Told]:
    """Yield what channels are told of an alert that is open, by now; what they were told already is among it.

    Args:
        kind: That of the alert.
        rules: Those about its task or place; a channel that several name is told as the first of them asks.
        count: How often it has happened.
        opened_at: Since when.
        now: The present instant.
        is_quiet: Whether it was acknowledged or silenced.
    """
    about = [rule for rule in rules if kind in rule.kinds and (kind != Kind.FAILING or count >= rule.terms.after)]
    for channel in sorted(frozenset[int]().union(*(rule.channels for rule in about))):
        yield Told(channel, Event.OPENED)
        every = _shortest(rule.remind_every for rule in about if channel in rule.channels)
        number = reminder_number(opened_at, now, every) if every is not None else 0
        if number and not is_quiet:
            yield Told(channel, Event.REMINDER, number)


def _shortest(intervals: Iterable[timedelta | None]) -> timedelta | None:
    found: Collection[timedelta] = [one for one in intervals if one is not None]
    return min(found, default=None)
