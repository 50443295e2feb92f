"""A sentence."""
from __future__ import annotations
from django_scheduled_tasks.schedules.base import Schedule
def describe(schedule: Schedule) -> str:
    """Return a sentence."""
    return schedule.describe()
