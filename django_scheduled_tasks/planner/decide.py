"""The decisions. Pure, total, deterministic; the rules are told in the explanation of late and overlapping runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django_scheduled_tasks.lifecycle import CatchUp, Overlap, Status
from django_scheduled_tasks.planner.late import INSTANT, Due, collect, following
from django_scheduled_tasks.planner.model import (
    MOST_CAUGHT_UP,
    MOST_MISSED_ROWS,
    QUEUE_ALL_CAP,
    STARTS,
    Decision,
    DecisionKind,
    OpenExecution,
    Plan,
    TaskPolicy,
    TaskState,
)
from django_scheduled_tasks.schedules import spread_from

ON_TIME = timedelta(seconds=10)
"""Under ``catch_up="none"`` an occurrence still counts as on time, and is started, when it is found so late."""
MISSED_LATE = "It was due while no scheduler ran, and by then it was too late to start it."
MISSED = {
    CatchUp.LATEST: "It was due while no scheduler ran; only the newest occurrence is started.",
    CatchUp.ALL: f"It was due while no scheduler ran; only the {MOST_CAUGHT_UP} newest occurrences are started.",
    CatchUp.NONE: "It was due while no scheduler ran; late occurrences of this task are not started.",
}
"""Why an occurrence was missed."""


def first_run_at(policy: TaskPolicy, *, now: datetime, run_count: int = 0) -> datetime | None:
    """Return when a task is due next that has just been created, edited, switched on or resumed.

    It counts from now: nothing before now becomes due. A start in the future is inclusive.

    Args:
        policy: The task's.
        now: Aware.
        run_count: How many occurrences have started an execution.
    """
    if not policy.enabled or _used_up(policy, run_count):
        return None
    if policy.paused:
        if policy.paused_until is None:
            return None
        if policy.paused_until > now:
            return following(policy, policy.paused_until - INSTANT)
    return following(policy, now)


def plan(policy: TaskPolicy, state: TaskState, *, now: datetime) -> Plan:
    """Decide about every occurrence that is due, in order.

    Args:
        policy: The task's.
        state: What is remembered of it.
        now: Aware; the present instant.
    Returns:
        One decision for each occurrence due since the last one handled (early missed ones share one), the next
        occurrence, and the new count of runs.
    """
    if not policy.enabled or _stands_still(policy, now):
        following_at = first_run_at(policy, now=now, run_count=state.run_count)
        return Plan(decisions=(), next_run_at=following_at, run_count=state.run_count)
    first = state.next_run_at
    if first is not None and policy.paused and policy.paused_until is not None and first < policy.paused_until:
        first = following(policy, policy.paused_until - INSTANT)  # nothing that falls into the pause is due
    if first is None or first > now:
        return Plan(decisions=(), next_run_at=first, run_count=state.run_count)
    if (policy.ends_at is not None and first >= policy.ends_at) or _used_up(policy, state.run_count):
        return Plan(decisions=(), next_run_at=None, run_count=state.run_count)
    due = collect(policy, first, now)
    started = _to_start(policy, due, now)
    ledger = _Ledger(policy, state)
    ledger.miss(due, [instant for instant in due.newest if instant not in started], now)
    for number, instant in enumerate(due.newest):
        if instant in started:
            after = due.newest[number + 1] if number + 1 < len(due.newest) else due.following
            ledger.occur(instant, after, is_last=instant == max(started))
    decisions = tuple(sorted(ledger.decisions, key=lambda decision: decision.scheduled_for))
    done = _used_up(policy, ledger.run_count)
    return Plan(decisions=decisions, next_run_at=None if done else due.following, run_count=ledger.run_count)


def replay(
    policy: TaskPolicy, instants: Sequence[datetime], open_executions: tuple[OpenExecution, ...] = ()
) -> tuple[Decision, ...]:
    """Decide about past occurrences that somebody asks for again; only the overlap rule counts.

    Args:
        policy: The task's; its overlap rule may be another one than usually.
        instants: Nominal instants, in order.
        open_executions: Those of the task, oldest first.
    """
    ledger = _Ledger(
        dataclasses.replace(policy, max_runs=None, spread=None), TaskState(next_run_at=None, open=open_executions)
    )
    for instant in instants:
        ledger.occur(instant, None, is_last=instant == instants[-1])
    return tuple(ledger.decisions)


def _used_up(policy: TaskPolicy, run_count: int) -> bool:
    return policy.max_runs is not None and run_count >= policy.max_runs


def _stands_still(policy: TaskPolicy, now: datetime) -> bool:
    return policy.paused and (policy.paused_until is None or policy.paused_until > now)


def _to_start(policy: TaskPolicy, due: Due, now: datetime) -> frozenset[datetime]:
    """Return the occurrences that are to be started, as far as their lateness goes."""
    if policy.catch_up == CatchUp.ALL:
        wanted = due.newest[-MOST_CAUGHT_UP:]
    elif policy.catch_up == CatchUp.LATEST:
        wanted = due.newest[-1:]
    else:
        wanted = tuple(instant for instant in due.newest if now - instant <= ON_TIME)
    return frozenset(instant for instant in wanted if not _is_too_late(policy, instant, now))


def _is_too_late(policy: TaskPolicy, instant: datetime, now: datetime) -> bool:
    """Whether *instant* is older than the grace allows.

    Without a grace an occurrence is late when the next one is due; those that ``latest`` leaves are never late then,
    and ``all`` asks for late ones.
    """
    return policy.grace is not None and now - instant > policy.grace


@dataclass
class _Ledger:
    """The decisions so far, and what they leave open for the next ones."""

    policy: TaskPolicy
    state: TaskState
    decisions: list[Decision] = field(default_factory=list)
    run_count: int = 0
    started: int = 0
    """How many executions this plan starts, which are open for the occurrences after them."""

    def __post_init__(self) -> None:
        self.run_count = self.state.run_count

    def miss(self, due: Due, missed: list[datetime], now: datetime) -> None:
        """Record *missed*, and those that came before all of them."""
        reason = MISSED[self.policy.catch_up]
        single = missed[-MOST_MISSED_ROWS:]
        shared = missed[: len(missed) - len(single)]
        if count := due.earlier + len(shared):
            last = shared[-1] if shared else due.last_earlier
            assert last is not None  # noqa: S101  (for the type checker: something was counted)
            kind = DecisionKind.MISS_SUMMARY
            self.decisions.append(Decision(kind=kind, scheduled_for=last, count=count, reason=reason))
        for instant in single:
            why = MISSED_LATE if _is_too_late(self.policy, instant, now) else reason
            self.decisions.append(Decision(kind=DecisionKind.MISS, scheduled_for=instant, reason=why))

    def occur(self, instant: datetime, after: datetime | None, *, is_last: bool) -> None:
        """Decide about one occurrence that is to be started as far as its lateness goes."""
        if _used_up(self.policy, self.run_count):
            return
        blocker = self.state.open[0] if self.state.open else None
        kind, reason = self._kind(blocker, is_last=is_last)
        start = self._not_before(instant, after) if kind in STARTS else None
        self.decisions.append(
            Decision(
                kind=kind,
                scheduled_for=instant,
                not_before=start,
                blocked_by=blocker.id if blocker and kind != DecisionKind.START else None,
                reason=reason,
            )
        )
        if kind in STARTS:
            self.run_count += 1
            self.started += 1

    def _not_before(self, instant: datetime, after: datetime | None) -> datetime | None:
        if not self.policy.spread:
            return None
        return spread_from(instant, after, task_id=self.policy.task_id, window=self.policy.spread)

    def _kind(self, blocker: OpenExecution | None, *, is_last: bool) -> tuple[DecisionKind, str]:
        open_count = len(self.state.open) + self.started
        overlap = self.policy.overlap
        if overlap == Overlap.CANCEL_RUNNING and not is_last:
            return DecisionKind.SKIP, "A later occurrence was due as well, which would have cancelled it."
        if overlap == Overlap.ALLOW or not open_count:
            return DecisionKind.START, ""
        who = f"Execution #{blocker.id}" if blocker else "The occurrence before it"
        if overlap == Overlap.SKIP:
            running = blocker is not None and blocker.status == Status.PROCESSING
            return DecisionKind.SKIP, f"{who} {'was still running' if running else 'was waiting to start'}."
        if overlap == Overlap.CANCEL_RUNNING:
            return DecisionKind.CANCEL_THEN_START, f"{who} was asked to stop."
        limit = 1 if overlap == Overlap.QUEUE_ONE else QUEUE_ALL_CAP
        if open_count > limit:
            return DecisionKind.SKIP, "One was waiting already." if limit == 1 else f"{limit:,} were waiting already."
        return DecisionKind.QUEUE, f"{who} was still open."
