"""How far an execution is, and for how long it will go on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.text.humanize import short_duration_text
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.translation import say_number

ENOUGH_TO_GUESS, FAR_ENOUGH = 5, 20
"""The time left is shown after this many earlier executions, or from this percentage on."""


def progress_text(row: Execution) -> str:
    """Return the progress that the function has reported."""
    if row.progress_current is None:
        return row.progress_message
    values = {"done": say_number(row.progress_current), "total": say_number(row.progress_total or 0)}
    counted = _("%(done)s of %(total)s") % values if row.progress_total else values["done"]
    return f"{row.progress_message}: {counted}" if row.progress_message else counted


def time_left_text(row: Execution, done: int | None, recent: Iterable[Execution], *, now: datetime) -> str:
    """Return the estimated time left; empty without enough data.

    Args:
        row: Which.
        done: How many percent of it are done, if that is known.
        recent: The newest executions of its task.
        now: The present instant.
    """
    if row.status != Status.PROCESSING or row.started_at is None:
        return ""
    spent = now - row.started_at
    earlier = [item for item in recent if item.status == Status.COMPLETED]
    left: timedelta | None = None
    if done and done >= FAR_ENOUGH and row.progress_total:
        left = spent * (row.progress_total - (row.progress_current or 0)) / (row.progress_current or 1)
    elif len(earlier) >= ENOUGH_TO_GUESS and (usual := overview.usual_duration(earlier)) is not None:
        left = usual - spent
    if left is None or left <= timedelta(0):
        return ""
    return _("about %(duration)s left") % {"duration": short_duration_text(left)}
