"""The page of one task: its form, the summary above it, saving, and the parts that htmx loads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.tasks import preview
from django_scheduled_tasks.admin.tasks.charts import recent_bars
from django_scheduled_tasks.admin.tasks.compare import BACK, KEEP
from django_scheduled_tasks.admin.tasks.conflict import VERSION, keep_theirs, version_of
from django_scheduled_tasks.admin.tasks.forms import DURATIONS, EXAMPLES, ScheduledTaskForm, function_text
from django_scheduled_tasks.admin.tasks.parameters import ParametersForm
from django_scheduled_tasks.admin.tasks.reasons import asks_before_run, elsewhere_text
from django_scheduled_tasks.admin.tasks.resume import TaskResumeMixin
from django_scheduled_tasks.admin.tasks.row import RowContext, TaskRow, schedule_cell
from django_scheduled_tasks.admin.tasks.save import TaskSaveMixin
from django_scheduled_tasks.admin.ui.base import TEMPLATES, THEME
from django_scheduled_tasks.admin.ui.errors import column_label
from django_scheduled_tasks.admin.ui.html import (
    distance,
    execution_link,
    execution_pill,
    execution_url,
    instant,
    page_url,
    task_url,
    with_query,
)
from django_scheduled_tasks.admin.ui.humanize import duration_text
from django_scheduled_tasks.admin.ui.instants import InstantField
from django_scheduled_tasks.admin.ui.json_text import as_json
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.limits import check_instant
from django_scheduled_tasks.schedules import parse_duration
from django_scheduled_tasks.services.alerts.told import who_is_told
from django_scheduled_tasks.services.permissions import (
    ADD_HOLD,
    ADD_RULE,
    CHANGE_CHANNEL,
    VIEW_ALERT,
    VIEW_CHANGE,
    VIEW_RULE,
    may,
)
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.holds import concerns
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.sync import differences

HEAD_BARS, LISTED = 40, 10
_FIRST: tuple[str, ...] = ("name", "function", "description", "enabled")
_WHEN: tuple[str, ...] = ("starts_at", "ends_at", "max_runs")
_INSTANTS = ("starts_at", "ends_at")
_LIMITS = (
    *("overlap", "timeout", "max_attempts", "min_backoff", "max_backoff", "max_doublings", "max_age"),
    *("on_worker_lost", "expires_after", "pause_after_failures", "catch_up", "grace", "spread"),
    *("concurrency_group", "queue", "keep_last", "keep_for", "log_level", "confirm", "environments"),
)
_ALERTS = ("max_runtime", "must_succeed_every", "must_finish_by", "own_rules_only")


class TaskFormMixin(TaskSaveMixin, TaskResumeMixin):
    """The page of one task."""

    form = ScheduledTaskForm
    change_form_template = "admin/django_scheduled_tasks/scheduledtask/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: ScheduledTask | None = None) -> Any:
        """Return the fields of the form; for users with view permission only, their values as text."""
        limits: dict[str, Any] = {"classes": ("collapse",), "fields": _LIMITS}
        alerts: dict[str, Any] = {"classes": ("collapse",), "fields": _ALERTS}
        allowed = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if not allowed:
            when: dict[str, Any] = {"fields": ("shown_schedule", "shown_start", "shown_end", "max_runs")}
            parameters = {"fields": ("shown_params",)}
            return [
                (None, {"fields": (*_FIRST, "shown_tags")}),
                (_("When"), when),
                (_("Parameters"), parameters),
                (_("Limits"), limits),
                (_("Alerts"), alerts),
            ]
        when = {"fields": ("schedule_kind", "cron", "every", "dates", "other", "timezone", "preview", *_WHEN)}
        return [
            (None, {"fields": (*_FIRST, "tags")}),
            (_("When"), {"classes": ("dst-fields-when",), **when}),
            (_("Parameters"), {"fields": ("params",)}),
            (_("Limits"), limits),
            (_("Alerts"), alerts),
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the address of an empty form fills in; without durations and instants that are none."""
        readers = dict.fromkeys((*DURATIONS, "every"), _duration_from) | dict.fromkeys(_INSTANTS, _instant_from)
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        found = {name: readers[name](value) if name in readers else value for name, value in given.items()}
        return {name: value for name, value in found.items() if value is not None}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return a form class that knows this site, for the URLs of its live parts."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.site = self.admin_site
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Use one time zone for entering and showing instants."""
        if isinstance(db_field, UtcDateTimeField):
            kwargs["form_class"] = InstantField
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("Schedule"))
    def shown_schedule(self, row: ScheduledTask) -> SafeString:
        """Return the schedule as text, for users with view permission only."""
        return schedule_cell(row)

    @admin.display(description=gettext_lazy("tags"))
    def shown_tags(self, row: ScheduledTask) -> str:
        """Return the tags as text, for users with view permission only."""
        return ", ".join(row.tags) or self.get_empty_value_display()

    @admin.display(description=gettext_lazy("starts at"))
    def shown_start(self, row: ScheduledTask) -> SafeString | str:
        """Return the start as text, for users with view permission only; Django does not convert it without USE_TZ."""
        return instant(row.starts_at, seconds=True) or self.get_empty_value_display()

    @admin.display(description=gettext_lazy("ends at"))
    def shown_end(self, row: ScheduledTask) -> SafeString | str:
        """Return the end as text, for users with view permission only."""
        return instant(row.ends_at, seconds=True) or self.get_empty_value_display()

    @admin.display(description=gettext_lazy("Values"))
    def shown_params(self, row: ScheduledTask) -> SafeString:
        """Return the parameters with secrets masked, for users with view permission only."""
        return format_html('<pre class="dst-code">{}</pre>', as_json(shown_params(row)))

    # --- pages

    def change_page(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any
    ) -> HttpResponse:
        context = {
            **(extra_context or {}),
            **THEME,
            "examples": EXAMPLES,
        }
        row = self.get_object(request, object_id) if object_id is not None else None
        if is_back := row is not None and not {BACK, KEEP}.isdisjoint(request.POST):
            context["errors"] = []  # the form is shown as it was typed: nothing is wrong with it
        context["dst_back"] = is_back
        context["dst_may_run"] = self.has_run_permission(request, row)
        if row is not None and self.has_view_permission(request, row):
            context["dst"] = self.head(request, row)
            if BACK in request.POST:  # else what somebody saves while the question is open would be overlooked
                context["dst"]["version"] = request.POST.get(VERSION, "")
            if KEEP in request.POST and self.has_change_permission(request, row):
                posted: Any = keep_theirs(self.get_form(request, row, change=True)(instance=row), request.POST)
                request.POST = posted
        return self.form_of_django(request, object_id, form_url, context)

    def head(self, request: HttpRequest, row: ScheduledTask) -> dict[str, Any]:
        """Return the context of the summary above the form and of the buttons beside the title."""
        health = health_of(request, self.admin_site)
        now, holds, is_copy = health.found.now, health.found.holds, health.found.condition.is_copy
        recent = overview.recent_executions([row.pk], count=HEAD_BARS)[row.pk]
        context = RowContext(site=self.admin_site, now=now, user=request.user, is_copy=is_copy, holds=holds)
        may_hold = may(request.user, ADD_HOLD, row) and all(hold.task_id != row.pk for hold in holds)
        shown = TaskRow(row, recent, context)
        last = overview.leading(recent)
        return {
            "row": shown,
            "task": row,
            "when": schedule_cell(row),
            "next": shown.inner("next"),
            "last": shown.inner("last"),
            "last_link": execution_link(self.admin_site, last.pk) if last is not None else "",
            "bars": recent_bars(recent, context.titles, count=HEAD_BARS),
            "may_run": self.has_run_permission(request, row) and not shown.broken,
            "may_pause": self.has_pause_permission(request, row),
            "is_paused": row.paused_at is not None,
            "held": health.of_holds(hold for hold in holds if concerns(hold, row) and not health.tells_of(hold)),
            "hold_url": task_url(self.admin_site, "hold", row.pk) if may_hold else "",
            "why_url": task_url(self.admin_site, "why", row.pk),
            "tags": [(tag, f"{task_url(self.admin_site, 'changelist')}?{urlencode({'tag': tag})}") for tag in row.tags],
            "asks": asks_before_run(row),
            "token": uuid4().hex,
            "change_url": task_url(self.admin_site, "change", row.pk),
            "run_url": task_url(self.admin_site, "run_once", row.pk),
            "pause_url": task_url(self.admin_site, "pause", row.pk),
            "resume_url": task_url(self.admin_site, "resume", row.pk),
            "executions_url": with_query(execution_url(self.admin_site, "changelist"), task=row.pk),
            "executions": [
                (
                    execution_link(self.admin_site, item.pk, f"#{item.pk}"),
                    execution_pill(item),
                    instant(item.started_at or item.triggered_at, seconds=True, now=now),
                    duration_text(item.completed_at - item.started_at) if item.started_at and item.completed_at else "",
                )
                for item in recent[:LISTED]
            ],
            "differences": self._differences(request, row),
            "elsewhere": "" if row.runs_here else elsewhere_text(row),
            "retired": row.retired_at is not None,
            "told": self._told(request, row) if may(request.user, VIEW_ALERT) else None,
            "version": version_of(row),
            "changed_at": distance(row.updated_at, now),
            "changed_by": row.updated_by or "",
        }

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

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was changed of a task, to those who may see changes; to others what the admin itself has noted."""
        row, url = self.get_object(request, object_id), page_url(self.admin_site, "change_changelist")
        if row is None or not url or not may(request.user, VIEW_CHANGE) or not self.has_view_permission(request, row):
            return super().history_view(request, object_id, extra_context)
        return HttpResponseRedirect(with_query(url, task=row.pk))

    # --- parts

    def preview_view(self, request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
        """Return the preview of the schedule in the form; *pk*: of a task that exists."""
        row = self._require_edit(request, pk)
        return HttpResponse(preview.render_preview(request.GET, row))

    def parameters_view(self, request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
        """Return the parameter fields of the chosen function, and the first line of its docstring."""
        self._require_edit(request, pk)
        function = request.GET.get("function", "")
        fields = render_to_string(f"{TEMPLATES}/parameters.html", {"parameters": ParametersForm(function, {})})
        return HttpResponse(f"{fields}{function_text(function, attributes=' hx-swap-oob=true')}")

    def _require_edit(self, request: HttpRequest, pk: UUID | None) -> ScheduledTask | None:
        row: ScheduledTask | None = self.get_object(request, str(pk)) if pk is not None else None
        if not (self.has_change_permission(request, row) or self.has_add_permission(request)):
            raise PermissionDenied
        return row


def _duration_from(text: str) -> timedelta | None:
    try:
        return parse_duration(text)
    except InvalidSchedule:
        return None


def _instant_from(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        found = make_aware(found) if is_naive(found) else found
        check_instant(found)
    except (ValueError, OverflowError, ValidationError):
        return None
    return found
