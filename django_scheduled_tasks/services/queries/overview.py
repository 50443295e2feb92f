"""What a list needs to know of many tasks: their state and recent executions, in a fixed number of statements."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import takewhile
from uuid import UUID

from django.db import connections
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Substr

from django_scheduled_tasks.alerting import OF_TASK, Kind
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.jit import without_jit
from django_scheduled_tasks.lifecycle import BROKEN, FAILED_OUTCOMES, LATE_AFTER, RAN_OUTCOMES, Outcome, Status
from django_scheduled_tasks.models import Alert, Execution, ScheduledTask, database_now, with_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.installation.state import is_held as is_copy_held
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.visibility import for_viewer
from django_scheduled_tasks.store.holds import held_tasks
from django_scheduled_tasks.store.reading.recent import ERROR_LINE, newest_ends, newest_executions

RECENT = 20
"""How many executions a row of the list shows."""
LOOKED_BACK = 200
"""Among so many of its newest executions a task's last one that ran is looked for."""


# --- states -------------------------------------------------------------------------------------------------------


def with_state(rows: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
    """Annotate what decides in which state each task is.

    ``database_now``, ``is_held``, ``last_id`` (its newest execution), ``last_ran`` (how the newest that ran ended, if
    it is one of the :data:`LOOKED_BACK` newest; before those there may be any number that were skipped),
    ``is_running``, ``is_known`` (somebody has closed the alert about its last failure), ``rank``
    (of those that need attention 0 if it is broken, 1 if it is late, else 2; of all others 3). Each looks
    at one row of an index, ``last_ran`` at no more than that many (but see :func:`_newest_of_task`).
    """
    own = Execution.objects.filter(task=OuterRef("pk"))
    return with_now(rows).annotate(
        last_id=Subquery(Execution.objects.of_task(OuterRef("pk")).values("id")[:1]),
        last_ran=Subquery(_newest_of_task().filter(outcome__in=RAN_OUTCOMES).values("outcome")[:1]),
        is_running=Exists(own.filter(status=Status.PROCESSING)),
        is_known=_is_known_failure(),
        is_held=Case(When(is_held(), then=Value(True)), default=Value(False), output_field=BooleanField()),
        rank=Case(When(needs_attention(), then=_severity()), default=Value(3), output_field=IntegerField()),
    )


def _severity() -> Case:
    return Case(
        When(is_broken(), then=Value(0)),
        When(is_late(), then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )


def _newest_of_task() -> QuerySet[Execution]:
    """Return the :data:`LOOKED_BACK` newest executions of the task of the outer row, newest first.

    On MariaDB all of them: it has no derived tables that name the outer row, and for a bound that is a subquery it
    leaves the index of the task for the primary key, which costs more than the bound saves.
    """
    rows = Execution.objects.of_task(OuterRef("pk"))
    if connections[rows.db].vendor == "mysql":
        return rows
    oldest = Subquery(Execution.objects.of_task(OuterRef(OuterRef("pk"))).values("id")[LOOKED_BACK - 1 : LOOKED_BACK])
    return rows.filter(id__gte=Coalesce(oldest, Value(0)))


def _is_known_failure() -> Case:
    """Whether somebody has closed the alert about a task's last failure; asked of those that fail alone."""
    last_failure = Execution.objects.of_task(OuterRef(OuterRef("pk"))).filter(outcome__in=FAILED_OUTCOMES)
    closed_by_hand = Alert.objects.filter(
        task=OuterRef("pk"),
        kind=str(Kind.FAILING),
        closed_by_hand=True,
        latest_at__gte=Subquery(last_failure.values("completed_at")[:1]),
    )
    is_known = When(is_failing() & Q(Exists(closed_by_hand)), then=Value(True))
    return Case(is_known, default=Value(False), output_field=BooleanField())


def is_broken() -> Q:
    """Tasks that no process which runs can start: nobody knows the function, or a scheduler has found it out."""
    others = live.alive_lately()
    found = Q(pause_code__in=sorted(BROKEN))
    if others.has_silent:
        return found
    return found | ~Q(function__in=sorted({*registry.functions(), *registry.former_functions(), *others.functions()}))


def is_late() -> Q:
    """Tasks that should have started a while ago, and that nothing holds; none in a copy of a database."""
    if is_copy_held():
        return Q(pk__isnull=True)  # not of an empty list, for which Django would ask nothing, and count no task at all
    return Q(next_run_at__lt=database_now() - LATE_AFTER) & ~is_held()


def is_held() -> Q:
    """Tasks that a hold keeps from starting."""
    return Q(pk__in=held_tasks())


def is_failing() -> Q:
    """Tasks whose newest execution that ran did not succeed; needs :func:`with_state`."""
    return Q(last_ran__in=FAILED_OUTCOMES)


def is_running() -> Q:
    """Tasks of which an execution runs; needs :func:`with_state`."""
    return Q(is_running=True)


def is_elsewhere() -> Q:
    """Tasks that run by schedule in other environments only."""
    limited = ~Q(environments=[])
    here = get_settings().ENVIRONMENT
    return limited & ~Q(environments__contains=f",{here},") if here else limited


def is_paused() -> Q:
    """Tasks whose schedule stands still because somebody wanted it to."""
    until = Q(paused_until__isnull=True) | Q(paused_until__gt=database_now())
    return Q(enabled=False) | (Q(paused_at__isnull=False) & until)


def is_done() -> Q:
    """Tasks whose schedule has ended: nothing of it comes any more, though nobody keeps it from starting."""
    stands = is_paused() | is_elsewhere() | is_held() | is_broken()
    return Q(next_run_at__isnull=True) & ~Q(schedule_kind="manual") & ~stands


def needs_attention() -> Q:
    """Tasks that somebody should look at; needs :func:`with_state`. The one rule, for lists, counts and programs.

    Those of which an alert is open that nobody has acknowledged and that is not silent: it fails, was missed, is late,
    runs for too long, has not succeeded for as long or by when it must, is broken or paused by the system. And those
    that are broken, late or failing and of which no alert is open yet, as where all rules wait for a second failure:
    whether a rule tells anybody is another matter. A failure whose alert somebody has closed counts no more.
    """
    alerts = Alert.objects.open().filter(kind__in=sorted(OF_TASK), task__isnull=False)
    unseen = alerts.filter(acknowledged_at=None).filter(
        Q(silenced_until__isnull=True) | Q(silenced_until__lte=database_now())
    )

    def told(kind: Kind) -> Q:
        return Q(pk__in=alerts.filter(kind=str(kind)).values("task"))

    return (
        Q(pk__in=unseen.values("task"))
        | (is_broken() & ~told(Kind.BROKEN))
        | (is_late() & ~told(Kind.LATE))
        | (is_failing() & ~told(Kind.FAILING) & ~Q(is_known=True))
    )


class State(StrEnum):
    """What a list of tasks can be limited to; one task may be in several."""

    NEEDS_ATTENTION = "needs_attention"
    """Something is wrong that nobody has acknowledged."""
    FAILING = "failing"
    """The last execution that ran did not succeed."""
    RUNNING = "running"
    """An execution runs."""
    PAUSED = "paused"
    """The schedule is paused or switched off."""
    LATE = "late"
    """It should have started a while ago."""
    BROKEN = "broken"
    """No process that runs can start it."""
    HELD = "held"
    """A hold keeps it from starting."""
    ELSEWHERE = "elsewhere"
    """It runs by schedule in other environments only."""
    DONE = "done"
    """Its schedule has ended."""


CONDITIONS: Mapping[State, Callable[[], Q]] = {
    State.NEEDS_ATTENTION: needs_attention,
    State.FAILING: is_failing,
    State.RUNNING: is_running,
    State.PAUSED: is_paused,
    State.LATE: is_late,
    State.BROKEN: is_broken,
    State.HELD: is_held,
    State.ELSEWHERE: is_elsewhere,
    State.DONE: is_done,
}
"""What each state is; needs :func:`with_state`."""


def in_state(state: State) -> QuerySet[ScheduledTask]:
    """Return the tasks in *state*."""
    return with_state(ScheduledTask.objects.order_by()).filter(CONDITIONS[state]())


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """How many tasks there are in each state; one may be counted in several."""

    all: int = 0
    failing: int = 0
    running: int = 0
    paused: int = 0
    late: int = 0
    broken: int = 0
    elsewhere: int = 0
    held: int = 0
    done: int = 0
    needs_attention: int = 0


def count_tasks(*, without_keys: bool = False) -> TaskCounts:
    """Count the tasks in each state; one statement over the tasks, not over their executions.

    Args:
        without_keys: Leave out those that programs have made, where there are too many to look at each.
    """
    tasks = for_viewer(ScheduledTask.objects.order_by())
    rows = with_state(tasks.filter(key=None) if without_keys else tasks)
    counts = {str(state): Count("pk", filter=condition()) for state, condition in CONDITIONS.items()}
    with without_jit(rows.db):
        return TaskCounts(**rows.aggregate(all=Count("pk"), **counts))


# --- recent executions --------------------------------------------------------------------------------------------


def recent_executions(task_ids: Sequence[UUID], *, count: int = RECENT) -> dict[UUID, list[Execution]]:
    """Return the newest executions of each task, newest first, with ``error_line``; one statement."""
    found: dict[UUID, list[Execution]] = {task_id: [] for task_id in task_ids}
    for row in sorted(newest_executions(list(found), count=count), key=lambda row: row.pk, reverse=True):
        if row.task_id is not None:
            found[row.task_id].append(row)
    return found


def usual_durations(task_ids: Sequence[UUID]) -> dict[UUID, timedelta | None]:
    """Return :func:`usual_duration` of the newest executions of each task; one statement, and no row as an object."""
    seconds: dict[UUID, list[float]] = {task_id: [] for task_id in task_ids}
    for task_id, status, began, ended in newest_ends(task_ids, count=RECENT):
        if status == Status.COMPLETED and began and ended:
            seconds[task_id].append((ended - began).total_seconds())
    return {task_id: _median(found) for task_id, found in seconds.items()}


def _median(seconds: Sequence[float]) -> timedelta | None:
    return timedelta(seconds=statistics.median(seconds)) if seconds else None


def error_line() -> Substr:
    """Return the beginning of an error's message, as an annotation: all of it may be long."""
    return Substr("error_message", 1, ERROR_LINE)


def leading(executions: Sequence[Execution]) -> Execution | None:
    """Return the execution that says how the task is: one that is open, else the newest that was not skipped."""
    for wanted in (
        lambda row: row.status == Status.PROCESSING,
        lambda row: row.is_open,
        lambda row: row.outcome != Outcome.SKIPPED,
    ):
        if found := next(filter(wanted, executions), None):
            return found
    return executions[0] if executions else None


def failures_in_a_row(executions: Iterable[Execution]) -> int:
    """Return how many of the newest of *executions* that ran did not succeed."""
    ran = (row.outcome for row in executions if row.outcome in RAN_OUTCOMES)
    return sum(1 for _outcome in takewhile(FAILED_OUTCOMES.__contains__, ran))


def last_run() -> Execution | None:
    """Return the newest execution that has started, if it is one of the :data:`LOOKED_BACK` newest; one statement."""
    newest = Execution.objects.only("task_name", "started_at").order_by("-id")[:LOOKED_BACK]
    return next((row for row in newest if row.started_at is not None), None)


def usual_duration(executions: Iterable[Execution]) -> timedelta | None:
    """Return the median of how long those that completed took; None if none did."""
    seconds = [
        (row.completed_at - row.started_at).total_seconds()
        for row in executions
        if row.status == Status.COMPLETED and row.started_at and row.completed_at
    ]
    return _median(seconds)


DEFAULT_ORDER = ("rank", F("next_run_at").asc(nulls_last=True), "name_key")
"""What needs attention, broken and late tasks first of all; then by what comes next; needs :func:`with_state`."""
