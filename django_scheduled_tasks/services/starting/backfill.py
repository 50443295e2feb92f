"""Replaying the occurrences of a range in the past."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.lifecycle import Overlap, Status, Trigger
from django_scheduled_tasks.models import (
    Deed,
    Execution,
    ScheduledTask,
    for_update,
    in_transaction,
    with_now,
    write_alias,
)
from django_scheduled_tasks.planner import Decision, DecisionKind, OpenExecution, replay
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import upcoming
from django_scheduled_tasks.services.delivery.dispatch import after_commit, row_of
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.running.cancel import cancel_open
from django_scheduled_tasks.services.starting.idempotency import digests, earlier_with, seeing_others
from django_scheduled_tasks.services.starting.run_once import clean_reason
from django_scheduled_tasks.services.tasks.changes.record import record_deed
from django_scheduled_tasks.users import User

MOST_OCCURRENCES = 1_000
"""The most occurrences of one backfill; as many as wait under ``queue_all``."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one occurrence."""

    scheduled_for: datetime
    starts: bool
    """Whether it is started, at once or when its turn comes; else it is recorded as skipped."""
    reason: str
    tracking_id: UUID | None
    """None in a dry run."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What came of a request to backfill."""

    task: ScheduledTask
    occurrences: tuple[Replayed, ...]
    replayed: bool = False
    """Whether it is the answer of an earlier request with the same idempotency key."""

    @property
    def started(self) -> int:
        """How many start."""
        return Counter(item.starts for item in self.occurrences)[True]

    @property
    def skipped(self) -> int:
        """How many do not, because of the overlap rule."""
        return len(self.occurrences) - self.started


def backfill(
    task: ScheduledTask | UUID | str,
    *,
    start: datetime,
    end: datetime,
    overlap: Overlap | None = None,
    reason: str = "",
    dry_run: bool = False,
    user: User | None = None,
    authorize: Callable[[ScheduledTask], None] | None = None,
    idempotency_key: str | None = None,
) -> Backfill:
    """Record an execution for each occurrence between two instants, whether it ran at its time or not.

    The schedule goes on as if nothing had happened. A handful of statements, however many occurrences.

    Args:
        task: The task, its name, or its id; locked until the rows are written.
        start: Aware; inclusive.
        end: Aware; inclusive; not in the future.
        overlap: Whether they wait for each other, and for what runs; None: ``queue_all``, whatever the task's own rule.
        reason: Why, for people.
        dry_run: Write nothing, only say what would happen.
        user: Who asked; recorded.
        authorize: Called with the task before anything is decided; raises if the caller may not run it.
        idempotency_key: Same key, task and user within 24 hours: the first answer is given again.
    Raises:
        TaskNotFound, FunctionNotRegistered, InvalidParameters, InvalidSchedule, IdempotencyMismatch: As their names
            say.
        InvalidInput: The range is empty, in the future, or has too many occurrences.
        StaleTransaction: The caller's transaction does not see that the same was started meanwhile.
    """

    def record() -> Backfill:
        with in_transaction():
            rows_of_tasks = for_update(with_now(ScheduledTask.objects.all()))
            row = get_task(task.pk if isinstance(task, ScheduledTask) else task, rows_of_tasks)
            if authorize is not None:
                authorize(row)
            now = row.database_now
            digest, fingerprint = "", ""
            if idempotency_key is not None:
                body = ["backfill", start, end, overlap, reason, dry_run]
                digest, fingerprint = digests(row, user, idempotency_key, body)
                if earlier := earlier_with(digest, fingerprint, now):
                    return Backfill(row, _written_with(earlier), replayed=True)
            instants = _instants(row, start, end, now)
            registry.get(row.function).parameters.clean(row.params)
            policy = Overlap(overlap or Overlap.QUEUE_ALL)
            decisions = replay(
                dataclasses.replace(row.policy, overlap=policy), instants, _open(row, policy, row.database_now)
            )
            rows = _rows(row, decisions, policy, now=now)
            for item in rows:
                item.reason, item.triggered_by = clean_reason(reason), user
            if not dry_run and rows:
                rows[0].idempotency_key, rows[0].idempotency_fingerprint = digest or None, fingerprint
                _write(row, rows, decisions)
                span = {"field": "range", "old": start.isoformat(), "new": end.isoformat()}
                record_deed(Deed.BACKFILLED, task=row, fields=[span], user=user, at=now, reason=rows[0].reason)
        return Backfill(row, tuple(_replayed(item, written=not dry_run) for item in rows))

    return seeing_others(record)


def _instants(task: ScheduledTask, start: datetime, end: datetime, now: datetime) -> list[datetime]:
    """Return the occurrences of the range, ends inclusive."""
    if end < start:
        raise InvalidInput([FieldError("end", _("it is earlier than the beginning."), "order")])
    if end > now:
        raise InvalidInput([FieldError("end", _("it is in the future."), "future")])
    until = end + _INSTANT if task.ends_at is None else min(end + _INSTANT, task.ends_at)
    found = upcoming(
        task.schedule_with_calendars,
        after=start - _INSTANT,
        count=MOST_OCCURRENCES + 1,
        starts_at=task.starts_at,
        ends_at=until,
    )
    if len(found) > MOST_OCCURRENCES:
        limit = f"{MOST_OCCURRENCES:,}"
        message = _("there are more than %(limit)s occurrences; ask for a shorter range.") % {"limit": limit}
        raise InvalidInput([FieldError("start", message, "many")])
    return found


def _open(task: ScheduledTask, policy: Overlap, now: datetime) -> tuple[OpenExecution, ...]:
    if policy == Overlap.ALLOW:
        return ()
    rows = Execution.objects.using(write_alias()).filter(task=task).blocking(now).order_by("id")
    return tuple(OpenExecution(id=pk, status=Status(status)) for pk, status in rows.values_list("pk", "status"))


def _rows(task: ScheduledTask, decisions: Sequence[Decision], policy: Overlap, *, now: datetime) -> list[Execution]:
    """Return the rows, not saved; each occurrence has a number of its own among those of the same instant."""
    if not decisions:
        return []
    rows = Execution.objects.using(write_alias()).filter(
        task=task, scheduled_for__range=(decisions[0].scheduled_for, decisions[-1].scheduled_for)
    )
    known = dict(rows.order_by().values_list("scheduled_for").annotate(most=Max("replay")))
    found = []
    for decision in decisions:
        execution = row_of(task, decision, now=now, trigger=Trigger.BACKFILL, overlap=policy)
        execution.replay = known.get(decision.scheduled_for, 0) + 1
        found.append(execution)
    return found


def _write(task: ScheduledTask, rows: list[Execution], decisions: Sequence[Decision]) -> None:
    if any(decision.kind == DecisionKind.CANCEL_THEN_START for decision in decisions):
        cancel_open(task)
    Execution.objects.using(write_alias()).bulk_create(rows)
    after_commit([item for item in rows if item.is_open])


def _written_with(first: Execution) -> tuple[Replayed, ...]:
    """Return what was written together with *first*, which carries the key."""
    rows = Execution.objects.using(write_alias()).filter(
        task=first.task_id, trigger=Trigger.BACKFILL, triggered_at=first.triggered_at, pk__gte=first.pk
    )
    return tuple(_replayed(item, written=True) for item in rows.order_by("pk")[:MOST_OCCURRENCES])


def _replayed(execution: Execution, *, written: bool) -> Replayed:
    assert execution.scheduled_for is not None  # noqa: S101  (for the type checker: each is of an occurrence)
    return Replayed(
        scheduled_for=execution.scheduled_for,
        starts=execution.error_code != "skipped",
        reason=execution.error_message if execution.error_code == "skipped" else "",
        tracking_id=execution.tracking_id if written else None,
    )
