"""Everything that the metrics tell, read in three statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import OPEN, Status
from django_scheduled_tasks.models import BOUNDS, NO_END, HoldScope, Measure, PresenceKind
from django_scheduled_tasks.store.reading.scrape import (
    Counted,
    Gauge,
    NextRun,
    read_gauges,
    read_next_runs,
    read_totals,
)


@dataclass(slots=True)
class Histogram:
    """How long something took, as it was counted."""

    by_bound: Counter[int]
    """How many by the greatest bound that they are within, in milliseconds; ``NO_END``: beyond all."""
    seconds: float = 0.0
    """How long all took together."""

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (bound in seconds, how many took at most so long), the last one ``+Inf``."""
        found, sum_ = [], 0
        for bound in sorted(self.by_bound.keys() | {NO_END}):
            sum_ += self.by_bound[bound]
            found.append(("+Inf" if bound == NO_END else str(bound / 1000), float(sum_)))
        return found


@dataclass(slots=True)
class Queue:
    """What may start and waits for a worker, of one queue."""

    waiting: int = 0
    since: datetime | None = None
    """Since when the first one waits."""


@dataclass(slots=True)
class Readings:
    """What was read."""

    now: datetime
    totals: Sequence[Counted]
    next_runs: Sequence[NextRun]
    open: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(map(str, OPEN), 0)))
    """Executions by status."""
    queues: dict[str, Queue] = field(default_factory=lambda: defaultdict(Queue))
    """By name; the default one is called ``default``."""
    up: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(map(str, PresenceKind), 0)))
    """Processes that answer, by kind."""
    releases: Counter[str] = field(default_factory=Counter)
    """The same by the name of their release."""
    alerts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(map(str, Kind), 0)))
    """Those that are open, by kind."""
    holds: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(map(str, HoldScope), 0)))
    """Those that last, by what they are for."""
    histograms: dict[str, dict[str, Histogram]] = field(default_factory=lambda: defaultdict(dict))
    """By ``duration`` and ``lateness``, then by function."""
    uncounted: int = 0
    """How many executions have been written since what was counted last."""

    @property
    def named(self) -> int:
        """How many tasks have a name of their own."""
        return sum(bool(one.task) for one in self.totals)

    @property
    def unnamed(self) -> int:
        """How many tasks have neither a name of their own nor a key."""
        return sum(one.unnamed for one in self.next_runs)


def read_metrics() -> Readings:
    """Read all; three statements, however many tasks and executions there are."""
    totals, next_runs, gauges = read_totals(), read_next_runs(), read_gauges()
    now = next(one.moment for one in gauges if one.name == "now" and one.moment is not None)
    found = Readings(now, totals, next_runs)
    for one in gauges:
        if one.name in _TAKE:
            _TAKE[one.name](found, one)
    return found


def _open(found: Readings, one: Gauge) -> None:
    found.open[one.label] += one.number
    queue = found.queues[one.more or "default"]
    if one.label == Status.PENDING:
        queue.waiting += one.many
        queue.since = one.moment


def _process(found: Readings, one: Gauge) -> None:
    has_ended = not one.number
    if has_ended or one.moment is None or one.moment < found.now - get_settings().PRESENCE_TIMEOUT:
        return
    found.up[one.label] += 1
    if one.more:
        found.releases[one.more] += 1


def _bucket(found: Readings, one: Gauge) -> None:
    of_measure = found.histograms[one.more]
    if one.label not in of_measure:  # with all bounds, so that those of several functions can be added up
        of_measure[one.label] = Histogram(Counter(dict.fromkeys(BOUNDS[Measure(one.more)], 0)))
    histogram = of_measure[one.label]
    histogram.by_bound[one.number] += one.many
    histogram.seconds += one.seconds


def _alert(found: Readings, one: Gauge) -> None:
    found.alerts[one.label] += one.number


def _hold(found: Readings, one: Gauge) -> None:
    found.holds[one.label] += one.number


def _uncounted(found: Readings, one: Gauge) -> None:
    found.uncounted = max(one.number, 0)


_TAKE: Mapping[str, Callable[[Readings, Gauge], None]] = {
    "open": _open,
    "process": _process,
    "bucket": _bucket,
    "alert": _alert,
    "hold": _hold,
    "uncounted": _uncounted,
}
