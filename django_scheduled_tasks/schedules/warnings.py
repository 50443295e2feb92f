"""What may surprise."""
from __future__ import annotations
from datetime import datetime
from django_scheduled_tasks.schedules.base import Schedule
def warnings_for(schedule: Schedule, *, now: datetime) -> list[str]:
    """Return sentences."""
    return schedule.warnings(now=now)
