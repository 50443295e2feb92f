"""Executions in the admin: the history, and the page of one."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.admin.base import ModelAdmin, duration, execution_link, instant, pill
from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.parameters import mask_by_name
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.permissions import VIEW_LOGS, may
from django_scheduled_tasks.words import sentence_of


@admin.register(Execution)
class ExecutionAdmin(ModelAdmin):
    """Nothing here can be changed: it is the record."""

    list_display = ("number", "state", "task_and_error", "started", "ran_for", "started_by")
    list_display_links = ("number",)
    list_filter = ("status", "outcome", "trigger")
    list_select_related = ("triggered_by",)
    search_fields = ("task_name", "error_message", "=tracking_id", "=id")
    show_full_result_count = False

    class Media:
        css = {"all": ("django_scheduled_tasks/css/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Leave out what may be large and is not shown."""
        rows: QuerySet[Execution] = super().get_queryset(request)
        return rows.defer("result", "traceback", "params")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Executions come from running tasks."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        """They are the record."""
        return False

    @admin.display(description=_("Number"), ordering="id")
    def number(self, row: Execution) -> str:
        """What people call it."""
        return f"#{row.pk}"

    @admin.display(description=_("Status"))
    def state(self, row: Execution) -> SafeString:
        """Its state as a pill."""
        return pill(row.status, row.outcome, row.attempt)

    @admin.display(description=_("Task"))
    def task_and_error(self, row: Execution) -> SafeString:
        """The task, and the first line of what went wrong."""
        first_line = row.error_message.partition("\n")[0][:120]
        return format_html('{}<br><span class="dst-quiet">{}</span>', row.task_name, first_line)

    @admin.display(description=_("Started"), ordering="triggered_at")
    def started(self, row: Execution) -> str | SafeString:
        """When it started, or was triggered."""
        return instant(row.started_at or row.triggered_at)

    @admin.display(description=_("Duration"))
    def ran_for(self, row: Execution) -> str:
        """How long it ran."""
        return duration(row)

    @admin.display(description=_("Started by"))
    def started_by(self, row: Execution) -> str:
        """Who, or what."""
        return str(row.triggered_by or row.trigger)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one execution, without a form."""
        rows = Execution.objects.select_related("task", "triggered_by").prefetch_related("attempts")
        row = rows.filter(pk=object_id).first() if object_id.isdigit() else None
        context = dict(extra_context or {})
        if row is not None:
            logs = may(request.user, VIEW_LOGS, row)
            context |= {
                "execution": row,
                "title": _("Execution #%(number)s") % {"number": row.pk},
                "subtitle": None,
                "state": pill(row.status, row.outcome, row.attempt),
                "sentence": sentence_of(row),
                "facts": self._facts(row),
                "sees_logs": logs,
                "shown_params": json.dumps(_masked(row), indent=2, ensure_ascii=False),
                "shown_result": json.dumps(row.result, indent=2, ensure_ascii=False) if row.result is not None else "",
                "blocked_by_link": execution_link(row.blocked_by_id) if row.blocked_by_id else "",
            }
        return super().change_view(request, object_id, form_url, context)

    def _facts(self, row: Execution) -> list[tuple[Any, Any]]:
        """Return (label, value) of what is known of it."""
        worker = f"{row.worker_host}, {row.worker_pid}" if row.worker_host else "—"
        most = row.task.max_attempts if row.task else row.attempt
        facts = [
            (_("Started by"), self.started_by(row)),
            (_("Triggered"), instant(row.triggered_at)),
            (_("Started"), instant(row.started_at)),
            (_("Completed"), instant(row.completed_at)),
            (_("Ran for"), duration(row)),
            (_("Attempt"), _("%(number)s of %(most)s") % {"number": row.attempt, "most": max(most, row.attempt)}),
            (_("Worker"), worker),
            (_("Tracking id"), row.tracking_id),
        ]
        if row.scheduled_for is not None:
            facts.insert(1, (_("Scheduled for"), instant(row.scheduled_for)))
        if row.reason:
            facts.append((_("Reason"), row.reason))
        return facts


def _masked(row: Execution) -> Any:
    try:
        return registry.get(row.function).parameters.mask(row.params)
    except FunctionNotRegistered:
        return mask_by_name(row.params)
