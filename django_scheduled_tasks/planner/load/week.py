"""The load of a week: the most processes that are busy at once, hour by hour, and the worst minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django_scheduled_tasks.planner.load.runs import Runs, Work, runs_of
from django_scheduled_tasks.planner.load.worst import Level, Worst, levels_of, worst_of

DAYS, HOURS = 7, 24
Cells = tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Load:
    """What :func:`load_of` answers."""

    start: datetime
    end: datetime
    days: tuple[date, ...]
    cells: Cells
    """For each day the most processes that are busy at once in each hour of the zone's clock; None: it skips the hour.
    """
    worst: tuple[Worst, ...]
    runs: Runs
    levels: tuple[Level, ...]

    @property
    def most(self) -> int:
        """The most of all hours."""
        return max((busy for day in self.cells for busy in day if busy is not None), default=0)


def load_of(works: Sequence[Work], first_day: date, zone: tzinfo, *, processes: int | None) -> Load:
    """Return how many processes *works* keep busy in the seven days from *first_day* on.

    It is what is expected: each run starts when it is due, and takes as long as usual. The same works give the same
    answer.

    Args:
        works: The tasks.
        first_day: In *zone*.
        zone: By whose clock days and hours are meant.
        processes: How many worker processes there are; None: nobody knows.
    """
    days = tuple(first_day + timedelta(days=number) for number in range(DAYS))
    start = datetime.combine(first_day, time(), zone).astimezone(UTC)
    end = datetime.combine(first_day + timedelta(days=DAYS), time(), zone).astimezone(UTC)
    runs = runs_of(works, start, end)
    levels = tuple(levels_of(runs, works))
    worst = tuple(worst_of(runs, works, levels, processes))
    return Load(start, end, days, _cells(levels, first_day, zone), worst, runs, levels)


def _cells(levels: Sequence[Level], first_day: date, zone: tzinfo) -> Cells:
    found: list[list[int | None]] = [[None] * HOURS for _day in range(DAYS)]
    known: dict[int, tuple[int, int]] = {}
    for level in levels:
        hour = level.start // 1_800  # half an hour: some clocks change by that
        if hour not in known:
            local = datetime.fromtimestamp(level.start, zone)
            known[hour] = ((local.date() - first_day).days, local.hour)
        day, place = known[hour]
        found[day][place] = max(found[day][place] or 0, level.busy)
    return tuple(map(tuple, found))
