"""What will be due: the one forecast that every preview shows, and what a change makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice, pairwise
from typing import Any

from django_scheduled_tasks.planner.decide import first_run_at
from django_scheduled_tasks.planner.late import INSTANT, before_end, first_not_skipped
from django_scheduled_tasks.planner.model import TaskPolicy
from django_scheduled_tasks.schedules import spread_from

DAYS = 7
SHOWN_A_DAY = 30
"""Of days with more occurrences only the number is told."""
MOST_COMPARED = 1_500
"""So many occurrences of each side are compared one by one; of more, days are counted."""
Window = tuple[datetime, datetime | None]
"""A hold: from when, inclusive, until when, exclusive; None: until somebody releases it."""


@dataclass(frozen=True, slots=True)
class Coming:
    """One occurrence ahead."""

    scheduled_for: datetime
    """The nominal instant."""
    not_before: datetime | None = None
    """When it starts, where the task is spread."""
    held: bool = False
    """Whether it falls into a hold: it then starts at its end, if catch-up and grace allow that."""

    @property
    def at(self) -> datetime:
        """When it starts, if nothing holds it."""
        return self.not_before or self.scheduled_for


def forecast(
    policy: TaskPolicy,
    *,
    now: datetime,
    run_count: int = 0,
    first: datetime | None = None,
    holds: Sequence[Window] = (),
    step: timedelta | None = None,
) -> Iterator[Coming]:
    """Yield what will be due, in order, as start, end, most runs, pause, switch, spread and skips of the task say.

    Args:
        policy: The task's.
        now: Aware.
        run_count: How many occurrences have started an execution.
        first: The first occurrence that is not handled yet, where that is known; None: it counts from now.
        holds: What holds the task.
        step: At most one occurrence in so much time: steps count from 1970.
    """
    instant = first_run_at(policy, now=now, run_count=run_count) if first is None else first
    instant = first_not_skipped(policy, instant)
    left = None if policy.max_runs is None else policy.max_runs - run_count
    while instant is not None and (left is None or left > 0):
        start = None
        if policy.spread:
            after = before_end(policy, policy.schedule.next_after(instant))
            start = spread_from(instant, after, task_id=policy.task_id, window=policy.spread)
        held = any(low <= instant and (high is None or instant < high) for low, high in holds)
        yield Coming(instant, start, held)
        later = instant if step is None else max(instant, _end_of_step(instant, step))
        if left is not None:
            left -= 1 if later == instant else policy.schedule.count(instant - INSTANT, later)
        instant = first_not_skipped(policy, before_end(policy, policy.schedule.next_after(later)))


def _end_of_step(at: datetime, step: timedelta) -> datetime:
    """Return the last second of the step that *at* lies in."""
    size = int(step.total_seconds())
    return at + timedelta(seconds=size - 1 - int(at.timestamp()) % size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a comparison has on one side: the task as it is, or as it will be."""

    policy: TaskPolicy
    run_count: int = 0
    first: datetime | None = None
    """As for :func:`forecast`."""
    holds: Sequence[Window] = ()

    def coming(self, now: datetime) -> Iterator[Coming]:
        """Yield what will be due."""
        return forecast(self.policy, now=now, run_count=self.run_count, first=self.first, holds=self.holds)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of both sides."""

    day: date
    before: tuple[Coming, ...]
    """Empty if there are more than :data:`SHOWN_A_DAY` on either side."""
    after: tuple[Coming, ...]
    count_before: int
    count_after: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change makes of the days ahead."""

    days: tuple[Day, ...]
    lost: int
    """How many of the occurrences before are none after; where days are counted, how many fewer there are."""
    new: int
    """How many of those after were none before; where days are counted, how many more there are."""
    same: int
    kept: frozenset[datetime]
    """When those start that are on both sides."""
    is_exact: bool
    """Whether the occurrences were compared one by one."""
    is_other: bool
    """Whether there is any difference, be it after these days."""
    ends: bool
    """Whether there was something ahead, and now there is nothing any more."""


def differ(before: Side, after: Side, *, now: datetime, zone: tzinfo) -> Difference:
    """Compare what will be due within the next seven days, and what is due next after them.

    Args:
        before: The task as it is.
        after: As it will be.
        now: Aware.
        zone: Whose days are meant.
    """
    today = now.astimezone(zone).date()
    edges = [_midnight(today + timedelta(days=number), zone) for number in range(DAYS + 2)]
    sides = [_until(side, now, edges[-1]) for side in (before, after)]
    found = [{one.at for one in side} for side in sides if side is not None]
    is_exact = len(found) == len(sides)
    counts = [_counts(side, read, edges, now) for side, read in zip((before, after), sides, strict=True)]
    days = tuple(
        _day(edges, number, sides, counts[0][number], counts[1][number])
        for number in range(len(edges) - 1)
        if number or counts[0][0] or counts[1][0]
    )
    totals = [sum(count) for count in counts]
    kept = frozenset(found[0] & found[1]) if is_exact else frozenset()
    same = len(kept) if is_exact else min(totals)
    firsts = [next((one.at for one in side.coming(now)), None) for side in (before, after)]
    return Difference(
        days=days,
        lost=totals[0] - same,
        new=totals[1] - same,
        same=same,
        kept=kept,
        is_exact=is_exact,
        is_other=firsts[0] != firsts[1] or (found[0] != found[1] if is_exact else _when(before) != _when(after)),
        ends=firsts[0] is not None and firsts[1] is None,
    )


def _when(side: Side) -> tuple[Any, ...]:
    """Return what decides when a side is due."""
    policy = side.policy
    span = (policy.starts_at, policy.ends_at, policy.max_runs)
    return (policy.schedule, policy.spread, *span, policy.enabled, policy.paused, policy.paused_until)


def _until(side: Side, now: datetime, end: datetime) -> list[Coming] | None:
    """Return what starts before *end*; None if that is too much to look at."""
    found: list[Coming] = []
    for one in islice(side.coming(now), MOST_COMPARED + 1):
        if one.scheduled_for >= end:
            return found
        found.append(one)
    return found if len(found) <= MOST_COMPARED else None


def _counts(side: Side, read: list[Coming] | None, edges: Sequence[datetime], now: datetime) -> list[int]:
    """Return how many are due on each day, by the nominal instant; not one by one where there are too many."""
    spans = list(pairwise(edges))
    if read is not None:
        return [sum(low <= one.scheduled_for < high for one in read) for low, high in spans]
    policy = side.policy
    first = next(side.coming(now)).scheduled_for
    left = None if policy.max_runs is None else policy.max_runs - side.run_count
    found = []
    for low, high in spans:
        end = high if policy.ends_at is None else min(high, policy.ends_at)
        begin = max(low, first)
        count = policy.schedule.count(begin - INSTANT, end - INSTANT) if begin < end else 0
        if left is not None:
            count = min(count, left)
            left -= count
        found.append(count)
    return found


def _day(edges: Sequence[datetime], number: int, sides: Sequence[list[Coming] | None], before: int, after: int) -> Day:
    shown: tuple[tuple[Coming, ...], ...] = ((), ())
    if max(before, after) <= SHOWN_A_DAY and all(side is not None for side in sides):
        low, high = edges[number], edges[number + 1]
        shown = tuple(tuple(one for one in side or () if low <= one.scheduled_for < high) for side in sides)
    return Day(edges[number].date(), shown[0], shown[1], before, after)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
