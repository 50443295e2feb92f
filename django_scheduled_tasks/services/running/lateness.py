"""How late an execution started."""

from __future__ import annotations

from datetime import datetime

from django_scheduled_tasks.lifecycle import Trigger
from django_scheduled_tasks.models import Execution


def late_seconds(execution: Execution) -> float | None:
    """Return how many seconds after the instant at which it could have started *execution* did; None: it has not.

    That is the end of its delay or its wait for the next attempt, else when it was due, else when it was asked for.
    A backfill or a rerun is of an instant that is long past: it is late only after it was asked for.
    """
    if execution.started_at is None:
        return None
    due = execution.scheduled_for if execution.trigger == Trigger.SCHEDULE else None
    since: datetime = max((at for at in (execution.not_before, due) if at is not None), default=execution.triggered_at)
    seconds: float = (execution.started_at - since).total_seconds()
    return round(max(seconds, 0.0), 3)
