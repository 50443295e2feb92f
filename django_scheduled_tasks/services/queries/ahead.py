"""When a task runs next, as the planner says it."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.planner import forecast

NEXT = 3


def next_runs(task: ScheduledTask, count: int = NEXT) -> list[datetime]:
    """Return the next *count* instants for which the planner would start *task*; fewer if it ends before."""
    if task.next_run_at is None:
        return []
    try:
        policy = task.policy
    except InvalidSchedule:
        return []
    first = task.next_run_at
    return [
        one.scheduled_for for one in islice(forecast(policy, now=first, first=first, run_count=task.run_count), count)
    ]
