"""The fields of a task that people and programs may set."""

from __future__ import annotations

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.registry import registry

SCHEDULE_FIELDS = frozenset(
    {"schedule_kind", "expression", "timezone", "starts_at", "ends_at", "max_runs", "enabled", "spread", "environments"}
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
