"""What services answer, as JSON; and what queries ask, as values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.services.queries.upcoming import Occurrence
from django_scheduled_tasks.services.starting.backfill import Backfill


def instant_json(value: datetime | None) -> str | None:
    """Return an instant as text, or None."""
    return iso_milliseconds(value) if value is not None else None


def occurrence_json(item: Occurrence) -> dict[str, Any]:
    """Return one due instant."""
    return {"scheduledFor": instant_json(item.scheduled_for), "notBefore": instant_json(item.not_before)}


def backfill_json(done: Backfill, *, dry_run: bool) -> dict[str, Any]:
    """Return what came of a backfill."""
    return {
        "scheduledTaskId": str(done.task.pk),
        "scheduledTaskName": done.task.name,
        "dryRun": dry_run,
        "started": done.started,
        "skipped": done.skipped,
        "occurrences": [
            {
                "scheduledFor": instant_json(item.scheduled_for),
                "starts": item.starts,
                "reason": item.reason,
                "trackingId": str(item.tracking_id) if item.tracking_id else None,
            }
            for item in done.occurrences
        ],
    }
