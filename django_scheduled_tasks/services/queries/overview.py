"""What a list needs to know of many tasks: their state and recent executions, in a fixed number of statements."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
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

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import BROKEN, FAILED_OUTCOMES, LATE_AFTER, RAN_OUTCOMES, Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, database_now, with_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.installation.state import is_held as is_copy_held
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.store.holds import held_tasks
from django_scheduled_tasks.store.recent import ERROR_LINE, newest_ends, newest_executions

RECENT = 20
"""How many executions a row of the list shows."""
LOOKED_BACK = 200
"""Among so many of its newest executions a task's last one that ran is looked for."""


# --- states -------------------------------------------------------------------------------------------------------


def with_state(rows: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
    """Annotate what decides in which state each task is.

    ``database_now``, ``is_held``, ``last_id`` (its newest execution), ``last_ran`` (how the newest that ran ended, if
    it is one of the :data:`LOOKED_BACK` newest; before those there may be any number that were skipped),
    ``is_running``, ``rank``
    (0 broken, 1 late, 2 failing, 3 others). Each
    looks at one row of an index, ``last_ran`` at no more than that many (but see :func:`_newest_of_task`).
    """
    own = Execution.objects.filter(task=OuterRef("pk"))
    return with_now(rows).annotate(
        last_id=Subquery(Execution.objects.of_task(OuterRef("pk")).values("id")[:1]),
        last_ran=Subquery(_newest_of_task().filter(outcome__in=RAN_OUTCOMES).values("outcome")[:1]),
        is_running=Exists(own.filter(status=Status.PROCESSING)),
        is_held=Case(When(is_held(), then=Value(True)), default=Value(False), output_field=BooleanField()),
        rank=Case(
            When(is_broken(), then=Value(0)),
            When(is_late(), then=Value(1)),
            When(is_failing(), then=Value(2)),
            default=Value(3),
            output_field=IntegerField(),
        ),
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


def count_tasks() -> TaskCounts:
    """Count the tasks in each state; one statement over the tasks, not over their executions."""
    rows = with_state(ScheduledTask.objects.order_by())
    states = {
        "failing": is_failing(),
        "running": is_running(),
        "paused": is_paused(),
        "late": is_late(),
        "broken": is_broken(),
        "elsewhere": is_elsewhere(),
        "held": is_held(),
    }
    counts = {name: Count("pk", filter=condition) for name, condition in states.items()}
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
"""Broken, late, failing, then by what comes next; needs :func:`with_state`."""
