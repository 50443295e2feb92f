"""The runs of some days: each with its beginning and end; of what is due often how busy it keeps workers, by hours.

All in whole seconds since 1970: a week of many tasks is a long list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.planner.forecast import forecast
from django_scheduled_tasks.planner.late import INSTANT, following
from django_scheduled_tasks.planner.model import TaskPolicy

HOUR = 3_600
OFTEN = 12
"""What is due more often than this in the hour from its first instant on is counted by its rate."""
MOST_RUNS = 200_000
"""So many runs are looked at one by one; tasks after those are counted by their rate."""
MOST_BY_HOURS = 200
"""Of so many tasks that are due often the rate is computed for each hour; that of the others is the same at all hours.
"""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task, or several that are due at the same instants and take as long."""

    policy: TaskPolicy
    takes: timedelta
    """How long a run usually takes; a second is the least that counts."""
    count: int = 1
    """How many tasks."""
    run_count: int = 0
    """How many occurrences have started an execution."""

    @property
    def seconds(self) -> int:
        """How long a run takes, in whole seconds."""
        return max(1, round(self.takes.total_seconds()))


class Run(NamedTuple):
    """One run of each task of one work."""

    start: int
    end: int
    work: int
    """Its place in the list of works."""


@dataclass(slots=True)
class Runs:
    """What is due."""

    low: int
    """From when, inclusive; the beginning of an hour."""
    high: int
    """Until when, exclusive."""
    single: list[Run] = field(default_factory=list)
    """In order of time."""
    rates: list[float] = field(default_factory=list)
    """How many processes are busy on average with what is due often, hour by hour."""


def runs_of(works: Sequence[Work], low: datetime, high: datetime) -> Runs:
    """Return the runs of *works* that are due from *low*, inclusive, to *high*, exclusive.

    A run ends at the latest when the next one of its task begins, unless the task runs side by side with itself.

    Args:
        works: In an order that decides, where there is too much to look at, what is counted by its rate.
        low: Aware; whole seconds.
        high: Aware; whole seconds.
    """
    begin, end = int(low.timestamp()), int(high.timestamp())
    found = Runs(begin, end, rates=[0.0] * -(-(end - begin) // HOUR))
    by_hours = 0
    for place, work in enumerate(works):
        first = following(work.policy, max(low, _over_at(work.policy) or low) - INSTANT)
        if first is None or first >= high:
            continue
        if _is_frequent(work, first):
            by_hours += 1
            _add_rate(found, work, first, each_hour=by_hours <= MOST_BY_HOURS)
        elif len(found.single) >= MOST_RUNS:
            _add_rate(found, work, first, each_hour=False)
        else:
            found.single += _single(place, work, first, high)
    found.single.sort()
    return found


def _over_at(policy: TaskPolicy) -> datetime | None:
    """Return when the task's pause ends by itself."""
    return policy.paused_until if policy.paused else None


def _is_frequent(work: Work, first: datetime) -> bool:
    schedule = work.policy.schedule
    after = schedule.next_after(first)
    if after is None or after - first >= timedelta(seconds=HOUR) / OFTEN:  # the usual case costs little
        return False
    return schedule.count(first - _SECOND, first + timedelta(seconds=HOUR) - _SECOND) > OFTEN


def _single(place: int, work: Work, first: datetime, high: datetime) -> Iterator[Run]:
    is_alone, takes = work.policy.overlap != Overlap.ALLOW, work.seconds
    last: int | None = None
    for one in forecast(work.policy, now=first, first=first, run_count=work.run_count):
        if one.scheduled_for >= high:
            break
        start = int(one.at.timestamp())
        if last is not None:
            yield Run(last, min(last + takes, start) if is_alone else last + takes, place)
        last = start
    if last is not None:
        yield Run(last, last + takes, place)


def _add_rate(found: Runs, work: Work, first: datetime, *, each_hour: bool) -> None:
    end = found.high if work.policy.ends_at is None else min(found.high, int(work.policy.ends_at.timestamp()))
    begin = int(first.timestamp())
    hours = len(found.rates)
    spans = (
        [(number, found.low + number * HOUR, found.low + (number + 1) * HOUR) for number in range(hours)]
        if each_hour
        else [(-1, begin, end)]
    )
    for number, low, high in spans:
        low, high = max(low, begin), min(high, end)  # noqa: PLW2901
        if low >= high:
            continue
        count = work.policy.schedule.count(_at(low) - _SECOND, _at(high) - _SECOND)
        busy = count * work.seconds / (high - low)
        busy = (busy if work.policy.overlap == Overlap.ALLOW else min(busy, 1.0)) * work.count
        for hour in [number] if number >= 0 else range((low - found.low) // HOUR, -(-(high - found.low) // HOUR)):
            found.rates[hour] += busy


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
