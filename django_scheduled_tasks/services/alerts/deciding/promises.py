"""What tasks have promised and not kept, read from the ledger: ``stale`` and ``deadline``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest

from django_scheduled_tasks.alerting import Condition, Deadline, Kind, last_deadline, stale_from
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Alert, Execution, ScheduledTask, write_alias
from django_scheduled_tasks.services.alerts.deciding.conditions import MOST, Found
from django_scheduled_tasks.services.installation.state import standing
from django_scheduled_tasks.services.queries.overview import is_elsewhere
from django_scheduled_tasks.store.alerts import MOST_TASKS, last_successes
from django_scheduled_tasks.store.reading.recent import newest_ends

_DAY = timedelta(days=1)
MOST_ASKED = 5_000
"""So many tasks that must succeed are looked at at once, so that whoever looks is not kept from its work."""
_OF_EACH = 20
"""Among so many of its newest executions the last success of a task is looked for, if it seems to be long ago."""


def _expected_since() -> Coalesce:
    """Return from when on a task's promises count, as an expression."""
    return Coalesce("expected_since", "created_at")


def _adopted_at() -> datetime | None:
    installation = standing().installation
    return installation.adopted_at if installation is not None else None


def _newest_success() -> QuerySet[Execution]:
    """Return the newest success of the task of the outer row."""
    return Execution.objects.using(write_alias()).of_task(OuterRef("pk")).filter(status=Status.COMPLETED)


# --- must_succeed_every


class Stale:
    """Finds tasks that have not succeeded for as long as they must: of very many, some at each look."""

    def __init__(self) -> None:
        self._after: UUID | None = None
        """The last task that was looked at; None: the next look begins with the first."""

    def add(self, found: Found, now: datetime) -> None:
        """Add those among the next :data:`MOST_ASKED`, and those of which an alert is open.

        Two statements, and one more for each 200 that have not succeeded.
        """
        tasks = ScheduledTask.objects.using(write_alias()).filter(must_succeed_every__isnull=False, retired_at=None)
        tasks = tasks.exclude(is_elsewhere())
        stale = _stale(tasks.filter(self._next(tasks) | Q(pk__in=_open_alerts().values("task"))), now)
        successes = _last_to_end([task for task, *_ in stale])
        conditions = []
        for task, every, began, last_at in stale:
            since_at = stale_from(every, expected_since=began, succeeded_at=successes.get(task, last_at))
            if since_at <= now:
                found.limits[Kind.STALE, str(task)] = every
                conditions.append(Condition(Kind.STALE, str(task), since_at))
        found.add({Kind.STALE}, iter(conditions))
        if len(stale) >= MOST:
            found.partial.add(Kind.STALE)

    def _next(self, tasks: QuerySet[ScheduledTask]) -> Q:
        """Return which of *tasks* are looked at now, and go on; one statement."""
        after = Q(pk__gt=self._after) if self._after is not None else Q(pk__isnull=False)
        some = list(tasks.filter(after).order_by("pk").values_list("pk", flat=True)[:MOST_ASKED])
        self._after = some[-1] if len(some) == MOST_ASKED else None
        return after & Q(pk__lte=some[-1]) if some else Q(pk__isnull=True)


def _open_alerts() -> QuerySet[Alert]:
    return Alert.objects.using(write_alias()).open().filter(kind=str(Kind.STALE), task__isnull=False)


def _stale(tasks: QuerySet[ScheduledTask], now: datetime) -> list[Any]:
    """Return id, duration, begin and newest success of those whose newest success is too long ago."""
    adopted_at, since = _adopted_at(), _expected_since()
    begin = Greatest(since, Value(adopted_at, UtcDateTimeField())) if adopted_at is not None else since
    last = Subquery(_newest_success().values("completed_at")[:1], output_field=UtcDateTimeField())
    rows: QuerySet[Any] = tasks.annotate(begin=begin, last=last).annotate(
        stale_from=ExpressionWrapper(
            Greatest(Coalesce("last", "begin"), "begin") + F("must_succeed_every"), UtcDateTimeField()
        )
    )
    columns = ("pk", "must_succeed_every", "begin", "last")
    return list(rows.filter(stale_from__lte=now).order_by("stale_from").values_list(*columns)[:MOST])


def _last_to_end(task_ids: Sequence[UUID]) -> Mapping[UUID, datetime]:
    """Return when the last success of each task ended; a statement for each 200.

    What was started last is as a rule, but not always, what ends last.
    """
    found: dict[UUID, datetime] = {}
    for first in range(0, len(task_ids), MOST_TASKS):
        for task, status, _began, ended in newest_ends(task_ids[first : first + MOST_TASKS], count=_OF_EACH):
            if status == Status.COMPLETED and ended is not None:
                found[task] = max(ended, found.get(task, ended))
    return found


# --- must_finish_by


@dataclass(frozen=True, slots=True)
class _Due:
    """Tasks of which a deadline has just passed."""

    by: time
    zone: str
    deadline: Deadline


def add_deadlines(found: Found, now: datetime, *, since: datetime) -> None:
    """Add the tasks that have not succeeded by the time by which they must.

    Of those whose deadline passed since *since*, and of those that have an open alert. Two statements; one more for
    each time of day and zone of which a deadline has passed, and three for each of them that was not kept everywhere.
    """
    conditions = {one.where: one for one in _still_broken()}
    for due in _passed(now, since):
        for task in _broken(due):
            conditions.setdefault(str(task), Condition(Kind.DEADLINE, str(task), due.deadline.at))
    found.add({Kind.DEADLINE}, iter(conditions.values()))


def _still_broken() -> Iterator[Condition]:
    """Yield what is open and has not been made good by a success, of tasks that still promise it."""
    alerts = Alert.objects.using(write_alias()).open().filter(kind=str(Kind.DEADLINE), task__retired_at=None)
    rows: Any = alerts.filter(task__must_finish_by__isnull=False).order_by("pk").values_list("task", "opened_at")
    opened = dict(rows)
    newest, last = last_successes(list(opened)), _last_to_end(list(opened))
    for task, at in opened.items():
        if max(newest.get(task, at), last.get(task, at)) <= at:
            yield Condition(Kind.DEADLINE, str(task), at)


def _passed(now: datetime, since: datetime) -> Iterator[_Due]:
    adopted_at = _adopted_at()
    rows = ScheduledTask.objects.using(write_alias()).filter(must_finish_by__isnull=False).order_by("must_finish_by")
    for by, zone in rows.values_list("must_finish_by", "timezone").distinct():
        if (key := _zone(zone)) is None or by is None:
            continue
        deadline = last_deadline(by, key, now)
        if deadline.at > max(since, adopted_at or since):
            yield _Due(by, zone, deadline)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):  # it was known to another process; such a task is broken, which is told
        return None


def _broken(due: _Due) -> Iterator[UUID]:
    """Yield the tasks that have not kept *due*, and are not failing."""
    deadline = due.deadline
    last = _newest_success().annotate(due=Coalesce("scheduled_for", "triggered_at")).values("due")[:1]
    rows = ScheduledTask.objects.using(write_alias()).filter(must_finish_by=due.by, timezone=due.zone, retired_at=None)
    rows = rows.annotate(since=_expected_since(), last_due=Subquery(last, output_field=UtcDateTimeField())).filter(
        Q(last_due=None) | Q(last_due__lt=deadline.midnight), since__lte=deadline.at
    )
    tasks = dict(rows.order_by("pk").values_list("pk", "next_run_at")[:MOST])
    if not tasks:
        return
    was_due, successes, failing = _newest_due(tasks, deadline), _successes(tasks, deadline), _failing(tasks, deadline)
    for task, next_run_at in tasks.items():
        dues = [at for at in (was_due.get(task), next_run_at) if at is not None]
        counts_from = deadline.counts_from(dues)
        if counts_from is None or task in failing:
            continue
        if task not in successes or successes[task] < counts_from:
            yield task


def _newest_due(tasks: Mapping[UUID, object], deadline: Deadline) -> Mapping[UUID, datetime]:
    """Return when the last occurrence before *deadline* was due, of each task that had one; skipped ones are none."""
    rows = Execution.objects.using(write_alias()).filter(
        task__in=list(tasks), scheduled_for__gte=deadline.before, scheduled_for__lt=deadline.at
    )
    rows = rows.exclude(outcome=Outcome.SKIPPED)
    return dict(rows.order_by().values_list("task").annotate(newest=Max("scheduled_for")))


def _successes(tasks: Mapping[UUID, object], deadline: Deadline) -> Mapping[UUID, datetime]:
    """Return when the newest of what has succeeded was due or triggered."""
    rows = Execution.objects.using(write_alias()).filter(
        task__in=list(tasks), status=Status.COMPLETED, triggered_at__gte=deadline.before - _DAY
    )
    due = Max(Coalesce("scheduled_for", "triggered_at"))
    return dict(rows.order_by().values_list("task").annotate(newest=due))


def _failing(tasks: Mapping[UUID, object], deadline: Deadline) -> set[UUID | None]:
    """Return the tasks that were failing when *deadline* passed, or are: whoever has to know knows already."""
    rows = Alert.objects.using(write_alias()).filter(task__in=list(tasks), kind=str(Kind.FAILING))
    rows = rows.filter(Q(closed_at=None) | Q(closed_at__gte=deadline.at))
    return set(rows.values_list("task", flat=True))
