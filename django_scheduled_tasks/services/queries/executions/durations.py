"""How long the executions of a task took, and how they ended: of its newest runs, and day by day; reading only."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from django_scheduled_tasks.alerting import too_long_after
from django_scheduled_tasks.alerting.conditions import LEAST_SAMPLES, SAMPLES, usual_limit
from django_scheduled_tasks.lifecycle import ENDED, Outcome
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.queries.executions.timeline import kind_of
from django_scheduled_tasks.store.reading.days import ends_by_day

RUNS, DAYS = 100, 90
A_DAY = 40
"""Of each day so many executions are looked at, the newest."""
_DAY = timedelta(days=1)
_NOT_COUNTED = frozenset({Outcome.SKIPPED, Outcome.CANCELLED})
"""What somebody or something wanted not to run says nothing about whether the task succeeds."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution that has ended."""

    number: int
    kind: str
    """``ok``, ``bad``, or ``other``: it never ran, or was cancelled."""
    at: datetime
    """When it started; of one that never did when it was due."""
    took: timedelta | None = None
    counts: bool = True
    """Whether it says something about whether the task succeeds."""


@dataclass(frozen=True, slots=True)
class Durations:
    """The newest runs of a task, and what they say."""

    runs: Sequence[Run]
    """Oldest first."""
    usual: timedelta | None = None
    """Within which half of those end that succeed (p50); None until enough did."""
    within: timedelta | None = None
    """Within which 19 of 20 do (p95); None until enough did."""
    limit: timedelta | None = None
    """After what time one runs for too long."""

    @property
    def counted(self) -> list[Run]:
        """Those that succeeded or should have."""
        return [run for run in self.runs if run.counts]

    @property
    def succeeded(self) -> list[Run]:
        """Those that succeeded."""
        return [run for run in self.runs if run.kind == "ok"]

    @property
    def longest(self) -> Run | None:
        """The one that took the longest of those that succeeded."""
        return max(self.succeeded, key=lambda run: run.took or timedelta(0), default=None)

    @property
    def last_failed(self) -> Run | None:
        """The newest that failed."""
        return next((run for run in reversed(self.runs) if run.kind == "bad"), None)


def durations_of(task: ScheduledTask, executions: Iterable[Execution]) -> Durations:
    """Return what *executions*, the newest of *task* first, say; nothing is asked of the database."""
    runs = [_run(row) for row in executions if row.status in ENDED][:RUNS]
    took = [run.took for run in runs if run.kind == "ok" and run.took is not None]
    knows = len(took) >= LEAST_SAMPLES
    return Durations(
        runs=runs[::-1],
        usual=_median(took) if knows else None,
        within=usual_limit(took) if knows else None,
        limit=too_long_after(task.max_runtime, took[:SAMPLES]),
    )


def _run(row: Execution) -> Run:
    kind = kind_of(row.status, row.outcome)
    took = row.completed_at - row.started_at if row.completed_at and row.started_at else None
    at = row.started_at or row.scheduled_for or row.triggered_at
    return Run(row.pk, kind, at, took if kind in {"ok", "bad"} else None, row.outcome not in _NOT_COUNTED)


# --- days ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Day:
    """The executions of one day."""

    day: date
    start: datetime
    end: datetime
    took: list[timedelta] = field(default_factory=list)
    """How long those took that succeeded."""
    failed: int = 0
    others: int = 0

    @property
    def median(self) -> timedelta | None:
        """How long half of those took at most that succeeded."""
        return _median(self.took) if self.took else None

    @property
    def is_cut(self) -> bool:
        """Whether there may be more than was looked at."""
        return len(self.took) + self.failed + self.others >= A_DAY


def days_of(task: ScheduledTask, now: datetime) -> list[Day]:
    """Return the last :data:`DAYS` days of the current time zone, oldest first; two statements.

    They read at most :data:`A_DAY` executions of each day, however many there are.
    """
    zone = timezone.get_current_timezone()
    today = timezone.localtime(now).date()
    dates = [today - timedelta(days=number) for number in range(DAYS - 1, -2, -1)]
    edges = [datetime.combine(day, time.min, zone) for day in dates]
    days = [Day(day, start, end) for day, start, end in zip(dates, edges, edges[1:], strict=False)]
    for place, _number, status, outcome, began, ended in ends_by_day(task.pk, edges, count=A_DAY):
        if began is not None and not edges[place] - _DAY <= began < edges[place + 1] + _DAY:
            continue  # numbers follow the time, but for what was written later, as by an import
        kind = kind_of(status, outcome)
        if kind == "ok" and began and ended:
            days[place].took.append(ended - began)
        elif kind == "bad":
            days[place].failed += 1
        elif kind == "other":
            days[place].others += 1
    return days


def _median(took: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=statistics.median(one.total_seconds() for one in took))
