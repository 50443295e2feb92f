"""What a change of a task would make of it, as JSON."""
# ruff: noqa: N815  (JSON keys)

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_scheduled_tasks.api.serializers.audit import ChangedField
from django_scheduled_tasks.api.serializers.responses import ScheduledOccurrence, occurrence_json
from django_scheduled_tasks.instants import camel
from django_scheduled_tasks.services.tasks.changes.before_after import BeforeAfter


class DayOfPreview(serializers.Serializer[Any]):
    """One day, in the task's zone, as it is and as it would be."""

    day = serializers.DateField()
    before = ScheduledOccurrence(many=True, help_text="Empty if there are more than 30 on either side.")
    after = ScheduledOccurrence(many=True)
    countBefore = serializers.IntegerField()
    countAfter = serializers.IntegerField()


class ChangePreview(serializers.Serializer[Any]):
    """What a change of a task would make of it."""

    changed = ChangedField(many=True)
    asks = serializers.BooleanField(help_text="Whether the admin asks before it saves this.")
    timezone = serializers.CharField()
    days = DayOfPreview(many=True, help_text="The next seven days; empty if the schedule cannot be read.")
    lost = serializers.IntegerField(help_text="Of the next seven days.")
    new = serializers.IntegerField()
    same = serializers.IntegerField()
    neverAgain = serializers.BooleanField(help_text="Whether it was due some time, and would be never again.")
    executions = serializers.ListField(
        child=serializers.UUIDField(), help_text="What is under way and goes on as it is; at most five."
    )


def change_preview_json(found: BeforeAfter) -> dict[str, Any]:
    """Return what a change would make of a task."""
    ahead = found.ahead
    return {
        "changed": [item | {"field": camel(item["field"])} for item in found.fields],
        "asks": found.asks,
        "timezone": found.after.timezone,
        "days": [
            {
                "day": day.day.isoformat(),
                "before": [occurrence_json(item) for item in day.before],
                "after": [occurrence_json(item) for item in day.after],
                "countBefore": day.count_before,
                "countAfter": day.count_after,
            }
            for day in (ahead.days if ahead is not None else ())
        ],
        "lost": ahead.lost if ahead is not None else 0,
        "new": ahead.new if ahead is not None else 0,
        "same": ahead.same if ahead is not None else 0,
        "neverAgain": ahead is not None and ahead.ends,
        "executions": [str(row.tracking_id) for row in found.under_way],
    }
