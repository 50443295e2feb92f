"""When a task runs next, as the planner says it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.planner import STARTS, simulate

NEXT = 3
_FAR = timedelta(days=20 * 365)


def next_runs(task: ScheduledTask, count: int = NEXT) -> list[datetime]:
    """Return the next *count* instants for which the planner would start *task*; fewer if it ends before."""
    if task.next_run_at is None:
        return []
    try:
        policy = task.policy
    except InvalidSchedule:
        return []
    start = task.next_run_at
    found = simulate(policy, start, start + _FAR, run_count=task.run_count, limit=count)
    return [entry.scheduled_for for entry in found.entries if entry.kind in STARTS][:count]
