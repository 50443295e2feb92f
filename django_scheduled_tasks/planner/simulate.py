"""Simulates a task: the rows that the scheduler would write, decided by the planner that it uses."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.lifecycle import Outcome, Overlap, Status
from django_scheduled_tasks.planner.decide import first_run_at, plan
from django_scheduled_tasks.planner.late import INSTANT
from django_scheduled_tasks.planner.model import (
    STARTS,
    Decision,
    DecisionKind,
    OpenExecution,
    TaskPolicy,
    TaskState,
)
from django_scheduled_tasks.schedules import in_utc

Durations = timedelta | Callable[[datetime], timedelta]
"""How long executions take: all the same, or as the nominal instant says."""
MOST_ENTRIES = 10_000
_OUTCOMES = {
    DecisionKind.SKIP: Outcome.SKIPPED,
    DecisionKind.SKIP_BY_HAND: Outcome.SKIPPED,
    DecisionKind.EXCLUDE: Outcome.SKIPPED,
    DecisionKind.MISS: Outcome.MISSED,
    DecisionKind.MISS_SUMMARY: Outcome.MISSED,
}


@dataclass(slots=True)
class LedgerEntry:
    """One row: an execution, or an occurrence that was not started."""

    number: int
    """From 1, in the order in which rows are written."""
    kind: DecisionKind
    scheduled_for: datetime
    decided_at: datetime
    """When the scheduler wrote it."""
    not_before: datetime | None = None
    blocked_by: int | None = None
    """The number of the entry because of which it was skipped or waited."""
    count: int = 1
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What :func:`simulate` answers."""

    entries: tuple[LedgerEntry, ...]
    next_run_at: datetime | None
    """The first occurrence that was not handled."""
    run_count: int
    truncated: bool
    """Whether it stopped early, since there were too many entries."""

    def counts(self) -> dict[str, int]:
        """Return the number of occurrences with each outcome."""
        found: Counter[str] = Counter()
        for entry in self.entries:
            found[str(entry.outcome)] += entry.count
        return dict(found)


def simulate(
    policy: TaskPolicy,
    start: datetime,
    end: datetime,
    *,
    downtime: Iterable[tuple[datetime, datetime]] = (),
    durations: Durations = timedelta(0),
    run_count: int = 0,
    limit: int = MOST_ENTRIES,
) -> Ledger:
    """Let time pass for one task and record what happens.

    A scheduler is there at every due instant but in a downtime; workers are always there and start what waits at once,
    one at a time unless the task allows more. What is asked to stop does so at once. Executions end with success,
    after the simulated time too.

    Args:
        policy: The task's.
        start: Aware; inclusive. Nothing before it is due.
        end: Aware; exclusive.
        downtime: Pairs of aware instants: from when no scheduler ran, and when one ran again.
        durations: How long executions take: the same for all, or a function of ``scheduled_for``.
        run_count: How many occurrences have started an execution before.
        limit: Stop after about so many entries.
    """
    policy = dataclasses.replace(policy, calendars_since=start - INSTANT)
    gaps = sorted((in_utc(low), in_utc(high)) for low, high in downtime)
    workers = _Workers(one_at_a_time=policy.overlap != Overlap.ALLOW, durations=durations)
    following = first_run_at(policy, now=start - INSTANT, run_count=run_count)
    while following is not None and len(workers.entries) < limit:
        now = _scheduler_runs_at(following, gaps)
        if now >= end:
            break
        workers.advance(now)
        state = TaskState(next_run_at=following, run_count=run_count, open=workers.open_executions())
        planned = plan(policy, state, now=now)
        workers.take(planned.decisions, now)
        following, run_count = planned.next_run_at, planned.run_count
    truncated = len(workers.entries) >= limit and following is not None and following < end
    workers.advance(None)
    return Ledger(tuple(workers.entries), following, run_count, truncated)


def _scheduler_runs_at(moment: datetime, gaps: list[tuple[datetime, datetime]]) -> datetime:
    for low, high in gaps:
        if low <= moment < high:
            moment = high
    return moment


class _Workers:
    """Executions that start, run and end."""

    def __init__(self, *, one_at_a_time: bool, durations: Durations) -> None:
        self.entries: list[LedgerEntry] = []
        self._durations = durations
        self._one_at_a_time = one_at_a_time
        self._pending: list[LedgerEntry] = []
        self._running: list[LedgerEntry] = []
        self._free_at: datetime | None = None

    def open_executions(self) -> tuple[OpenExecution, ...]:
        """Return what is open, oldest first."""
        running = [OpenExecution(id=entry.number, status=Status.PROCESSING) for entry in self._running]
        pending = [OpenExecution(id=entry.number, status=Status.PENDING) for entry in self._pending]
        return tuple(sorted(running + pending, key=lambda item: item.id))

    def take(self, decisions: Iterable[Decision], now: datetime) -> None:
        """Write what was decided at *now*."""
        decisions = list(decisions)
        if any(decision.kind == DecisionKind.CANCEL_THEN_START for decision in decisions):
            self._cancel_all(now)
        for decision in decisions:
            blocked_by = decision.blocked_by
            if blocked_by is None and decision.kind in {DecisionKind.SKIP, DecisionKind.QUEUE} and self._pending:
                blocked_by = self._pending[0].number
            entry = LedgerEntry(
                number=len(self.entries) + 1,
                kind=decision.kind,
                scheduled_for=decision.scheduled_for,
                decided_at=now,
                not_before=decision.not_before,
                blocked_by=blocked_by,
                count=decision.count,
                reason=decision.reason,
                outcome=_OUTCOMES.get(decision.kind),
            )
            self.entries.append(entry)
            if decision.kind in STARTS:
                self._pending.append(entry)

    def advance(self, until: datetime | None) -> None:
        """Let executions start and end up to *until*, inclusive; None: until all have ended."""
        while True:
            self._end_until(until)
            entry = min(self._pending, key=lambda item: (self._start_of(item), item.number), default=None)
            if entry is None or (self._one_at_a_time and self._running):
                return
            started_at = self._start_of(entry)
            if until is not None and started_at > until:
                return
            taken = self._durations(entry.scheduled_for) if callable(self._durations) else self._durations
            entry.started_at, entry.ended_at = started_at, started_at + taken
            self._pending.remove(entry)
            self._running.append(entry)

    def _end_until(self, until: datetime | None) -> None:
        for entry in list(self._running):
            if entry.ended_at is not None and (until is None or entry.ended_at <= until):
                entry.outcome = Outcome.SUCCEEDED
                self._running.remove(entry)
                self._free_at = entry.ended_at

    def _start_of(self, entry: LedgerEntry) -> datetime:
        start = max(entry.decided_at, entry.not_before or entry.decided_at)
        return max(start, self._free_at) if self._one_at_a_time and self._free_at else start

    def _cancel_all(self, now: datetime) -> None:
        for entry in [*self._running, *self._pending]:
            entry.outcome, entry.ended_at = Outcome.CANCELLED, now
        self._free_at, self._running, self._pending = now, [], []
