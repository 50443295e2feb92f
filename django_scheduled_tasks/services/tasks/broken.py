"""Tasks that are paused since no process knew their function or could read their schedule, and how they go on."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidSchedule, TaskNotFound
from django_scheduled_tasks.lifecycle import BROKEN, PauseCode
from django_scheduled_tasks.models import ScheduledTask, Way, read_now, write_alias, write_transaction
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.planner.late import INSTANT
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import timezone_names
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.tasks.changes.record import record_change
from django_scheduled_tasks.services.tasks.edit import _locked
from django_scheduled_tasks.services.tasks.standstill import clear_pause

logger = logging.getLogger(__name__)
_OLD_REASON = 'The function "'
"""So begins the reason of a pause that was written before there were codes."""


@dataclass
class Resumed:
    """What :func:`resume_known` did."""

    names: list[str] = field(default_factory=list)
    """The tasks that go on."""
    still_broken: int = 0
    """How many are left that this process does not know either."""


def broken_tasks() -> QuerySet[ScheduledTask]:
    """Return the tasks that are paused as broken, those that older versions have paused among them."""
    is_old = Q(pause_code="", paused_by=None, pause_reason__startswith=_OLD_REASON)
    rows = ScheduledTask.objects.using(write_alias()).filter(paused_at__isnull=False, retired_at=None)
    return rows.filter(Q(pause_code__in=sorted(BROKEN)) | is_old)


def resume_known() -> Resumed:
    """Resume the tasks that are paused as broken and that this process knows; one statement if there are none.

    It is as after a downtime: the schedule goes on from the first occurrence that was not handled, and catch-up and
    grace decide about those that are late by now.
    """
    result = Resumed()
    rows = [row for row in broken_tasks() if _is_broken(row)]
    if any(row.pause_code == PauseCode.INVALID_SCHEDULE for row in rows):
        timezone_names.cache_clear()  # files of time zones may have come back
    for row in rows:
        if _can_plan(row) and _resume(row):
            result.names.append(row.name)
        else:
            result.still_broken += 1
    return result


def _is_broken(row: ScheduledTask) -> bool:
    return bool(row.pause_code) or row.pause_reason == FunctionNotRegistered(row.function).message


def _can_plan(row: ScheduledTask) -> bool:
    try:
        return registry.knows(row.function) and row.policy is not None
    except InvalidSchedule:
        return False


def _resume(found: ScheduledTask) -> bool:
    with write_transaction():
        try:
            row = _locked(found)
        except TaskNotFound:
            return False
        began = row.paused_at
        if began is None or (began, row.pause_code) != (found.paused_at, found.pause_code) or not _can_plan(row):
            return False  # somebody has changed it meanwhile
        before = copy.copy(row)
        clear_pause(row)
        row.calendars_since = began if row.calendars else None
        row.next_run_at = first_run_at(row.policy, now=began - INSTANT, run_count=row.run_count)
        row.updated_at = read_now()
        row.save(using=write_alias())
        with through(Way.SYSTEM):
            record_change(row, before=before, user=None, at=row.updated_at)
        wake_schedulers()
    logger.warning("The task %s goes on: it is known again", row.name, extra={"task": row.name, "event": "resumed"})
    return True
