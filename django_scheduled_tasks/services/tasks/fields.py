"""The fields of a task that people and programs may set."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import Schedule

SCHEDULE_FIELDS = frozenset(
    {
        *("schedule_kind", "expression", "timezone", "starts_at", "ends_at", "max_runs", "enabled", "spread"),
        *("environments", "calendars", "on_excluded"),
    }
)
"""Fields whose change makes the schedule be computed anew, from now."""
PUBLIC_FIELDS = frozenset(
    field.name
    for field in ScheduledTask._meta.concrete_fields
    if field.editable and field.name not in {"id", "name_key"}
)
"""Fields that people and programs may set."""


def declared_fields(name: str) -> set[str]:
    """Return the fields that the code decides for the task called *name*; none if it is not declared there."""
    key = name_key(name)
    return set(PUBLIC_FIELDS) if any(name_key(item.name) == key for item in registry.declarations()) else set()


def schedule_columns(schedule: Schedule) -> dict[str, Any]:
    """Return the columns that store *schedule*; the zone of one that names none is that of the settings."""
    zone = getattr(schedule, "timezone", None)
    return {
        "schedule_kind": schedule.kind,
        "expression": schedule.expression,
        "timezone": zone.key if isinstance(zone, ZoneInfo) else get_settings().time_zone,
    }
