"""Whether a task can be run, and whether Run once has to ask something first."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidParameters, InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.registry import registry


def broken_reason(task: ScheduledTask) -> str:
    """Return the reason why *task* cannot run; empty if it can."""
    try:
        registry.get(task.function)
    except FunctionNotRegistered:
        return _("The function %(function)s is no longer in the code.") % {"function": task.function}
    try:
        _schedule = task.schedule
    except InvalidSchedule as exc:
        return exc.message
    return ""


def asks_before_run(task: ScheduledTask) -> bool:
    """Whether Run once opens a page: the task asks for confirmation, or parameters are missing."""
    if task.confirm:
        return True
    try:
        registry.get(task.function).parameters.typed(task.params)
    except InvalidParameters:
        return True
    except FunctionNotRegistered:
        return False
    return False
