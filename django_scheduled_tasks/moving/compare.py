"""Where the due times of the old scheduler and ours part, and why, within two years."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules.fields import Reading
from django_scheduled_tasks.planner import TaskPolicy, forecast
from django_scheduled_tasks.schedules.wall import transitions_between

LOOKS_AHEAD = timedelta(days=731)
_NEAR = timedelta(hours=3)
_BEFORE_CHANGE, _AT_CHANGE, _BETWEEN = timedelta(minutes=1), 300, 60
_FORTNIGHT = timedelta(days=15)
_SHOWN = 3
INSTANT = timedelta(seconds=1)


class Verdict(StrEnum):
    """What becomes of a task of the old scheduler."""

    SAME = "same"
    """It runs at the same times."""
    DIFFERS = "differs"
    """It runs at other times as well, or not at some."""
    LOSES = "loses"
    """It runs at the same times, but something that it had does not exist here."""
    CANNOT = "cannot"
    """It cannot be moved."""


@dataclass(slots=True)
class Parting:
    """Where two schedules part."""

    only_old: list[datetime] = field(default_factory=list)
    only_new: list[datetime] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many instants are on one side only; of a schedule that is often due, of those that were looked at."""
        return len(self.only_old) + len(self.only_new)


@dataclass(slots=True)
class Difference:
    """All of it: what comes from changes of the clock, and the rest."""

    at_changes: Parting = field(default_factory=Parting)
    else_: Parting = field(default_factory=Parting)

    def __bool__(self) -> bool:
        return bool(self.at_changes.count or self.else_.count)

    @property
    def only_at_changes(self) -> bool:
        """Whether they part at changes of the clock, and nowhere else."""
        return bool(self.at_changes.count) and not self.else_.count


def compare(reading: Reading, policy: TaskPolicy, *, now: datetime) -> Difference:
    """Compare the due times of the old scheduler with ours.

    A schedule that is rarely due is compared instant by instant; one that is often due for a while now, around each
    change of the clock, and once a fortnight.

    Args:
        reading: As it was.
        policy: As it is here.
        now: Aware; from when on.
    """
    found, until = Difference(), now + LOOKS_AHEAD
    zones = {ZoneInfo(reading.timezone), getattr(policy.schedule, "timezone", None) or ZoneInfo(reading.timezone)}
    changes = sorted({change.at for zone in zones for change in transitions_between(zone, now, until)})
    stops = [(at - _BEFORE_CHANGE, _AT_CHANGE) for at in changes]
    at = now + _FORTNIGHT
    while at < until:
        stops.append((at, _BETWEEN))
        at += _FORTNIGHT
    stretches = [(now, _BETWEEN), *sorted(stops)]
    for index, (begin, number) in enumerate(stretches):
        end = stretches[index + 1][0] if index + 1 < len(stretches) else until
        _compare(_old(reading, policy, begin), _new(policy, begin), number, end, found, changes)
    return found


def _compare(
    old: Iterator[datetime],
    new: Iterator[datetime],
    number: int,
    end: datetime,
    found: Difference,
    changes: list[datetime],
) -> None:
    """Compare instants before *end*, *number* on each side at most."""
    sides = [list(_until(side, end, number)) for side in (old, new)]
    if all(len(side) == number for side in sides):
        last = min(side[-1] for side in sides)
        sides = [[one for one in side if one <= last] for side in sides]
    theirs, ours = map(set, sides)
    for one in sorted(theirs ^ ours):
        parting = found.at_changes if any(abs(one - at) <= _NEAR for at in changes) else found.else_
        (parting.only_old if one in theirs else parting.only_new).append(one)


def _until(instants: Iterator[datetime], end: datetime, number: int) -> Iterator[datetime]:
    for one in islice(instants, number):
        if one >= end:
            return
        yield one


def _old(reading: Reading, policy: TaskPolicy, begin: datetime) -> Iterator[datetime]:
    """Yield what is due in the old scheduler, from its start and until its end."""
    begin -= INSTANT
    if policy.starts_at is not None and policy.starts_at > begin:
        begin = policy.starts_at - INSTANT
    for one in islice(reading.due.after(begin), policy.max_runs):
        if policy.ends_at is not None and one >= policy.ends_at:
            return
        yield one


def _new(policy: TaskPolicy, begin: datetime) -> Iterator[datetime]:
    for coming in forecast(policy, now=begin - INSTANT):
        yield coming.scheduled_for


def sentences(reading: Reading, difference: Difference, zone: tzinfo) -> list[str]:
    """Return what to tell of *difference*, a sentence each."""
    found = []
    if difference.else_.count:
        why = reading.why or f"{reading.system.name} has another rule for it."
        found.append(f"{why} {_times(difference.else_, reading.system.name, zone)}")
    parting = difference.at_changes
    if parting.count:
        first = min(parting.only_old + parting.only_new)
        day = [[one for one in side if abs(one - first) <= 2 * _NEAR] for side in (parting.only_old, parting.only_new)]
        times = _times(Parting(*day), reading.system.name, zone)
        found.append(f"When the clock changes, {reading.system.name} has another rule. {times}")
    return found


def _times(parting: Parting, system: str, zone: tzinfo) -> str:
    sides = [(parting.only_old, f"only {system}"), (parting.only_new, "only here")]
    texts = []
    for instants, whose in sides:
        if instants:
            shown = ", ".join(_text(one, zone) for one in instants[:_SHOWN])
            rest = len(instants) - _SHOWN
            texts.append(f"{whose}: {shown}" + (f" and {rest} more" if rest > 0 else ""))
    text = "; ".join(texts)
    return f"{text[0].upper()}{text[1:]}."


def _text(instant: datetime, zone: tzinfo) -> str:
    local = instant.astimezone(zone)
    return f"{local:%a %Y-%m-%d %H:%M}" + (f":{local:%S}" if local.second else "") + (" (again)" if local.fold else "")
