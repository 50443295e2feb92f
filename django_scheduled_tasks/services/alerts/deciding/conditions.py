"""What is wrong now, read from the database for the state machine: all kinds but ``failing`` and ``missed``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django_scheduled_tasks.alerting import Condition, Kind, too_long_after
from django_scheduled_tasks.alerting.conditions import SAMPLES
from django_scheduled_tasks.lifecycle import BROKEN, PauseCode, Status
from django_scheduled_tasks.models import Execution, PresenceKind, ScheduledTask, database_now, write_alias
from django_scheduled_tasks.services.queries.health.snapshot import Snapshot, take_snapshot
from django_scheduled_tasks.store.holds import held_tasks
from django_scheduled_tasks.store.reading.recent import newest_ends

MOST = 1_000
"""Of each kind so many are found at most. If there are more, none of that kind closes meanwhile."""
RUNS_FOR = timedelta(seconds=5)
"""What has run for less is not looked at."""
REMEMBERED_FOR = 600.0
"""Seconds for which it is remembered how long a task usually takes."""
_READ = 2 * SAMPLES
"""Of so many executions of a task the successes are taken."""
_PAUSED = (PauseCode.NOT_PLANNED, PauseCode.KEEPS_FAILING)


@dataclass
class Found:
    """What is wrong, and of which kinds that is all."""

    conditions: list[Condition] = field(default_factory=list)
    examined: set[Kind] = field(default_factory=set)
    partial: set[Kind] = field(default_factory=set)
    """Those of which there is more than was read."""
    running: dict[tuple[Kind, str], int] = field(default_factory=dict)
    """The execution that runs for too long."""
    limits: dict[tuple[Kind, str], timedelta] = field(default_factory=dict)
    """After what time it does, or after what time without a success it is."""

    def add(self, kinds: set[Kind], conditions: Iterator[Condition]) -> None:
        """Add what is wrong of *kinds*, all of it."""
        found = list(conditions)
        self.examined |= kinds
        self.conditions += found
        self.partial |= {kind for kind in kinds if sum(one.kind == kind for one in found) >= MOST}


class Usual:
    """After what time executions run for too long: by task, remembered for a while."""

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[float, timedelta | None]] = {}

    def limits(self, task_ids: Sequence[UUID]) -> dict[UUID, timedelta | None]:
        """Return it for tasks that do not say it themselves; at most one statement."""
        moment = time.monotonic()
        self._known = {task: one for task, one in self._known.items() if moment - one[0] < REMEMBERED_FOR}
        missing = [task for task in task_ids if task not in self._known]
        durations: dict[UUID, list[timedelta]] = {task: [] for task in missing}
        for task, status, began, ended in newest_ends(missing, count=_READ):
            if status == Status.COMPLETED and began and ended and len(durations[task]) < SAMPLES:
                durations[task].append(ended - began)
        for task, found in durations.items():
            self._known[task] = moment, too_long_after(None, found)
        return {task: self._known[task][1] for task in task_ids}


def add_running(found: Found, now: datetime, usual: Usual) -> None:
    """Add the tasks of which an execution runs for too long; one statement, and one for each new task among them."""
    rows = Execution.objects.using(write_alias()).filter(
        status=Status.PROCESSING, started_at__lte=database_now() - RUNS_FOR, task__isnull=False
    )
    columns = ("task_id", "id", "started_at", "task__max_runtime")
    running = list(rows.order_by("started_at").values_list(*columns)[:MOST])
    limits = usual.limits(sorted({task for task, _id, _began, said in running if task and said is None}))
    conditions = []
    for task, number, began, said in running:
        limit = said if said is not None else limits.get(task) if task else None
        key = Kind.TOO_LONG, str(task)
        if task and began and limit is not None and now - began > limit and key not in found.running:
            found.running[key], found.limits[key] = number, limit
            conditions.append(Condition(*key, began + limit))
    found.add({Kind.TOO_LONG}, iter(conditions))
    if len(running) >= MOST:
        found.partial.add(Kind.TOO_LONG)


def add_paused(found: Found) -> None:
    """Add the tasks that the scheduler has paused; one statement, which reads all tasks."""
    rows = ScheduledTask.objects.using(write_alias()).filter(paused_at__isnull=False, retired_at=None)
    rows = rows.filter(pause_code__in=sorted({*BROKEN, *_PAUSED}))
    kinds = {Kind.PAUSED_BY_SYSTEM, Kind.BROKEN}
    paused = rows.order_by("paused_at").values_list("pk", "pause_code", "paused_at")[:MOST]
    found.add(
        kinds,
        (
            Condition(Kind.BROKEN if code in BROKEN else Kind.PAUSED_BY_SYSTEM, str(task), at)
            for task, code, at in paused
            if at is not None
        ),
    )
    if len(paused) >= MOST:
        found.partial |= kinds


def add_installation(found: Found, *, is_scheduler: bool, late_after: timedelta) -> Snapshot:
    """Add what is wrong with schedulers, workers, queues and releases, and what waits; a few statements.

    Args:
        found: To add to.
        is_scheduler: Whether this process is a scheduler, so that there is one.
        late_after: What has been due for less is not looked at.
    """
    snapshot = take_snapshot()
    condition = snapshot.condition
    kinds = {Kind.NO_SCHEDULER, Kind.NO_WORKER, Kind.STUCK, Kind.TWO_RELEASES}
    last = condition.scheduler.last
    found.add(kinds, _queues(snapshot))
    if not is_scheduler and last is not None and not condition.scheduler.is_well:
        found.conditions.append(Condition(Kind.NO_SCHEDULER, "", last.seen_at))
    if snapshot.releases.are_mixed:
        found.conditions.append(Condition(Kind.TWO_RELEASES, "", snapshot.now - snapshot.releases.mixed_for))
    found.add({Kind.LATE}, _late(snapshot, late_after))
    return snapshot


def _queues(snapshot: Snapshot) -> Iterator[Condition]:
    """Yield the queues that nobody takes from, or too slowly; without any worker the default one is among them."""
    condition, seen_at = snapshot.condition, _workers_seen(snapshot)
    silent = {queue.name: queue.since for queue in condition.queues if not queue.has_taker}
    silent = {name: max(since, seen_at.get(name, since)) for name, since in silent.items()}
    last = condition.workers.last
    if last is not None and not condition.workers.is_well:
        silent[""] = min(last.seen_at, silent.get("", last.seen_at))
    for name, since in silent.items():
        yield Condition(Kind.NO_WORKER, name, since)
    for queue in condition.queues:
        if queue.has_taker and queue.is_slow:
            yield Condition(Kind.STUCK, queue.name, queue.since)


def _workers_seen(snapshot: Snapshot) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for row in snapshot.of_kind(PresenceKind.WORKER):
        found[row.queue] = max(row.last_seen_at, found.get(row.queue, row.last_seen_at))
    return found


def _late(snapshot: Snapshot, late_after: timedelta) -> Iterator[Condition]:
    """Yield the tasks that are due, or of which an execution may start, and nothing has started; one statement."""
    rows = ScheduledTask.objects.using(write_alias()).filter(next_run_at__lt=database_now() - late_after)
    rows = rows.exclude(pk__in=held_tasks()).order_by("next_run_at")
    since = {task: at for task, at in rows.values_list("pk", "next_run_at")[:MOST] if at is not None}
    for one in snapshot.waiting:
        if one.task_id is not None:
            at = snapshot.waits_since(one)
            since[one.task_id] = min(at, since.get(one.task_id, at))
    for task, at in since.items():
        yield Condition(Kind.LATE, str(task), at)
