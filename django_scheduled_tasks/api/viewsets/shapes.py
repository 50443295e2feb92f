"""What services answer, as JSON; and what queries ask, as values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from rest_framework.request import Request

from django_scheduled_tasks.api.fields import MOST_PREVIEWED
from django_scheduled_tasks.api.queries import asked_number
from django_scheduled_tasks.exceptions import FieldError, InvalidTask, TaskNotFound
from django_scheduled_tasks.models import ScheduledTask, write_transaction
from django_scheduled_tasks.services.backfill import Backfill
from django_scheduled_tasks.services.envelope import iso_milliseconds
from django_scheduled_tasks.services.upcoming import Occurrence

DEFAULT_COUNT = 10


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


def asked_count(request: Request) -> int:
    """Return how many instants are asked for."""
    return asked_number(request, "count", default=DEFAULT_COUNT, least=1, most=MOST_PREVIEWED)


@contextmanager
def changing(name: str) -> Iterator[None]:
    """Tell what another request did between our look and our writing.

    Raises:
        InvalidTask: Another task got the name.
        TaskNotFound: The task is gone.
    """
    try:
        with write_transaction():
            yield
    except IntegrityError as exc:
        message = "There is a scheduled task of this name already."
        raise InvalidTask([FieldError("name", message, "unique")]) from exc
    except ScheduledTask.DoesNotExist as exc:
        raise TaskNotFound(name) from exc
