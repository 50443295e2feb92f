"""What stands above the form of a task: when it runs, how it went, how long it takes, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.owner import owner_link
from django_scheduled_tasks.admin.tasks.acts.pause import TaskPauseMixin
from django_scheduled_tasks.admin.tasks.acts.reasons import asks_before_run, elsewhere_text
from django_scheduled_tasks.admin.tasks.acts.run import TaskRunMixin
from django_scheduled_tasks.admin.tasks.acts.run_button import has_parameters
from django_scheduled_tasks.admin.tasks.acts.skip import skip_notes
from django_scheduled_tasks.admin.tasks.list.row import RowContext, TaskRow, schedule_cell
from django_scheduled_tasks.admin.tasks.page import preview
from django_scheduled_tasks.admin.tasks.page.conflict import version_of
from django_scheduled_tasks.admin.tasks.page.durations import card
from django_scheduled_tasks.admin.ui.errors import column_label
from django_scheduled_tasks.admin.ui.html import (
    distance,
    execution_link,
    execution_pill,
    execution_url,
    near,
    page_url,
    task_url,
    time_element,
    with_query,
)
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import STATE_LABELS
from django_scheduled_tasks.admin.ui.text.markdown import render_note
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.alerts.telling.told import who_is_told
from django_scheduled_tasks.services.permissions import (
    ADD_HOLD,
    ADD_RULE,
    CHANGE_CHANNEL,
    VIEW_ALERT,
    VIEW_EXECUTION,
    VIEW_RULE,
    may,
)
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.executions.durations import RUNS
from django_scheduled_tasks.services.queries.holds import concerns
from django_scheduled_tasks.services.queries.upcoming import occurrences_ahead
from django_scheduled_tasks.services.tasks.sync import differences

NEXT = 3
"""The head says so many occurrences ahead."""
_LINK = re.compile(r"https?://\S+")
"""A runbook that is nothing but the address of a page."""


class TaskHeadMixin(TaskRunMixin, TaskPauseMixin):
    """What stands above the form of a task."""

    def head(self, request: HttpRequest, row: ScheduledTask) -> dict[str, Any]:
        """Return the context of the summary above the form and of the buttons beside the title."""
        health = health_of(request, self.admin_site)
        now, holds, is_copy = health.found.now, health.found.holds, health.found.condition.is_copy
        recent = overview.recent_executions([row.pk], count=RUNS)[row.pk]
        context = RowContext(site=self.admin_site, now=now, user=request.user, is_copy=is_copy, holds=holds)
        shown = TaskRow(row, recent[: overview.RECENT], context)
        may_run = self.has_run_permission(request, row) and not shown.broken
        over = request.GET.get("durations", "")
        return {
            "task": row,
            "when": schedule_cell(row),
            "next": _next(shown),
            "last": _last(shown),
            "durations": card(row, recent, context, over=over) if may(request.user, VIEW_EXECUTION) and recent else "",
            "may_run": may_run,
            "may_pause": self.has_pause_permission(request, row),
            "is_paused": row.paused_at is not None,
            "held": health.of_holds(hold for hold in holds if concerns(hold, row) and not health.tells_of(hold)),
            "tags": [(tag, f"{task_url(self.admin_site, 'changelist')}?{urlencode({'tag': tag})}") for tag in row.tags],
            "key": row.key or "",
            "owner": owner_link(self.admin_site, row),
            "contact": row.contact,
            "contact_url": with_query(task_url(self.admin_site, "changelist"), contact=row.contact),
            "runbook_url": row.runbook if _LINK.fullmatch(row.runbook) else "",
            "runbook": render_note(row.runbook),
            "asks": asks_before_run(row),
            "has_parameters": has_parameters(row.function),
            "token": uuid4().hex,
            "tools": list(self._tools(request, row, may_hold=all(hold.task_id != row.pk for hold in holds))),
            "more": list(self._more(request, row)),
            "change_url": task_url(self.admin_site, "change", row.pk),
            "run_url": task_url(self.admin_site, "run_once", row.pk),
            "pause_url": task_url(self.admin_site, "pause", row.pk),
            "skip_url": task_url(self.admin_site, "skip", row.pk) if row.next_run_at is not None else "",
            "skips": skip_notes(row, now),
            "undo_skip_url": task_url(self.admin_site, "undo_skip", row.pk),
            "resume_url": task_url(self.admin_site, "resume", row.pk),
            "differences": self._differences(request, row),
            "elsewhere": "" if row.runs_here else elsewhere_text(row),
            "retired": row.retired_at is not None,
            "told": self._told(request, row) if may(request.user, VIEW_ALERT) else None,
            "version": version_of(row),
            "changed_at": distance(row.updated_at, now),
            "changed_by": row.updated_by or "",
        }

    def _tools(self, request: HttpRequest, row: ScheduledTask, *, may_hold: bool) -> Iterator[tuple[str, str]]:
        """Yield label and address of the tools after Run once and Pause."""
        if may_hold and may(request.user, ADD_HOLD, row) and (url := task_url(self.admin_site, "hold", row.pk)):
            yield _("Hold…"), url

    def _more(self, request: HttpRequest, row: ScheduledTask) -> Iterator[tuple[str, str]]:
        """Yield label and address of the tools that are needed less often; a page that a site lacks is left out."""
        site = self.admin_site
        may_backfill = row.schedule_kind != "manual" and self.has_run_permission(request, row)
        pages = [
            (_("Executions"), with_query(execution_url(site, "changelist"), task=row.pk)),
            (_("Backfill…"), task_url(site, "backfill", row.pk) if may_backfill else ""),
            (_("Why at…?"), task_url(site, "why", row.pk)),
            (_("Clone…"), with_query(task_url(site, "add"), clone=row.pk) if self.has_add_permission(request) else ""),
            (_("History"), task_url(site, "history", row.pk)),
        ]
        yield from ((label, url) for label, url in pages if url)

    def _told(self, request: HttpRequest, row: ScheduledTask) -> dict[str, Any]:
        """Return who is told of the task, and where that is changed; four statements."""
        found = who_is_told(row)
        site, user = self.admin_site, request.user
        query = urlencode({"scope": "task", "task": row.pk, "kinds": "failing", "name": row.name[:100]})
        add_url = page_url(site, "alertrule_add") if may(user, ADD_RULE) else ""
        return {
            "lines": found.lines,
            "nobody": found.nobody,
            "add_url": f"{add_url}?{query}" if add_url else "",
            "rules_url": page_url(site, "alertrule_changelist") if may(user, VIEW_RULE) else "",
            "test_url": page_url(site, "channel_test") if may(user, CHANGE_CHANNEL) else "",
        }

    def _differences(self, request: HttpRequest, row: ScheduledTask) -> Sequence[tuple[Any, ...]]:
        if not self.has_change_permission(request, row):
            return []
        return [
            (name, column_label(name), *(preview.shown(value) for value in values))
            for name, values in differences(row).items()
            if name != "params"
        ]


def _next(shown: TaskRow) -> SafeString | str:
    """Return the next three due instants, or why there are none."""
    now, cell = shown.context.now, shown.inner("next")
    is_active = shown.state is STATE_LABELS["active"]
    ahead = occurrences_ahead(shown.task, count=NEXT, now=now, holds=shown.context.holds) if is_active else []
    instants = [one.at for one in ahead]
    if not instants or instants[0] <= now:
        return cell
    first, *others = instants
    text = preview.instant_texts([first], get_current_timezone(), now)[0]["text"]
    then = format_html_join("", " · {}", ((near(at, now),) for at in others))
    return format_html("<strong>{}</strong> {}{}", time_element(first, text), distance(first, now), then)


def _last(shown: TaskRow) -> SafeString | str:
    """Return how the last execution ended, when, how long it took, and a link to it."""
    row, now, site = overview.leading(shown.recent), shown.context.now, shown.context.site
    if row is None or row.is_open or row.started_at is None or row.completed_at is None:
        link = format_html(" → {}", execution_link(site, row.pk)) if row is not None else ""
        return format_html("{}{}", shown.inner("last"), link)
    took = duration_text(row.completed_at - row.started_at)
    return format_html(
        "{} {} · {} → {}", execution_pill(row), near(row.started_at, now), took, execution_link(site, row.pk)
    )
