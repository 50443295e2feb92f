"""What a schedule under calendars has left out, and what it has moved to an instant: for the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.schedules.base import EARLIEST, SECOND
from django_scheduled_tasks.schedules.calendars.calendar import Exclusion
from django_scheduled_tasks.schedules.calendars.excluding import (
    DELAY,
    MOST_LOOKED_AT,
    MOST_RUNS,
    NEXT_ALLOWED,
    SKIP,
    SLACK,
    WithCalendars,
)

MOST_NAMED = 3
"""So many exclusions of a stretch are named."""
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An unbroken stretch of occurrences that calendars have left out."""

    last: datetime
    """The nominal instant of the last one."""
    count: int
    exclusions: tuple[Exclusion, ...]
    """What excluded them, in order; at most :data:`MOST_NAMED`, of more the first ones."""


@dataclass(frozen=True, slots=True)
class Landed:
    """The excluded occurrences that are due at one instant instead."""

    first: datetime
    """The nominal instant of the first one."""
    count: int
    exclusions: tuple[Exclusion, ...]


def left_out(schedule: WithCalendars, after: datetime | None, before: datetime) -> LeftOut | None:
    """Return what calendars have left out between *after* and *before*, both exclusive; None if nothing.

    Args:
        after: From when on; None: as far back as the stretch before *before* reaches.
        before: When it is due, or any instant.
    """
    last = schedule.schedule.previous_before(before)
    if last is None or (after is not None and last <= after) or schedule.exclusion_at(last) is None:
        return None
    find = _left_out if schedule.on_excluded == SKIP else _left_out_one_by_one
    return find(schedule, after, last)


def last_left_out(schedule: WithCalendars, after: datetime, before: datetime) -> LeftOut | None:
    """Return the last stretch between two instants, exclusive, also if it does not reach to the second one."""
    edge = before
    while edge > after:
        found = schedule.exclusion_at(edge - SECOND)
        if found is not None and (stretch := left_out(schedule, after, min(found.end, before))) is not None:
            return stretch
        edge = edge - _HOUR if found is None else found.start
    return None


def landed_at(schedule: WithCalendars, instant: datetime) -> Landed | None:
    """Return the excluded occurrences that are due at *instant* instead; None if there are none."""
    if schedule.on_excluded == SKIP:
        return None
    if schedule.on_excluded == DELAY:
        if (found := schedule.exclusion_at(instant - SECOND)) is None:
            return None
        start = schedule.start_of(instant - SECOND) or found.start
        first = schedule.schedule.next_after(start - SECOND)
        if first is None or first >= instant:
            return None
        return Landed(
            first, schedule.schedule.count(start - SECOND, instant - SECOND), _exclusions(schedule, first, instant)
        )
    return _landed_by_days(schedule, instant)


def _landed_by_days(schedule: WithCalendars, instant: datetime) -> Landed | None:
    is_forward = schedule.on_excluded == NEXT_ALLOWED
    beside = instant - _DAY if is_forward else instant + _DAY
    if not schedule.excludes(beside - SLACK, beside + SLACK):
        return None
    edge = schedule.untouched_before(instant) if is_forward else instant
    until = instant if is_forward else schedule.untouched_after(instant)
    found: list[datetime] = []
    exclusions: list[Exclusion] = []
    nominal = schedule.schedule.next_after(edge)
    while nominal is not None and nominal <= until:
        if (exclusion := schedule.exclusion_at(nominal)) is not None and schedule.effective(nominal) == instant:
            found.append(nominal)
            exclusions.append(exclusion)
        nominal = schedule.schedule.next_after(nominal)
    return Landed(found[0], len(found), _distinct(exclusions)) if found else None


def _left_out(schedule: WithCalendars, after: datetime | None, last: datetime) -> LeftOut | None:
    """Return the stretch that ends with *last*: back from one exclusion to the one before it."""
    exclusions: list[Exclusion] = []
    nominal: datetime | None = last
    for _ in range(MOST_RUNS):
        if nominal is None or (after is not None and nominal <= after):
            break
        if (found := schedule.exclusion_at(nominal)) is None:
            break
        exclusions.append(found)
        nominal = schedule.schedule.previous_before(min(nominal, found.start))
    edge = max((one for one in (after, nominal) if one is not None), default=EARLIEST)
    return LeftOut(last, max(schedule.schedule.count(edge, last), 1), _distinct(reversed(exclusions)))


def _left_out_one_by_one(schedule: WithCalendars, after: datetime | None, last: datetime) -> LeftOut | None:
    found: list[datetime] = []
    exclusions: list[Exclusion] = []
    nominal: datetime | None = last
    for _ in range(MOST_LOOKED_AT):
        if nominal is None or (after is not None and nominal <= after):
            break
        if (exclusion := schedule.exclusion_at(nominal)) is None:
            break
        if schedule.on_excluded == DELAY and schedule.end_of(nominal) is not None:
            break
        if schedule.effective(nominal) is None:
            found.append(nominal)
            exclusions.append(exclusion)
        nominal = schedule.schedule.previous_before(nominal)
    return LeftOut(found[0], len(found), _distinct(reversed(exclusions))) if found else None


def _exclusions(schedule: WithCalendars, first: datetime, before: datetime) -> tuple[Exclusion, ...]:
    """Return what excludes the occurrences from *first* to *before*, from one exclusion to the next."""
    found: list[Exclusion] = []
    nominal: datetime | None = first
    while nominal is not None and nominal < before and len(found) < MOST_NAMED:
        exclusion = schedule.exclusion_at(nominal)
        if exclusion is not None:
            found.append(exclusion)
        nominal = schedule.schedule.next_after(nominal if exclusion is None else exclusion.end - SECOND)
    return _distinct(found)


def _distinct(exclusions: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """Return the first of *exclusions*, those of the same name once."""
    found: dict[tuple[str, str], Exclusion] = {}
    for one in exclusions:
        found.setdefault((one.calendar, one.label), one)
    return tuple(found.values())[:MOST_NAMED]
