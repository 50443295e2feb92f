"""How long executions are kept: the last N and at most D days, counted apart for successes and for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import ENDED, FAILED_OUTCOMES, Status
from django_scheduled_tasks.models import (
    Alert,
    Change,
    Execution,
    ScheduledTask,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.services.scheduling import rollup


@dataclass
class Pruned:
    """How many executions were deleted, or would be, by the name of their task."""

    by_task: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_task.values())

    def add(self, task: str, count: int) -> None:
        """Count *count* more of *task*."""
        if count:
            self.by_task[task] = self.by_task.get(task, 0) + count


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is kept of one task."""

    last: int
    """How many of each kind are kept, however old they are."""
    last_from: datetime
    """Beyond that number, only what ended before this instant is deleted."""
    since: datetime
    """What ended before this instant is deleted, however few there are."""


def prune(*, dry_run: bool = False) -> Pruned:
    """Delete all executions that need not be kept, in batches.

    Args:
        dry_run: Only count them.
    """
    pruned = Pruned()
    for name, count in prune_steps(dry_run=dry_run):
        pruned.add(name, count)
    return pruned


def prune_steps(*, dry_run: bool = False) -> Iterator[tuple[str, int]]:
    """Delete batch by batch; yield the task's name and the number of deleted executions after each batch.

    Open executions are never deleted, nor is the last success or the last failure of a task. What is deleted is counted
    first, for metrics and plots.
    """
    now = read_now()
    for task in _tasks_with_executions():
        rule = _rule_of(task, now)
        kept = _never_deleted(task.pk)
        for status in sorted(ENDED):
            rows = Execution.objects.using(write_alias()).filter(task=task, status=status)
            yield from ((task.name, count) for count in _prune_rows(rows, rule, kept, dry_run=dry_run))
    orphans = Execution.objects.using(write_alias()).filter(task=None, status__in=ENDED)
    rule = _Rule(last=0, last_from=datetime.min.replace(tzinfo=now.tzinfo), since=_before(now, get_settings().KEEP_FOR))
    yield from (("", count) for count in _prune_rows(orphans, rule, frozenset(), dry_run=dry_run))
    if not dry_run:
        forget_changes(now)
        forget_alerts(now)
        rollup.forget(now)
        rollup.name_tasks(now)


def _tasks_with_executions() -> Iterator[ScheduledTask]:
    """Yield the tasks that have executions; one statement each, and none for tasks without."""
    rows = Execution.objects.using(write_alias()).filter(task__isnull=False).order_by("task_id").select_related("task")
    rows = rows.only("id", "task__name", "task__keep_last", "task__keep_for")
    row = rows.first()
    while row is not None:
        assert row.task is not None  # noqa: S101  (for the type checker: that was asked for)
        yield row.task
        row = rows.filter(task_id__gt=row.task_id).first()


def _rule_of(task: ScheduledTask, now: datetime) -> _Rule:
    settings = get_settings()
    return _Rule(
        last=settings.KEEP_LAST if task.keep_last is None else task.keep_last,
        # A task's own number counts at once; that of the settings only after KEEP_AT_LEAST: statuses stay readable.
        last_from=_before(now, settings.KEEP_AT_LEAST if task.keep_last is None else timedelta(0)),
        since=_before(now, settings.KEEP_FOR if task.keep_for is None else task.keep_for),
    )


def _before(now: datetime, duration: timedelta) -> datetime:
    """Return *now* minus *duration*, or the first instant of the calendar where that is earlier."""
    begin = datetime.min.replace(tzinfo=now.tzinfo)
    return now - duration if duration <= now - begin else begin


def _never_deleted(task_id: UUID) -> frozenset[int]:
    rows = Execution.objects.using(write_alias()).filter(task=task_id).order_by("-pk").values_list("pk", flat=True)
    success = rows.filter(status=Status.COMPLETED).first()
    failure = rows.filter(status=Status.ERRORS, outcome__in=FAILED_OUTCOMES).first()
    return frozenset(pk for pk in (success, failure) if pk is not None)


def _prune_rows(rows: ExecutionQuerySet, rule: _Rule, kept: frozenset[int], *, dry_run: bool) -> Iterator[int]:
    """Walk *rows* from the oldest on, a batch at a time, until the first that is to be kept."""
    batch = get_settings().BATCH_SIZE
    newest_first = rows.order_by("-pk").values_list("pk", flat=True)
    beyond = newest_first[rule.last : rule.last + 1].first() if rule.last else None
    after = 0
    while True:
        found = list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", "completed_at")[:batch])
        doomed = [
            pk
            for pk, ended_at in found
            if pk not in kept
            and ended_at is not None
            and (ended_at < rule.since or (beyond is not None and pk <= beyond and ended_at < rule.last_from))
        ]
        if doomed and not dry_run:
            delete_counted(doomed)
        yield len(doomed)
        if len(found) < batch or len(doomed) < len({pk for pk, _ended_at in found} - kept):
            return
        after = found[-1][0]


def forget_changes(now: datetime) -> int:
    """Delete what was recorded about changes of tasks longer ago than ``KEEP_CHANGES_FOR``; return how many rows."""
    old = Change.objects.using(write_alias()).filter(at__lt=_before(now, get_settings().KEEP_CHANGES_FOR))
    deleted: int = old._raw_delete(old.db)
    return deleted


def forget_alerts(now: datetime) -> int:
    """Delete the alerts that closed longer ago than ``KEEP_CHANGES_FOR``, with their notices; return how many rows."""
    rows = Alert.objects.using(write_alias()).filter(closed_at__lt=_before(now, get_settings().KEEP_CHANGES_FOR))
    return rows.delete()[0]


def delete_executions(numbers: Iterable[int]) -> int:
    """Delete the executions with these numbers that have ended; return how many that were."""
    rows = Execution.objects.using(write_alias()).filter(pk__in=list(numbers), status__in=ENDED)
    return delete_counted(list(rows.values_list("pk", flat=True)))


def delete_counted(numbers: Sequence[int]) -> int:
    """Delete these executions, all of which have ended, and count them before; return how many they were."""
    if not numbers:
        return 0
    with write_transaction():
        rollup.count_now(numbers)
        rows = Execution.objects.using(write_alias()).filter(pk__in=numbers)
        return rows.delete()[1].get(Execution._meta.label, 0)
