"""What becomes of the occurrences of a downtime that would begin now, as the rules for late ones say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.planner.decide import first_run_at, plan
from django_scheduled_tasks.planner.model import STARTS, DecisionKind, TaskPolicy, TaskState

_MISSED = frozenset({DecisionKind.MISS, DecisionKind.MISS_SUMMARY})


@dataclass(frozen=True, slots=True)
class Downtime:
    """How many occurrences of a downtime there are, and what becomes of them at its end."""

    starts: int = 0
    skipped: int = 0
    missed: int = 0
    waits: bool = False
    """Whether one that starts waits for another one."""

    @property
    def due(self) -> int:
        """How many there are."""
        return self.starts + self.skipped + self.missed


def after_downtime(policy: TaskPolicy, *, now: datetime, length: timedelta, run_count: int = 0) -> Downtime:
    """Return what the scheduler would decide if none ran for *length* from *now* on, and nothing of the task is open.

    Args:
        policy: The task's.
        now: Aware; when it would begin.
        length: How long it would last.
        run_count: How many occurrences have started an execution.
    """
    first = first_run_at(policy, now=now, run_count=run_count)
    if first is None or first > now + length:
        return Downtime()
    planned = plan(policy, TaskState(next_run_at=first, run_count=run_count), now=now + length)
    counts = {kind: sum(one.count for one in planned.decisions if one.kind == kind) for kind in DecisionKind}
    return Downtime(
        starts=sum(counts[kind] for kind in STARTS),
        skipped=counts[DecisionKind.SKIP] + counts[DecisionKind.SKIP_BY_HAND],
        missed=sum(counts[kind] for kind in _MISSED),
        waits=counts[DecisionKind.QUEUE] > 0,
    )
