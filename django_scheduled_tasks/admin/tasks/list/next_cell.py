"""The cell of the list, and of the head of a task, that says when it runs next, or why it does not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.tasks.acts.reasons import elsewhere_text, pause_text
from django_scheduled_tasks.admin.tasks.acts.skip import skipped_before
from django_scheduled_tasks.admin.ui.html import city, distance, near_text, pill, time_element, zone_name
from django_scheduled_tasks.admin.ui.text.humanize import short_duration_text
from django_scheduled_tasks.admin.ui.text.labels import STATE_LABELS, StatusLabel
from django_scheduled_tasks.lifecycle import LATE_AFTER
from django_scheduled_tasks.models import ScheduledTask

_CLOCK = len("05:00")
"""As long is an instant of today."""


class Row(Protocol):
    """What is asked of a row of the list."""

    task: ScheduledTask
    context: Any

    @property
    def state(self) -> StatusLabel:
        """The state of the task."""

    @property
    def broken(self) -> str:
        """The reason why this process cannot run it; empty if it can."""


def next_cell(row: Row) -> SafeString | str:
    """Return when the task runs next, or why it does not: two lines, the second one not too long."""
    state, task, now = row.state, row.task, row.context.now
    if (why := _why_not(row)) is not None:
        return format_html('{}<span class="dst-sub dst-two-lines" title="{}">{}</span>', pill(state), why, why)
    if state is STATE_LABELS["held"]:
        return _two(pill(state), _would_be(row))
    if task.next_run_at is None:
        return "—"
    below = _due(row, task.next_run_at)
    if state is STATE_LABELS["late"]:
        late = short_duration_text(now - task.next_run_at)
        return _two(pill(state, _("Late by %(duration)s") % {"duration": late}, title=_why_late(row)), below)
    if task.next_run_at <= now:
        return _two(_("Due now"), below)
    at, skipped = task.next_start_at, skipped_before(task, now)
    if at is None:
        return _two("—", skipped)
    return _two(distance(at, now), format_html("{} · {}", _due(row, at), skipped) if skipped else below)


def _why_not(row: Row) -> str | None:
    """Return why the schedule of the task starts nothing; None if it does, or would without a hold."""
    task, state = row.task, row.state
    if state is STATE_LABELS["broken"]:
        return row.broken
    if state is STATE_LABELS["paused"]:
        return pause_text(task, row.context.now)
    if state is STATE_LABELS["elsewhere"]:
        return elsewhere_text(task)
    if state is STATE_LABELS["held"] and row.context.is_copy:
        return _("Nothing is planned in a copy.")
    return _("Its last date has passed.") if state is STATE_LABELS["done"] else None


def _due(row: Row, at: datetime) -> SafeString:
    """Return when it is due, in the zone of the page; with its name where that of the task is another."""
    text, zone = near_text(at, row.context.now), zone_name()
    if row.task.timezone != zone:
        return time_element(at, f"{text} {city(zone)}")
    return time_element(at, _("today %(time)s") % {"time": text} if len(text) == _CLOCK else text)


def _would_be(row: Row) -> SafeString | str:
    """Return when it would run next without the hold."""
    at = row.task.next_run_at
    if at is None:  # it is only run by hand
        return _("Run once waits for its end.")
    text = _("would have been {instant}") if at <= row.context.now else _("would be {instant}")
    return format_html(text, instant=_due(row, at))


def _why_late(row: Row) -> str:
    seen, now = row.context.scheduler_seen_at, row.context.now
    if seen is None:
        return _("No scheduler has been seen.")
    if now - seen > LATE_AFTER:
        return _("No scheduler has been seen for %(duration)s.") % {"duration": short_duration_text(now - seen)}
    return _("The scheduler has not started it yet.")


def _two(first: SafeString | str, second: SafeString | str) -> SafeString:
    return format_html('{}<span class="dst-sub">{}</span>', first, second)
