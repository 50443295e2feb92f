"""The decisions. Pure and deterministic; the how-to about retries, cancelling, overlap and lateness has the rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django_scheduled_tasks.lifecycle import CatchUp, Overlap, Status
from django_scheduled_tasks.planner import reasons
from django_scheduled_tasks.planner.excluded import with_left_out
from django_scheduled_tasks.planner.late import INSTANT, Due, collect, following
from django_scheduled_tasks.planner.model import (
    MOST_CAUGHT_UP,
    MOST_MISSED_ROWS,
    QUEUE_ALL_CAP,
    QUEUE_ONE_CAP,
    STARTS,
    Decision,
    DecisionKind,
    OpenExecution,
    Plan,
    Skip,
    TaskPolicy,
    TaskState,
)
from django_scheduled_tasks.schedules import spread_from
from django_scheduled_tasks.schedules.calendars import WithCalendars


def first_run_at(policy: TaskPolicy, *, now: datetime, run_count: int = 0) -> datetime | None:
    """Return the first occurrence of a task that has just been created, edited, switched on or resumed.

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
        state: Its state after the last pass.
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
    ledger = _Ledger(policy, state, all_start=policy.catch_up == CatchUp.ALL)
    skips = {instant: skip for instant in due.newest if (skip := policy.skip_at(instant)) is not None}
    ledger.miss(due, [instant for instant in due.newest if instant not in started and instant not in skips], now)
    for number, instant in enumerate(due.newest):
        if instant in skips:
            ledger.leave_out(instant, skips[instant])
        elif instant in started:
            after = due.newest[number + 1] if number + 1 < len(due.newest) else due.following
            ledger.occur(instant, after, is_last=instant == max(started))
    decisions = ledger.decisions
    if isinstance(policy.schedule, WithCalendars):
        decisions = with_left_out(policy, due, first, decisions, is_done=_used_up(policy, ledger.run_count))
    decisions = sorted(decisions, key=lambda decision: decision.scheduled_for)
    done = _used_up(policy, ledger.run_count)
    return Plan(decisions=tuple(decisions), next_run_at=None if done else due.following, run_count=ledger.run_count)


def replay(
    policy: TaskPolicy, instants: Sequence[datetime], open_executions: tuple[OpenExecution, ...] = ()
) -> tuple[Decision, ...]:
    """Decide about past occurrences that somebody asks to run again; only the overlap policy applies.

    Args:
        policy: The task's, perhaps with another overlap policy for this request.
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
    """Return the occurrences that are not too late to start."""
    newest = tuple(at for at in due.newest if policy.skip_at(at) is None) if policy.skips else due.newest
    if policy.catch_up == CatchUp.ALL:
        wanted = newest[-MOST_CAUGHT_UP:]
    elif policy.catch_up == CatchUp.LATEST:
        wanted = newest[-1:]
    else:
        wanted = tuple(instant for instant in newest if now - instant <= policy.on_time)
    return frozenset(instant for instant in wanted if not _is_too_late(policy, instant, now))


def _is_too_late(policy: TaskPolicy, instant: datetime, now: datetime) -> bool:
    """Whether *instant* is older than the grace allows.

    Without a grace an occurrence may start until the next one is due. The only one that ``latest`` wants is the
    newest, and ``all`` asks for late ones, so there is nothing to check then.
    """
    return policy.grace is not None and now - instant > policy.grace


@dataclass
class _Ledger:
    """The decisions so far, and the executions that they leave open for the next ones."""

    policy: TaskPolicy
    state: TaskState
    all_start: bool = False
    """Whether each occurrence of this plan starts, also under ``skip`` and ``queue_one``: they wait for each other."""
    decisions: list[Decision] = field(default_factory=list)
    run_count: int = 0
    started: int = 0
    """How many executions this plan starts; they are waiting when the occurrences after them are decided."""

    def __post_init__(self) -> None:
        self.run_count = self.state.run_count

    def miss(self, due: Due, missed: list[datetime], now: datetime) -> None:
        """Record *missed*, and those that came before all of them."""
        single = missed[-MOST_MISSED_ROWS:]
        shared = missed[: len(missed) - len(single)]
        if count := due.earlier + len(shared):
            last = shared[-1] if shared else due.last_earlier
            assert last is not None  # noqa: S101  (for the type checker: something was counted)
            self.decisions.append(
                Decision(
                    kind=DecisionKind.MISS_SUMMARY, scheduled_for=last, count=count, reason=self._why_missed(last, now)
                )
            )
        for instant in single:
            reason = self._why_missed(instant, now)
            self.decisions.append(Decision(kind=DecisionKind.MISS, scheduled_for=instant, reason=reason))

    def _why_missed(self, instant: datetime, now: datetime) -> str:
        policy = self.policy
        if policy.grace is not None and _is_too_late(policy, instant, now):
            return reasons.beyond_grace(now - instant, policy.grace)
        return reasons.beyond_catch_up(policy.catch_up, policy.on_time)

    def leave_out(self, instant: datetime, skip: Skip) -> None:
        """Record an occurrence that somebody asked to be left out; it does not count as a run."""
        if not _used_up(self.policy, self.run_count):
            reason = reasons.skipped_by_hand(skip)
            self.decisions.append(Decision(kind=DecisionKind.SKIP_BY_HAND, scheduled_for=instant, reason=reason))

    def occur(self, instant: datetime, after: datetime | None, *, is_last: bool) -> None:
        """Decide about one occurrence that is not too late to start."""
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
        overlap, number = self.policy.overlap, {"number": blocker.id if blocker else ""}
        if overlap == Overlap.CANCEL_RUNNING and not is_last:
            return DecisionKind.SKIP, reasons.LATER_WAS_DUE
        if overlap == Overlap.ALLOW or not (blocker or self.started):
            return DecisionKind.START, ""
        if overlap == Overlap.CANCEL_RUNNING:
            return DecisionKind.CANCEL_THEN_START, reasons.ASKED_TO_STOP % number
        ahead = 0 if self.all_start and overlap in {Overlap.SKIP, Overlap.QUEUE_ONE} else self.started
        if overlap == Overlap.SKIP and (blocker or ahead):
            running = blocker is not None and blocker.status == Status.PROCESSING
            text = reasons.WAS_RUNNING if running else reasons.WAS_WAITING
            return DecisionKind.SKIP, text % number if blocker else reasons.EARLIER_WAS_WAITING
        waiting = ahead + sum(one.status == Status.PENDING for one in self.state.open)
        if overlap == Overlap.QUEUE_ONE and waiting >= QUEUE_ONE_CAP:
            return DecisionKind.SKIP, reasons.ONE_WAITED
        if overlap == Overlap.QUEUE_ALL and waiting >= QUEUE_ALL_CAP:
            return DecisionKind.SKIP, reasons.MANY_WAITED % {"count": f"{QUEUE_ALL_CAP:,}"}
        return DecisionKind.QUEUE, reasons.WAS_OPEN % number if blocker else reasons.EARLIER_WAS_OPEN
