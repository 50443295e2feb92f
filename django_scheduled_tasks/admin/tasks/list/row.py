"""One row of the list of tasks: state, next, last, recent, and the Run once button. Nothing here runs a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib.admin import AdminSite
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_scheduled_tasks.admin.charts.bars import Titles, recent_bars
from django_scheduled_tasks.admin.tasks.acts.reasons import broken_reason
from django_scheduled_tasks.admin.tasks.acts.run_button import run_button
from django_scheduled_tasks.admin.tasks.list.next_cell import next_cell
from django_scheduled_tasks.admin.ui.html import (
    breakable,
    distance,
    elapsed,
    execution_pill,
    execution_url,
    first_line,
    instant_text,
    page_url,
    with_query,
)
from django_scheduled_tasks.admin.ui.missed import can_be_made_good, makes_good_text, missed_line, shown_at
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import STATE_LABELS, StatusLabel, explain
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import LATE_AFTER, Outcome, Status
from django_scheduled_tasks.models import Alert, Execution, Hold, ScheduledTask
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import describe
from django_scheduled_tasks.services.permissions import VIEW_LOGS, Caller, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.condition import told
from django_scheduled_tasks.services.queries.executions.missed import newest_for
from django_scheduled_tasks.services.queries.executions.timeline import kind_of
from django_scheduled_tasks.services.queries.holds import holding
from django_scheduled_tasks.services.queries.overview import State
from django_scheduled_tasks.services.releases.live import Seen


@dataclass(frozen=True, kw_only=True)
class RowContext:
    """What all rows of a page have in common."""

    site: AdminSite
    now: datetime
    user: Caller = None
    """Who sees the page."""
    scheduler_seen_at: datetime | None = None
    others: Seen = field(default_factory=Seen)
    """The other releases that run."""
    is_copy: bool = False
    """Whether the database is a copy, in which nothing runs by schedule."""
    holds: Sequence[Hold] = ()
    """Those that last."""
    alerts: Mapping[UUID | None, Sequence[Alert]] = field(default_factory=dict)
    """By task: those that the user may acknowledge."""
    back: str = ""
    """The query string that leads back to the list as it is."""
    here: str = ""
    """The query of the list as it is."""

    @cached_property
    def titles(self) -> Titles:
        """The titles of all bars of the page."""
        return Titles(self.now)


@dataclass
class TaskRow:
    """One row of the list.

    Args:
        task: Annotated by :func:`~django_scheduled_tasks.services.queries.overview.with_state`.
        recent: Its newest executions, newest first.
        context: What all rows of the page have in common.
        may_run: Whether the user may run the task.
    """

    task: ScheduledTask
    recent: Sequence[Execution]
    context: RowContext
    may_run: bool = field(default=False)

    @cached_property
    def broken(self) -> str:
        """The reason why this process cannot run it; empty if it can."""
        if self.is_known_elsewhere:
            text = _("The function %(function)s is of another release, which runs as well.")
            return text % {"function": self.task.function}
        return broken_reason(self.task)

    @cached_property
    def is_known_elsewhere(self) -> bool:
        """Whether only another release knows its function."""
        function = self.task.function
        return not registry.knows(function) and self.context.others.knows_function(function)

    @cached_property
    def hold(self) -> Hold | None:
        """What keeps it from starting."""
        return holding(self.task, self.context.holds)

    @cached_property
    def missed(self) -> Execution | None:
        """What says how the task is, if it was missed and can be made good."""
        row = overview.leading(self.recent)
        by = newest_for([row], reversed(self.recent)).get(row.pk) if row is not None else None
        return row if can_be_made_good(row, by) else None

    @cached_property
    def state(self) -> StatusLabel:
        """The state of the task: active, paused, elsewhere, held, late, broken or done."""
        task, now = self.task, self.context.now
        is_held = self.hold is not None or (self.context.is_copy and task.next_run_at is not None)
        found = told(
            {
                State.BROKEN: bool(self.broken) and not self.is_known_elsewhere,
                State.PAUSED: not task.enabled or task.is_paused(now),
                State.ELSEWHERE: not task.runs_here,
                State.HELD: is_held,
                State.LATE: task.next_run_at is not None and now - task.next_run_at > LATE_AFTER,
                State.DONE: task.next_run_at is None and task.schedule_kind != "manual",
            }
        )
        return STATE_LABELS[str(found or "active")]

    # --- cells

    def name(self) -> SafeString:
        """Return name and function."""
        return format_html(
            '<span class="dst-name">{}</span><span class="dst-sub dst-mono">{}</span>',
            breakable(self.task.name),
            breakable(self.task.function),
        )

    def when(self) -> SafeString:
        """Return the schedule: a sentence, expression and time zone below."""
        return format_html('<div class="dst-cell dst-c-when">{}</div>', schedule_cell(self.task))

    def cell(self, name: str) -> SafeString:
        """Return a cell that the live view updates."""
        label = (
            format_html(' data-label="{}"', pgettext("execution", "Next")) if name == "next" else ""
        )  # phones show it, where columns have no head
        return format_html(
            '<div class="dst-cell dst-c-{}" id="{}"{}>{}</div>', name, self.cell_id(name), label, self.inner(name)
        )

    def cell_id(self, name: str) -> str:
        """Return the HTML id of a cell."""
        return f"dst-{name}-{self.task.pk}"

    def inner(self, name: str) -> SafeString | str:
        """Return the content of a live cell: ``next``, ``last``, ``recent`` or ``button``."""
        if name == "next":
            return next_cell(self)
        if name == "last":
            return self._last()
        if name == "recent":
            return recent_bars(self.recent, self.context.titles)
        if not self.may_run:
            return ""
        context = self.context
        return run_button(
            self.task, site=context.site, now=context.now, back=context.back, broken=self.broken, missed=self.missed
        )

    def _last(self) -> SafeString | str:
        row = overview.leading(self.recent)
        if row is None:
            return format_html('<span class="dst-quiet">{}</span>', _("Never run"))
        url = execution_url(self.context.site, "change", row.pk)
        when = instant_text(shown_at(row), seconds=True, now=self.context.now)
        good = makes_good_text(row, self.recent, site=self.context.site, now=self.context.now)
        known = self._acknowledge() if self.task.pk in self.context.alerts else ""
        shown = _two(execution_pill(row, url, f"#{row.pk}, {when}"), self._about(row))
        return format_html("{}{}{}", shown, good, known)

    def _acknowledge(self) -> SafeString:
        """Return the button that acknowledges all alerts of the task; part of the list's form, as Run once is."""
        text, url = _("Acknowledge"), page_url(self.context.site, "alert_acknowledge_all")
        button = (
            '<button type="submit" class="dst-link dst-door" data-dst-key="a" formaction="{}" name="task" value="{}"'
            ' aria-label="{}">'
            "{}</button>"
        )
        label = _("Acknowledge: %(task)s") % {"task": self.task.name}
        return format_html(button, with_query(url, tasks=self.context.here), self.task.pk, label, text)

    def _about(self, row: Execution) -> SafeString | str:
        """Return the line below the pill of *row*."""
        now = self.context.now
        if row.status == Status.PROCESSING and row.started_at is not None:
            text = elapsed(row.started_at, duration_text(now - row.started_at))
            usual = overview.usual_duration(self.recent)
            if usual is None:
                return text
            return format_html("{}, {}", text, _("usually %(duration)s") % {"duration": duration_text(usual)})
        if row.outcome == Outcome.MISSED:
            return format_html('<span class="dst-why">{}</span>', missed_line(row, now))
        if kind_of(row.status, row.outcome) == "bad":
            line = first_line(row, sees_logs=may(self.context.user, VIEW_LOGS, row))
            ended = distance(row.completed_at or row.triggered_at, now)
            often = in_a_row(overview.failures_in_a_row(self.recent))
            below = format_html("{} · {}", ended, often) if often else ended
            return format_html('<span class="dst-error" title="{}">{}</span>{}', line, line, below) if line else below
        if row.is_open:
            task = self.task
            return explain(row, now=now, max_attempts=task.max_attempts, expires_after=task.expires_after)
        ended = distance(row.completed_at or row.triggered_at, now)
        if row.status == Status.COMPLETED and row.started_at and row.completed_at:
            return format_html("{} · {}", ended, duration_text(row.completed_at - row.started_at))
        return ended

    # --- what has changed

    def signature(self) -> tuple[Any, ...]:
        """Return the values that the live cells depend on, apart from the time."""
        task = self.task
        newest = [
            (row.pk, row.status, row.outcome, row.attempt, row.progress_current, row.progress_total)
            for row in self.recent
        ]
        known = task.pk in self.context.alerts
        return (
            self.state.key,
            task.next_run_at,
            task.paused_at,
            task.pause_reason,
            task.enabled,
            task.skips,
            known,
            newest,
        )

    @property
    def is_open(self) -> bool:
        """Whether an execution of the task is open."""
        return any(row.is_open for row in self.recent)


def _two(first: SafeString | str, second: SafeString | str) -> SafeString:
    return format_html('{}<span class="dst-sub">{}</span>', first, second)


def schedule_cell(task: ScheduledTask) -> SafeString:
    """Return the schedule as a sentence, expression and zone below; without a sentence, the expression alone."""
    try:
        sentence = describe(task.schedule)
    except InvalidSchedule:
        sentence = ""
    zone = task.timezone if task.schedule_kind != "manual" else ""
    if task.schedule_kind == "dates":
        return format_html('{}<span class="dst-sub">{}</span>', sentence, zone)
    if not sentence:
        return format_html(
            '<span class="dst-mono">{}</span><span class="dst-sub">{}</span>', task.expression or "—", zone
        )
    if not task.expression:
        return format_html("{}", sentence)
    return format_html(
        '{}<span class="dst-sub"><span class="dst-mono">{}</span> · {}</span>', sentence, task.expression, zone
    )


def in_a_row(count: int) -> str:
    """Return how often something has happened in a row, as the end of a line; empty for once."""
    if count <= 1:
        return ""
    text = ngettext("%(count)s time in a row", "%(count)s times in a row", count) % {"count": count}
    return _("twice in a row") if count == 2 else text  # noqa: PLR2004  (twice)
