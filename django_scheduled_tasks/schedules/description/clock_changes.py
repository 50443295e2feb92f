"""Sentences about what a change of the clock makes of a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from django_scheduled_tasks.schedules.base import SECOND, Schedule
from django_scheduled_tasks.schedules.description.phrases import MOST_LISTED
from django_scheduled_tasks.schedules.kinds.cron import Cron
from django_scheduled_tasks.schedules.texts import clock, join_and, short_day
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.wall import Transition, transitions_between

LOOK_AHEAD = timedelta(days=400)
_HOURS = 24


class EffectKind(StrEnum):
    """What a change of the clock makes of a task."""

    MOVED = "moved"
    """Its time is skipped, so it runs at the first instant after the gap; several such times are one run."""
    ONCE = "once"
    """Its time comes twice, and it runs once, the first time."""
    LEFT_OUT = "left_out"
    """It follows the real clock, so a time that is skipped does not occur."""
    TWICE = "twice"
    """It follows the real clock, so it runs both times."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change makes of a schedule."""

    kind: EffectKind
    sentence: str
    """Translated, with a full stop."""


def effect_of(schedule: Schedule, change: Transition, *, with_weekday: bool = True) -> Effect | None:
    """Return what *change* makes of *schedule*; None if nothing, or the schedule does not go by the wall clock.

    What is due each hour of the day goes on from hour to hour, so nothing becomes of it.

    Args:
        schedule: Any.
        change: Of its zone.
        with_weekday: Whether the date is told with the day of the week.
    """
    low, high = sorted((change.wall_before, change.wall_after))
    walls = list(islice(schedule.walls_meant_once(low, high), MOST_LISTED + 1))
    if walls:
        date = short_day(walls[0].date(), with_weekday=with_weekday)
        kind = EffectKind.MOVED if change.is_gap else EffectKind.ONCE
        return Effect(kind, _gap(change, walls, date) if change.is_gap else _overlap(change, walls, date))
    if not isinstance(schedule, Cron) or not schedule.fields.hour_moves or len(schedule.fields.hours) == _HOURS:
        return None
    if not schedule.fields.count(low - SECOND, high - SECOND):
        return None
    values = {"date": short_day(low.date(), with_weekday=with_weekday), "first": clock(low), "last": clock(high)}
    if change.is_gap:
        text = _("On %(date)s the clock skips the times from %(first)s to %(last)s; it leaves them out.")
        return Effect(EffectKind.LEFT_OUT, text % values)
    text = _("On %(date)s the times from %(first)s to %(last)s come twice; it runs both times.")
    return Effect(EffectKind.TWICE, text % values)


def clock_changes(schedule: Schedule, now: datetime) -> Iterator[str]:
    """Yield a text that names the next change that skips one of its times, and the next one that shows one twice."""
    sentences: list[str] = []
    seen: set[bool] = set()
    for change in transitions_between(schedule.zone, now, now + LOOK_AHEAD):
        if change.is_gap in seen:
            continue
        found = effect_of(schedule, change, with_weekday=not sentences)
        if found is not None and found.kind in {EffectKind.MOVED, EffectKind.ONCE}:
            seen.add(change.is_gap)
            sentences.append(found.sentence)
    if sentences:
        yield " ".join(sentences)


def _gap(change: Transition, walls: list[datetime], date: str) -> str:
    values = {"date": date, "then": clock(change.wall_after)}
    if len(walls) == 1:
        text = _("On %(date)s the clock skips %(times)s, so it runs at %(then)s.")
    else:
        text = _("On %(date)s the clock skips %(times)s, so it runs once, at %(then)s.")
    return text % {**values, "times": _times(walls, change.wall_before, change.wall_after)}


def _overlap(change: Transition, walls: list[datetime], date: str) -> str:
    if len(walls) == 1:
        text = _("On %(date)s %(times)s comes twice; it runs once.")
    else:
        text = _("On %(date)s %(times)s come twice; it runs once for each.")
    return text % {"date": date, "times": _times(walls, change.wall_after, change.wall_before)}


def _times(walls: list[datetime], low: datetime, high: datetime) -> str:
    if len(walls) > MOST_LISTED:
        return _("the times from %(first)s to %(last)s") % {"first": clock(low), "last": clock(high)}
    return join_and([clock(item) for item in walls])
