"""The facts in the head of an execution's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.ui.html import elapsed, instant, zone_name
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import starter_text
from django_scheduled_tasks.alerting.conditions import LEAST_SAMPLES, usual_limit
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.translation import say_number


def facts_of(row: Execution, recent: Sequence[Execution], *, now: datetime) -> list[tuple[str, Any]]:
    """Return the facts about an execution as (label, value).

    Args:
        row: Which, with its task.
        recent: The newest executions of its task: what is usual follows from them.
        now: The present instant.
    """
    most = max(row.task.max_attempts if row.task else 1, row.attempt)
    ready = max(filter(None, (row.triggered_at, row.not_before)))
    facts: list[tuple[str, Any]] = [
        (_("Started by"), starter_text(row)),
        (_("Triggered"), instant(row.triggered_at, seconds=True, now=now)),
    ]
    if row.scheduled_for is not None:
        facts.append((_("Scheduled for"), instant(row.scheduled_for, seconds=True, now=now)))
    if row.started_at is not None and row.attempt == 1:
        facts.append((_("Waited"), duration_text(row.started_at - ready)))
    if row.started_at is not None and row.status != Status.PENDING:
        facts.append((_("Ran for"), format_html("{} {}", ran_for(row, now), usual_text(recent))))
    if row.started_at is not None:
        facts.append((_("Attempt"), _("%(number)s of %(most)s") % {"number": row.attempt, "most": most}))
    if row.worker_host:
        facts.append((_("Worker"), f"{row.worker_host}, {row.worker_pid}" if row.worker_pid else row.worker_host))
    facts += release_facts(row)
    if row.occurrences > 1:
        facts.append((_("Stands for"), _occurrences(row.occurrences)))
    return [*facts, (_("Zone"), zone_name())]


def ran_for(row: Execution, now: datetime) -> SafeString | str:
    """Return how long it ran, or has run by now; a dash if it has not started."""
    if row.started_at is None:
        return "—"
    text = duration_text((row.completed_at or now) - row.started_at)
    return text if row.completed_at else elapsed(row.started_at, text)


def usual_text(recent: Sequence[Execution]) -> SafeString | str:
    """Return how long the newest executions of a task took: the median, and of enough of them what 19 of 20 took."""
    usual = overview.usual_duration(recent)
    if usual is None:
        return ""
    text = _("usually %(duration)s") % {"duration": duration_text(usual)}
    took = [
        row.completed_at - row.started_at
        for row in recent
        if row.status == Status.COMPLETED and row.started_at and row.completed_at
    ]
    if len(took) >= LEAST_SAMPLES:
        within = _("19 of 20 within %(duration)s") % {"duration": duration_text(usual_limit(took))}
        text = f"{text}, {within}"
    return format_html('<span class="dst-sub">{}</span>', text)


def release_facts(execution: Execution) -> list[tuple[str, str]]:
    """Return which release ran it, as (label, value), if that is known and has a name."""
    release = live.releases([execution.release]).get(execution.release) if execution.release else None
    return [(_("Release"), release.name)] if release and release.name else []


def _occurrences(count: int) -> str:
    return ngettext("%(count)s occurrence", "%(count)s occurrences", count) % {"count": say_number(count)}
