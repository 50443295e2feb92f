"""Occurrences planned shortly before they are due, so that the due instant costs a few statements and messages.

Nothing is written before the instant: what is prefetched is the plan and the row, in memory. The statement records them
only if the task's row is still the version that was planned: whoever paused, edited or deleted the task in between, and
whichever other scheduler was there first, has changed it. What was not recorded is left to
:func:`occurrences.record_due`, where all the rules are. PostgreSQL only (:mod:`django_scheduled_tasks.store.prefetch`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from django.db import connections, transaction

from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.planner import DecisionKind, TaskState, plan
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.delivery.dispatch import after_commit, row_of
from django_scheduled_tasks.services.scheduling.left import left_now
from django_scheduled_tasks.store.prefetch import Ready, count_due, lock_ready, read_due, record_ready

logger = logging.getLogger(__name__)
FEW = 8
"""How many are planned in no time."""
MOST = 1_000
"""How many tasks are prefetched for one instant; of more, the others come with the pass that follows."""
SLICE = 20
"""How many are planned before it is asked whether to go on."""
MOST_AT_ONCE = 250
"""How many are recorded by one statement; the first alone, then two, four, eight, so that the first run meanwhile."""


@dataclass(frozen=True)
class Prefetched:
    """What is ready for one instant."""

    ready: Sequence[Ready] = ()
    is_all: bool = False
    """Whether it is all that is due then."""
    moment: float | None = None
    """When the instant is on this process's monotonic clock."""


def are_many(at: datetime) -> bool:
    """Whether so many tasks are due at *at* that it takes a while to plan them; one statement."""
    return connections[write_alias()].vendor == "postgresql" and count_due(at, most=FEW + 1, left=left_now()) > FEW


def prefetch(at: datetime, *, go_on: Callable[[], bool] = lambda: True) -> Prefetched:
    """Plan what is due at *at*, the database's instant; two statements. Nothing is locked or written.

    Args:
        at: Aware.
        go_on: Asked now and then, if there are many; False: what is planned by then has to do.
    """
    if connections[write_alias()].vendor != "postgresql":
        return Prefetched()
    found = read_due(at, most=MOST + 1, left=left_now())
    ready: list[Ready] = []
    planned = 0
    for number, (task, version) in enumerate(found[:MOST]):
        if number and number % SLICE == 0 and not go_on():
            break
        planned += 1
        if (one := _plan(task, version)) is not None:
            ready.append(one)
    is_all = len(ready) == planned == len(found)
    return Prefetched(ready, is_all=is_all, moment=_moment_of(at) if found else None)


def _moment_of(at: datetime) -> float:
    """Return when *at* is on this process's monotonic clock."""
    before = time.monotonic()
    now = read_now()
    # The database read its clock between the two.
    return (before + time.monotonic()) / 2 + (at - now).total_seconds()


def _plan(task: ScheduledTask, version: str) -> Ready | None:
    """Return *task* planned as for the instant at which it is due; None unless it simply starts then."""
    due = task.next_run_at
    if due is None or task.paused_at is not None or task.overlap == Overlap.CANCEL_RUNNING:
        return None
    try:
        registry.get(task.function)
        planned = plan(task.policy, TaskState(next_run_at=due, run_count=task.run_count, open=()), now=due)
        (decision,) = planned.decisions
    except Exception as exc:  # noqa: BLE001  (the pass that follows finds the same, and says it)
        logger.debug(
            "The task %s is not prefetched: %s", task.name, exc, extra={"task": task.name, "event": "not_planned"}
        )
        return None
    if decision.kind != DecisionKind.START or decision.not_before is not None or decision.moved:
        return None
    return Ready(
        row_of(task, decision, now=due),
        version,
        planned.next_run_at,
        planned.run_count,
        is_exclusive=task.overlap != Overlap.ALLOW,
    )


def record(prefetched: Prefetched) -> list[Execution]:
    """Record and send what was prefetched and is as it was, now that it is due; return that."""
    alias = write_alias()
    written: list[Execution] = []
    for some in _in_growing_parts(prefetched.ready):
        # A trigger holds the task's row until its execution is written, so open executions are looked for under a lock.
        # Of several rows, only those are locked that no other process holds: two schedulers never wait for each other.
        has_to_lock = len(some) > 1 or some[0].is_exclusive
        with transaction.atomic(using=alias) if has_to_lock else nullcontext():
            rows = lock_ready(some) if has_to_lock else some
            done = record_ready(rows) if rows else []
        after_commit(done, may_share=True)
        written += done
    return written


def _in_growing_parts(ready: Sequence[Ready]) -> Iterator[Sequence[Ready]]:
    first, size = 0, 1
    while first < len(ready):
        yield ready[first : first + size]
        first += size
        size = min(2 * size, MOST_AT_ONCE)
