"""Executions over time, for charts: counted in buckets with a cap, so that the cost does not grow with the table."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import connections
from django.db.models import QuerySet

from django_scheduled_tasks.db.clock import as_instant
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import FAILED_OUTCOMES, Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.planner import forecast
from django_scheduled_tasks.services.visibility import for_viewer
from django_scheduled_tasks.store.reading.buckets import count_grouped

BUCKET_CAP = 150
"""The most executions of one bucket that are looked at; of more, the number is extrapolated from the newest."""
STRIP_CAP = 200
"""The most executions of one step of the day's strip that are looked at."""
STEPS_CAP = 500
"""The most future instants that are computed for one page."""
OF_POLICY = (
    *("calendars", "on_excluded", "calendar_stamps", "calendars_since"),
    *("schedule_kind", "expression", "timezone", "starts_at", "ends_at", "created_at", "max_runs", "run_count"),
    *("spread", "enabled", "environments", "paused_at", "paused_until", "overlap", "catch_up", "grace"),
    *("concurrency_group", "skips", "calendars", "on_excluded", "calendar_stamps", "calendars_since"),
)
"""The columns that the planner asks for."""


@dataclass(slots=True)
class Bucket:
    """How many executions were triggered between two instants."""

    start: datetime
    end: datetime
    completed: int = 0
    failed: int = 0
    other: int = 0
    is_estimated: bool = False
    """Whether the numbers are what the newest of many let expect."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.completed + self.failed + self.other

    def count(self, kind: str, number: int) -> None:
        """Count *number* more of a kind, as of :func:`kind_of`."""
        if kind == "ok":
            self.completed += number
        elif kind == "bad":
            self.failed += number
        else:
            self.other += number

    def extrapolate(self, oldest: datetime, newest: datetime) -> None:
        """Scale what was counted between *oldest* and *newest* to the whole bucket, up to *newest*."""
        self.is_estimated = True
        if newest > oldest:
            factor = (newest - self.start) / (newest - oldest)
            self.completed, self.failed, self.other = (
                round(count * factor) for count in (self.completed, self.failed, self.other)
            )


@dataclass(frozen=True, slots=True)
class Mark:
    """Executions of one task in one step of the strip."""

    step: int
    task: str
    kind: str
    """``ok``, ``bad``, ``open``, or ``next``."""
    count: int = 1


def kind_of(status: str, outcome: str) -> str:
    """Return whether an execution counts as completed, failed, open, or none of these."""
    if status == Status.COMPLETED:
        return "ok"
    if status != Status.ERRORS:
        return "open"
    return "bad" if outcome in FAILED_OUTCOMES else "other"


def count_in_buckets(rows: QuerySet[Execution], edges: Sequence[datetime]) -> list[Bucket]:
    """Count *rows* between each two of *edges*; one statement that reads at most :data:`BUCKET_CAP` rows a bucket."""
    connection = connections[rows.db]
    buckets = [Bucket(start, end) for start, end in pairwise(edges)]
    spans: dict[int, list[datetime]] = defaultdict(list)
    for number, status, outcome, count, *span in count_grouped(rows, edges, ("status", "outcome"), BUCKET_CAP):
        spans[number] += [instant for value in span if (instant := as_instant(value, connection))]
        buckets[number].count(kind_of(status, outcome), count)
    for number, span in spans.items():
        if buckets[number].total >= BUCKET_CAP:
            buckets[number].extrapolate(min(span), max(span))
    return buckets


def count_few(rows: QuerySet[Execution], edges: Sequence[datetime]) -> list[Bucket]:
    """Count the same of *rows* that are few, such as those that a search has found; one statement that reads them."""
    buckets = [Bucket(start, end) for start, end in pairwise(edges)]
    for at, status, outcome in rows.order_by().values_list("triggered_at", "status", "outcome"):
        number = bisect_right(edges, at) - 1
        if 0 <= number < len(buckets):
            buckets[number].count(kind_of(status, outcome), 1)
    return buckets


def marks_between(edges: Sequence[datetime]) -> list[Mark]:
    """Return what ran between each two of *edges*, grouped by task; one statement."""
    rows = for_viewer(Execution.objects.all()).exclude(outcome__in=(Outcome.SKIPPED, Outcome.MISSED))
    found = count_grouped(rows, edges, ("task_name", "status", "outcome"), STRIP_CAP)
    return [
        Mark(step, task, kind, count)
        for step, task, status, outcome, count, _oldest, _newest in found
        if (kind := kind_of(status, outcome)) != "other"
    ]


# --- ahead --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One due instant of one task."""

    at: datetime
    task: ScheduledTask


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes, in order, and until when that is complete."""

    upcoming: list[Upcoming]
    complete_until: datetime


def scheduled_tasks(limit: int = STEPS_CAP) -> list[ScheduledTask]:
    """Return the tasks that are due next, with what their schedules need; one statement."""
    rows = for_viewer(ScheduledTask.objects.scheduled()).order_by("next_run_at", "pk")
    return list(rows.only("name", "next_run_at", "queue", "tags", *OF_POLICY)[:limit])


def look_ahead(
    tasks: Iterable[ScheduledTask], *, until: datetime, limit: int = STEPS_CAP, step: timedelta | None = None
) -> Outlook:
    """Return what comes until *until*, of all *tasks* in order of time; nothing is asked of the database.

    Args:
        tasks: With their ``next_run_at``.
        until: Aware; exclusive.
        limit: The most instants that are computed.
        step: At most one instant of a task in so much time: a strip need not know each second.
    """
    found: list[Upcoming] = []
    near = (task for task in tasks if task.next_run_at is not None and task.next_run_at < until)
    for at, _number, task in heapq.merge(*(_of_one(number, task, step) for number, task in enumerate(near))):
        if at >= until:
            break
        if len(found) >= limit:
            return Outlook(found, at)
        found.append(Upcoming(at, task))
    return Outlook(found, until)


def _of_one(number: int, task: ScheduledTask, step: timedelta | None) -> Iterator[tuple[datetime, int, ScheduledTask]]:
    """Yield what comes of one task; the number keeps tasks from being compared."""
    first = task.next_run_at
    assert first is not None  # noqa: S101  (for the type checker: others were left out)
    with suppress(InvalidSchedule):
        for one in forecast(task.policy, now=first, run_count=task.run_count, first=first, step=step):
            yield one.scheduled_for, number, task
