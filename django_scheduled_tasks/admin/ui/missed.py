"""What was missed, as pages say it: when it was due, why nothing started it, and what has made it good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.admin import AdminSite
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import Instants, execution_link
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries.executions.missed import missed, newest_for


def shown_at(row: Execution) -> datetime:
    """Return the instant at which lists show an execution: its start; of what never started, when it was due."""
    never_started = row.started_at is None and row.status == Status.ERRORS
    found: datetime = (row.scheduled_for if never_started else row.started_at) or row.triggered_at
    return found


def due_text(moment: datetime, now: datetime) -> str:
    """Return when something was due: today 03:00, Nov 24, 03:00."""
    clock = clock_text(moment, now)
    return _("today %(time)s") % {"time": clock} if _is_today(moment, now) else clock


def clock_text(moment: datetime, now: datetime) -> str:
    """Return the same without a word for today: 03:00."""
    return f"{moment.astimezone(Instants(now).zone):%H:%M}" if _is_today(moment, now) else Instants(now).text(moment)


def _is_today(moment: datetime, now: datetime) -> bool:
    instants = Instants(now)
    return moment.astimezone(instants.zone).date() == instants.today


def missed_line(row: Execution, now: datetime) -> str:
    """Return when *row*, which was missed, was due, and why nothing started it."""
    message = getattr(row, "error_line", None)
    said = missed(row.error_message if message is None else message).sentence
    if row.scheduled_for is None:
        return said
    due = _("Due %(instant)s.") % {"instant": due_text(row.scheduled_for, now)}
    return f"{due} {said}" if said else due


def missed_cell(row: Execution, by: Execution | None, *, site: AdminSite, now: datetime) -> SafeString:
    """Return the task of *row*, which was missed, why, and *by* what it was made good, for the history."""
    return format_html(
        '<div class="dst-cell"><span class="dst-name">{}</span><span class="dst-sub dst-why">{}{}</span></div>',
        row.task_name,
        missed_line(row, now),
        format_html(" {}.", made_good_text(site, by)) if by is not None else "",
    )


def run_now_text(row: Execution, now: datetime) -> str:
    """Return what the button says that makes good what was missed: Run now for 03:00."""
    return _("Run now for %(instant)s") % {"instant": clock_text(shown_at(row), now)}


def made_good_text(site: AdminSite, by: Execution) -> SafeString:
    """Return what has made good what was missed, as a link; or what has tried to, or tries."""
    shown = execution_link(site, by.pk, f"#{by.pk}")
    if by.status == Status.COMPLETED:
        return format_html(_("Made good by {execution}"), execution=shown)
    if by.is_open:
        return format_html(_("{execution} is making it good"), execution=shown)
    return format_html(_("{execution} has not made it good"), execution=shown)


def makes_good_text(row: Execution, recent: Sequence[Execution], *, site: AdminSite, now: datetime) -> SafeString:
    """Return what was missed at the instant of *row*, one of the newest executions of its task, and how it stands."""
    if row.scheduled_for is None:
        return SafeString("")
    lost = [one for one in recent if one.outcome == Outcome.MISSED and one.scheduled_for == row.scheduled_for]
    by = newest_for(lost, reversed(recent)).get(lost[0].pk) if lost else None
    if by is None:
        return SafeString("")
    text = _("Missed {instant}: {outcome}")
    said = format_html(text, instant=due_text(row.scheduled_for, now), outcome=made_good_text(site, by))
    return format_html('<span class="dst-sub">{}</span>', said)


def can_be_made_good(row: Execution | None, by: Execution | None) -> bool:
    """Whether *row* was missed, and *by*, the newest for the same instant, has not made it good or is about to."""
    if row is None or row.outcome != Outcome.MISSED or row.scheduled_for is None:
        return False
    return by is None or by.status == Status.ERRORS
