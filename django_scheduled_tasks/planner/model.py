"""The planner's input and output."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django_scheduled_tasks.lifecycle import CatchUp, Overlap, Status
from django_scheduled_tasks.schedules import Schedule

MOST_CAUGHT_UP = 100
"""The most late occurrences that ``catch_up="all"`` starts; the newest."""
MOST_MISSED_ROWS = 100
"""The most missed occurrences that get a row each; the earlier ones share one with their count."""
QUEUE_ALL_CAP = 1_000
"""The most executions that wait under ``queue_all``; those that are running do not wait."""
QUEUE_ONE_CAP = 1
"""The most executions that wait under ``queue_one``; one that is running does not wait."""
ON_TIME = timedelta(seconds=10)
"""The default of :attr:`TaskPolicy.on_time`."""


@dataclass(frozen=True, slots=True)
class Skip:
    """What somebody has asked to be left out: the occurrences between two instants, or one."""

    start: datetime
    """Inclusive."""
    end: datetime
    """Inclusive; the same as the start for one."""
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPolicy:
    """What decides when a task runs."""

    task_id: UUID
    schedule: Schedule
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LATEST
    grace: timedelta | None = None
    """How late an occurrence may start; None: until the next one is due."""
    on_time: timedelta = ON_TIME
    """How late an occurrence may be found and still start under ``catch_up="none"``; no scheduler is ever early."""
    spread: timedelta | None = None
    max_runs: int | None = None
    starts_at: datetime | None = None
    """Inclusive."""
    ends_at: datetime | None = None
    """Exclusive."""
    enabled: bool = True
    paused: bool = False
    paused_until: datetime | None = None
    """With a pause: when it ends by itself."""
    skips: tuple[Skip, ...] = ()
    calendars_since: datetime | None = None
    """What calendars have left out up to this instant, inclusive, has its row already; None: since ever."""
    concurrency_group: str = ""
    """Tasks of one group wait for each other when a worker claims them, so the planner need not know the others."""

    def skip_at(self, instant: datetime) -> Skip | None:
        """Return what somebody has asked to be left out at *instant*."""
        return next((skip for skip in self.skips if skip.start <= instant <= skip.end), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenExecution:
    """An execution of the task that has not ended."""

    id: int
    status: Status = Status.PROCESSING


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """What has to be remembered of a task between two passes."""

    next_run_at: datetime | None
    """The nominal instant of the first occurrence that is not handled yet."""
    run_count: int = 0
    """How many occurrences have started an execution."""
    open: tuple[OpenExecution, ...] = ()
    """Oldest first."""


class DecisionKind(StrEnum):
    """What becomes of an occurrence."""

    START = "start"
    """It starts, or waits for its turn in a concurrency group."""
    QUEUE = "queue"
    """It waits until what is open has ended."""
    SKIP = "skip"
    """It is recorded as skipped, linked to what was open."""
    SKIP_BY_HAND = "skip_by_hand"
    """It is recorded as skipped, since somebody asked for that."""
    EXCLUDE = "exclude"
    """Calendars leave it out; it is recorded as skipped, an unbroken stretch of them in one row with their count."""
    MISS = "miss"
    """It is recorded as missed."""
    MISS_SUMMARY = "miss_summary"
    """Several early ones are recorded as missed, in one row with their count."""
    CANCEL_THEN_START = "cancel_then_start"
    """What is open is asked to stop; it starts when that has ended."""


STARTS = frozenset({DecisionKind.START, DecisionKind.QUEUE, DecisionKind.CANCEL_THEN_START})
"""Decisions that start an execution, sooner or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one occurrence, or of several that are missed together."""

    kind: DecisionKind
    scheduled_for: datetime
    """The nominal instant; of a summary: the newest of those it stands for."""
    not_before: datetime | None = None
    """The effective instant, where it is later."""
    blocked_by: int | None = None
    """The open execution because of which it is skipped or waits; None if the same plan starts that one."""
    count: int = 1
    reason: str = ""
    """A plain sentence, in English; one of :mod:`~django_scheduled_tasks.planner.reasons`."""
    moved: str = ""
    """Of what starts because calendars have moved it here: another of these sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer: decisions in order of their instants, and the new state."""

    decisions: tuple[Decision, ...]
    next_run_at: datetime | None
    run_count: int
