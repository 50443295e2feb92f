"""The values of a task's columns as people read them, the same in forms, comparisons and the record of changes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from django_scheduled_tasks.admin.ui.errors import column_label
from django_scheduled_tasks.admin.ui.html import instant_text
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.lifecycle import CatchUp, LogLevel, OnExcluded, OnWorkerLost, Overlap
from django_scheduled_tasks.models import ScheduledTask

KINDS = {
    "cron": gettext_lazy("Cron expression"),
    "interval": gettext_lazy("Every …"),
    "weeks": gettext_lazy("Every … weeks on a weekday"),
    "workday": gettext_lazy("Working day of the month"),
    "dates": gettext_lazy("At dates"),
    "manual": gettext_lazy("Only when someone runs it"),
}
OVERLAPS = {
    Overlap.SKIP: gettext_lazy("Skip the new one"),
    Overlap.QUEUE_ONE: gettext_lazy("Keep one waiting"),
    Overlap.QUEUE_ALL: gettext_lazy("Let all wait, one at a time"),
    Overlap.CANCEL_RUNNING: gettext_lazy("Stop the one that runs"),
    Overlap.ALLOW: gettext_lazy("Run side by side"),
}
CATCH_UPS = {
    CatchUp.LATEST: gettext_lazy("Start the newest"),
    CatchUp.ALL: gettext_lazy("Start all, oldest first"),
    CatchUp.NONE: gettext_lazy("Start none"),
}
ON_EXCLUDED = {
    OnExcluded.SKIP: gettext_lazy("Is skipped"),
    OnExcluded.NEXT_ALLOWED: gettext_lazy("Moves to the next allowed day"),
    OnExcluded.PREVIOUS_ALLOWED: gettext_lazy("Moves to the last allowed day before"),
    OnExcluded.DELAY: gettext_lazy("Waits until the excluded time is over"),
}
WORKER_LOST = {OnWorkerLost.FAIL: gettext_lazy("It ends"), OnWorkerLost.RETRY: gettext_lazy("Try again")}
LOG_LEVELS = {str(level): str(level) for level in LogLevel} | {str(LogLevel.NONE): gettext_lazy("None: no log is kept")}
_CHOICES: dict[str, dict[Any, Any]] = {
    "schedule_kind": KINDS,
    "overlap": OVERLAPS,
    "catch_up": CATCH_UPS,
    "on_excluded": ON_EXCLUDED,
    "on_worker_lost": WORKER_LOST,
    "log_level": LOG_LEVELS,
}
_EXPRESSIONS = {"cron": gettext_lazy("Cron"), "interval": gettext_lazy("Every"), "dates": gettext_lazy("Dates")}
IN_CODE = frozenset({"expression", "timezone", "function"})
"""Columns whose values are written as code is."""


def field_label(name: str, kind: str = "") -> str:
    """Return what a form calls a column.

    Args:
        name: The column.
        kind: Of the schedule: a form calls the expression after it.
    """
    if name == "expression" and kind in _EXPRESSIONS:
        return str(_EXPRESSIONS[kind])
    return column_label(name)


def value_text(name: str, value: Any) -> str:
    """Return the value of the column called *name*; empty if it has none."""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, datetime):
        return instant_text(value, seconds=True)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(_CHOICES.get(name, {}).get(value, value))


def recorded_text(name: str, text: str | None) -> str:
    """Return the same of what was recorded as *text*, see ``Change.fields``; a parameter's name is ``params``."""
    if text is None:
        return ""
    try:
        if name == "params":
            found = json.loads(text)
            return found if isinstance(found, str) else text
        column: Any = ScheduledTask._meta.get_field(name)
        return value_text(name, column.to_python(text))
    except (ValueError, ValidationError, FieldDoesNotExist):
        return text


def empty_text() -> str:
    """Return what stands in place of no value."""
    return pgettext("no value", "empty")
