"""What needs somebody's attention, for the index of the admin: alerts, and tasks of which none is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.db.connections.jit import without_jit
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.permissions import VIEW_TASK, Caller, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.overview import State


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs attention, as far as somebody may see it."""

    alerts: Sequence[Alert] = ()
    """The first of them; those that are not stored stand for tasks of which no alert is open."""
    tasks: int = 0
    """How many tasks need attention."""


def needing_attention(user: Caller, alerts: Sequence[Alert], limit: int) -> Attention:
    """Return what needs attention: *alerts* first, then tasks without one, broken ones first.

    One statement if no task needs attention, and at most two more: the same rule as for the list of tasks.

    Args:
        user: Who asks; tasks are told of whoever may see all of them.
        alerts: Those that want the attention of *user*.
        limit: So many are told of at most.
    """
    if not may(user, VIEW_TASK):
        return Attention(alerts[:limit])
    rows = overview.in_state(State.NEEDS_ATTENTION)
    with without_jit(rows.db):
        count = rows.count()
        known = {alert.task_id for alert in alerts}
        others: list[Any] = []
        if count and len(alerts) < limit:
            without = rows.exclude(pk__in=[task for task in known if task is not None])
            others = list(without.order_by(*overview.DEFAULT_ORDER)[: limit - len(alerts)])
    return Attention([*alerts[:limit], *_as_alerts(others)], count)


def _as_alerts(tasks: Sequence[Any]) -> Iterator[Alert]:
    """Yield for each of *tasks* the alert that nobody has opened."""
    recent = overview.recent_executions([task.pk for task in tasks])
    for task in tasks:
        found: dict[str, Any] = {"task": task, "task_name": task.name, "open_key": str(task.pk)}
        last = next((row for row in recent[task.pk] if row.outcome == task.last_ran), None)
        if task.rank == 0:
            yield Alert(kind=Kind.BROKEN, opened_at=task.paused_at or task.updated_at, **found)
        elif task.rank == 1 and task.next_run_at is not None:
            yield Alert(kind=Kind.LATE, opened_at=task.next_run_at, **found)
        elif last is not None:
            count = overview.failures_in_a_row(recent[task.pk])
            at = last.completed_at or last.triggered_at
            yield Alert(kind=Kind.FAILING, opened_at=at, count=count, latest_execution=last.pk, **found)
