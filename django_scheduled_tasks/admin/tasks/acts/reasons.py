"""Why a task does not run by schedule, in words; whether it asks before it runs once."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import instant_text
from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidParameters, InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.permissions import asks_first


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
    """Whether Run once opens a page: a person has to be asked first, or parameters are missing."""
    if asks_first(task):
        return True
    try:
        registry.get(task.function).parameters.typed(task.params)
    except InvalidParameters:
        return True
    except FunctionNotRegistered:
        return False
    return False


def elsewhere_text(task: ScheduledTask) -> str:
    """Return where the schedule of *task* counts."""
    return _("Runs in %(environments)s only.") % {"environments": ", ".join(task.environments)}


def pause_text(task: ScheduledTask, now: datetime) -> str:
    """Return who paused the task, why, and until when."""
    if task.paused_at is None:
        return _("It is not enabled.")
    reason = task.pause_reason if task.paused_by is not None else in_words(task.pause_reason)
    if task.paused_by is not None:
        who = _("by %(user)s") % {"user": task.paused_by}
        reason = f"{who}: “{reason}”" if reason else who
    if task.paused_until is not None:
        until = _("until %(instant)s") % {"instant": instant_text(task.paused_until, now=now)}
        reason = f"{reason}, {until}" if reason else until
    return reason
