"""Pausing a task whose schedule only ever fails (``pause_after_failures``)."""

from __future__ import annotations

import logging

from django_scheduled_tasks.exceptions import AlreadyPaused
from django_scheduled_tasks.lifecycle import RAN_OUTCOMES, Outcome, PauseCode, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, Way, write_alias
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.tasks.edit import pause

logger = logging.getLogger(__name__)


def pause_if_it_keeps_failing(execution: Execution) -> bool:
    """Pause the task of *execution*, which has just failed, if as many in a row have as it allows.

    Only executions of the schedule count, since a manual run never touches it; and only those since the task was last
    changed or resumed, so that whoever resumes it gets a full count again.

    Args:
        execution: Ended, its task with it.
    Returns:
        Whether the task was paused by this.
    """
    if execution.trigger != Trigger.SCHEDULE or execution.task is None or not execution.task.pause_after_failures:
        return False
    task = ScheduledTask.objects.using(write_alias()).filter(pk=execution.task.pk, paused_at=None).first()
    if task is None or not (most := task.pause_after_failures):
        return False
    rows = Execution.objects.using(write_alias()).filter(
        task=task, trigger=Trigger.SCHEDULE, outcome__in=RAN_OUTCOMES, triggered_at__gte=task.updated_at
    )
    outcomes = list(rows.order_by("-id").values_list("outcome", flat=True)[:most])
    if len(outcomes) < most or Outcome.SUCCEEDED in outcomes:
        return False
    reason = messages.KEEPS_FAILING % {"count": most, "number": execution.pk}
    try:
        with through(Way.SYSTEM):
            pause(task, reason=reason, code=PauseCode.KEEPS_FAILING)
    except AlreadyPaused:  # by a person, a moment ago
        return False
    extra = {"task": task.name, "event": "paused"}
    logger.error("The task %s is paused: %s executions in a row failed.", task.name, most, extra=extra)
    return True
