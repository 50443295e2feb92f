"""The stretches in which more is due at once than there are processes, and how long what then has to wait."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from django_scheduled_tasks.planner.load.runs import HOUR, Run, Runs, Work

MOST_WORST = 5
MOST_WAITING = 5_000
"""Of one stretch the waiting of so many runs is worked out."""
_NEAR = 60
"""Stretches with less between them, in seconds, are one."""


@dataclass(slots=True)
class Level:
    """Between two instants the number of processes that are busy is the same."""

    start: int
    end: int
    busy: int


@dataclass(frozen=True, slots=True)
class Worst:
    """One stretch that needs more processes than there are."""

    at: datetime
    """The minute in which it begins."""
    until: datetime
    busy: int
    """Most processes busy at once."""
    over: timedelta
    """For how long it is more than there are."""
    works: tuple[int, ...]
    """What is due in it, in order of time: places in the list of works."""
    due: int
    """How many tasks that are."""
    waits: tuple[tuple[int, timedelta], ...]
    """Which works wait the longest, and up to how long; the longest first."""
    times: int = 1
    """How often the same tasks meet like this; it is the worst of them, else the first."""


def levels_of(runs: Runs, works: Sequence[Work]) -> Iterator[Level]:
    """Yield how many processes are busy, in order of time; a level ends with each hour."""
    edges: dict[int, int] = dict.fromkeys(range(runs.low, runs.high + 1, HOUR), 0)
    edges.setdefault(runs.high, 0)
    for run in runs.single:
        count = works[run.work].count
        edges[run.start] = edges.get(run.start, 0) + count
        edges[run.end] = edges.get(run.end, 0) - count
    busy = 0
    for start, end in pairwise(sorted(edges)):
        busy += edges[start]
        if start >= runs.low and end <= runs.high:
            yield Level(start, end, int(busy + runs.rates[(start - runs.low) // HOUR] + 0.5))


def worst_of(
    runs: Runs, works: Sequence[Work], levels: Sequence[Level], processes: int | None, most: int = MOST_WORST
) -> list[Worst]:
    """Return the stretches that need the most processes, the worst first.

    Those in which the same tasks meet at other times are one, with their number.

    Args:
        runs: What is due.
        works: Whose places the runs name.
        levels: As of :func:`levels_of`.
        processes: How many there are; None: nobody knows, then all count in which two are busy at once.
        most: How many are returned.
    """
    limit = processes or 1
    starts = [run.start for run in runs.single]
    known: dict[tuple[int, ...], list[tuple[list[Level], list[Run]]]] = {}
    for stretch in _stretches(levels, limit):
        low = stretch[0].start // 60 * 60
        due = runs.single[bisect_left(starts, low) : bisect_left(starts, stretch[-1].end)]
        known.setdefault(tuple(sorted({run.work for run in due})), []).append((stretch, due))
    worst = [
        (*max(found, key=lambda one: (_peak(one[0]), _length(one[0], limit), -one[0][0].start)), len(found))
        for found in known.values()
    ]
    worst.sort(key=lambda one: (-_peak(one[0]), -_length(one[0], limit), one[0][0].start))
    return [_told(runs, works, *one, processes) for one in worst[:most] if one[1]]


def _stretches(levels: Sequence[Level], limit: int) -> Iterator[list[Level]]:
    """Yield the levels of each stretch in which more than *limit* are busy at once."""
    stretch: list[Level] = []
    for level in levels:
        if level.busy > limit:
            if stretch and level.start - stretch[-1].end > _NEAR:
                yield stretch
                stretch = []
            stretch.append(level)
    if stretch:
        yield stretch


def _peak(stretch: Sequence[Level]) -> int:
    return max(level.busy for level in stretch)


def _length(stretch: Sequence[Level], limit: int) -> int:
    return sum(level.end - level.start for level in stretch if level.busy > limit)


def _told(
    runs: Runs, works: Sequence[Work], stretch: Sequence[Level], due: Sequence[Run], times: int, processes: int | None
) -> Worst:
    places = tuple(dict.fromkeys(run.work for run in due))
    low = stretch[0].start // 60 * 60
    return Worst(
        at=datetime.fromtimestamp(low, UTC),
        until=datetime.fromtimestamp(stretch[-1].end, UTC),
        busy=_peak(stretch),
        over=timedelta(seconds=_length(stretch, processes or 1)),
        works=places,
        due=sum(works[place].count for place in places),
        waits=tuple(_waits(runs, works, low, stretch[-1].end, processes)) if processes else (),
        times=times,
    )


def _waits(runs: Runs, works: Sequence[Work], low: int, high: int, processes: int) -> Iterator[tuple[int, timedelta]]:
    """Yield who waits in a stretch and up to how long, the longest first: who is due first is taken first."""
    often = int(runs.rates[(low - runs.low) // HOUR] + 0.5)
    free = [low] * max(processes - often, 1)
    longest: dict[int, int] = {}
    taken = 0
    for run in runs.single:
        if run.start >= high or taken >= MOST_WAITING:
            break
        if run.end <= low:
            continue
        for _number in range(works[run.work].count):
            taken += 1
            begin = max(run.start, heapq.heappop(free))
            heapq.heappush(free, begin + run.end - run.start)
            if begin > run.start and run.start >= low:
                longest[run.work] = max(longest.get(run.work, 0), begin - run.start)
            if taken >= MOST_WAITING:
                break
    for place, seconds in sorted(longest.items(), key=lambda item: (-item[1], item[0])):
        yield place, timedelta(seconds=seconds)


def busiest_between(levels: Sequence[Level], low: datetime, high: datetime) -> int:
    """Return how many processes are busy at most between two instants."""
    begin, end = low.timestamp(), high.timestamp()
    return max((level.busy for level in levels if level.start < end and level.end > begin), default=0)
