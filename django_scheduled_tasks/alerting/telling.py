"""Who is told what of an alert: from the rules that are about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.alerting.conditions import MARGINS
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


def late_margin(rules: Iterable[Rule]) -> timedelta:
    """Return how late a task has to be to be ``late``: as soon as one of the *rules* about it says so."""
    asked = [rule.margin or MARGINS[Kind.LATE] for rule in rules if Kind.LATE in rule.kinds]
    return min(asked, default=MARGINS[Kind.LATE])


def told_from(kind: Kind, rules: Iterable[Rule], now: datetime) -> datetime:
    """Return from when on a channel may be told of an alert: *now*, or when the first of the quiet hours ends.

    Args:
        kind: That of the alert.
        rules: Those that name the channel; none: it may be told now.
        now: The present instant.
    """
    ends = [rule.quiet_until(kind, now) for rule in rules if kind in rule.kinds]
    return min((end for end in ends if end is not None), default=now) if ends and None not in ends else now


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
    is_acknowledged: bool = False,
    is_silenced: bool = False,
) -> Iterator[Told]:
    """Yield what channels are told of an alert that is open, by now; what they were told already is among it.

    In quiet hours that is nothing: who asks again when they are over is told then, unless the alert is closed.

    Args:
        kind: That of the alert.
        rules: Those about its task or place; a channel that several name is told as the first of them asks.
        count: How often it has happened.
        opened_at: Since when.
        now: The present instant.
        is_acknowledged: Whether somebody knows of it, so that nobody is reminded.
        is_silenced: Whether somebody wants that nobody is told.
    """
    about = [rule for rule in rules if _asks(rule, kind, count=count, lasts=now - opened_at)]
    for channel in sorted(frozenset[int]().union(*(rule.channels for rule in about))):
        own = [rule for rule in about if channel in rule.channels]
        if is_silenced or told_from(kind, own, now) > now:
            continue
        yield Told(channel, Event.OPENED)
        every = _shortest(rule.remind_every for rule in own)
        number = reminder_number(opened_at, now, every) if every is not None else 0
        if number and not is_acknowledged:
            yield Told(channel, Event.REMINDER, number)


def _asks(rule: Rule, kind: Kind, *, count: int, lasts: timedelta) -> bool:
    """Whether *rule* wants an alert to be told that has happened so often, and lasts for so long."""
    if kind not in rule.kinds:
        return False
    if kind == Kind.FAILING:
        return count >= rule.terms.after
    return kind != Kind.LATE or lasts >= late_margin([rule])


def _shortest(intervals: Iterable[timedelta | None]) -> timedelta | None:
    found: Collection[timedelta] = [one for one in intervals if one is not None]
    return min(found, default=None)
