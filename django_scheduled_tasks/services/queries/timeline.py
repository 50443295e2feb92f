"""Executions over time, for charts: counted in buckets with a cap, so that the cost does not grow with the table."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import connections
from django.db.models import QuerySet

from django_scheduled_tasks.db.clock import as_instant
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import FAILED_OUTCOMES, Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.schedules import Schedule
from django_scheduled_tasks.store.buckets import count_grouped

BUCKET_CAP = 150
"""The most executions of one bucket that are looked at; of more, the number is extrapolated from the newest."""
STRIP_CAP = 200
"""The most executions of one step of the day's strip that are looked at."""
STEPS_CAP = 500
"""The most future instants that are computed for one page."""
_OF_SCHEDULE = ("schedule_kind", "expression", "timezone", "starts_at", "created_at", "skips")


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
        bucket = buckets[number]
        spans[number] += [instant for value in span if (instant := as_instant(value, connection))]
        kind = kind_of(status, outcome)
        if kind == "ok":
            bucket.completed += count
        elif kind == "bad":
            bucket.failed += count
        else:
            bucket.other += count
    for number, span in spans.items():
        if buckets[number].total >= BUCKET_CAP:
            buckets[number].extrapolate(min(span), max(span))
    return buckets


def marks_between(edges: Sequence[datetime]) -> list[Mark]:
    """Return what ran between each two of *edges*, grouped by task; one statement."""
    rows = Execution.objects.exclude(outcome__in=(Outcome.SKIPPED, Outcome.MISSED))
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
    rows = ScheduledTask.objects.scheduled().order_by("next_run_at", "pk")
    return list(rows.only("name", "next_run_at", "ends_at", "queue", "tags", *_OF_SCHEDULE)[:limit])


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
    heap: list[tuple[datetime, int, ScheduledTask, Schedule]] = []
    for number, task in enumerate(tasks):
        if task.next_run_at is not None and task.next_run_at < until:
            try:
                heap.append((task.next_run_at, number, task, task.schedule))
            except InvalidSchedule:
                continue
    heapq.heapify(heap)
    found: list[Upcoming] = []
    while heap:
        at, number, task, schedule = heapq.heappop(heap)
        if len(found) >= limit:
            return Outlook(found, at)
        if not any(skip.start <= at <= skip.end for skip in task.asked_skips):
            found.append(Upcoming(at, task))
        following = schedule.next_after(at if step is None else max(at, _end_of_step(at, step)))
        if following is not None and following < until and (task.ends_at is None or following < task.ends_at):
            heapq.heappush(heap, (following, number, task, schedule))
    return Outlook(found, until)


def _end_of_step(at: datetime, step: timedelta) -> datetime:
    """Return the last second of the step that *at* lies in; steps count from 1970."""
    size = int(step.total_seconds())
    return at + timedelta(seconds=size - 1 - int(at.timestamp()) % size)
