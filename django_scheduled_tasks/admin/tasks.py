"""Scheduled tasks in the admin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from django_scheduled_tasks.admin.base import (
    EXECUTION_PAGE,
    ModelAdmin,
    execution_link,
    instant,
    pill,
    tell_refused,
    tell_several,
    tell_started,
)
from django_scheduled_tasks.admin.forms import ScheduledTaskForm
from django_scheduled_tasks.exceptions import InvalidSchedule, ScheduledTasksError
from django_scheduled_tasks.lifecycle import Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import describe
from django_scheduled_tasks.services import tasks
from django_scheduled_tasks.services.executions import run_once
from django_scheduled_tasks.services.permissions import PAUSE_TASK, RUN_TASK, may, requiring


@admin.register(ScheduledTask)
class ScheduledTaskAdmin(ModelAdmin):
    """The list of tasks, with Run once in each row, and the form of one."""

    form = ScheduledTaskForm
    list_display = ("task", "when", "next", "last", "run_button")
    list_display_links = ("task",)
    list_per_page = 100
    search_fields = ("name", "function", "description")
    show_full_result_count = False
    actions = ("run_selected", "pause_selected", "resume_selected")
    fieldsets = (
        (None, {"fields": ("name", "function", "description", "enabled")}),
        (_("When"), {"fields": ("schedule_kind", "expression", "timezone", "starts_at", "ends_at", "max_runs")}),
        (_("Parameters"), {"fields": ("params",)}),
        (
            _("Limits"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("overlap", "catch_up", "grace", "spread", "timeout", "max_runtime", "expires_after"),
                    *("max_attempts", "min_backoff", "max_backoff", "max_doublings", "max_age", "on_worker_lost"),
                    *("pause_after_failures", "queue", "concurrency_group", "keep_last", "keep_for", "log_level"),
                    "confirm",
                ),
            },
        ),
    )

    class Media:
        css = {"all": ("django_scheduled_tasks/css/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduledTask]:
        """Add the newest execution of each task, looked up by its index."""
        newest = Execution.objects.filter(task=OuterRef("pk")).order_by("-pk")
        rows: QuerySet[ScheduledTask] = super().get_queryset(request)
        return rows.annotate(
            last_id=Subquery(newest.values("pk")[:1]),
            last_status=Subquery(newest.values("status")[:1]),
            last_outcome=Subquery(newest.values("outcome")[:1]),
            last_attempt=Subquery(newest.values("attempt")[:1]),
            last_at=Subquery(newest.values("triggered_at")[:1]),
        ).order_by(F("next_run_at").asc(nulls_last=True), "name_key")

    def get_urls(self) -> list[URLPattern]:
        """Add the view behind the Run once buttons."""
        view = self.admin_site.admin_view(require_POST(self.run_once_view))
        name = "django_scheduled_tasks_scheduledtask_run_once"
        return [path("<uuid:pk>/run-once/", view, name=name), *super().get_urls()]

    # --- what the list shows

    @admin.display(description=_("Task"), ordering="name_key")
    def task(self, row: ScheduledTask) -> SafeString:
        """Name and function."""
        return format_html('{}<br><span class="dst-quiet">{}</span>', row.name, row.function)

    @admin.display(description=_("When"))
    def when(self, row: ScheduledTask) -> SafeString:
        """A sentence; expression and zone below."""
        try:
            sentence = describe(row.schedule)
        except InvalidSchedule as exc:
            sentence = exc.message
        below = " · ".join(part for part in (row.expression, row.timezone if row.expression else "") if part)
        return format_html('{}<br><span class="dst-quiet">{}</span>', sentence, below)

    @admin.display(description=_("Next"), ordering="next_run_at")
    def next(self, row: ScheduledTask) -> str | SafeString:
        """When it is due next, or why it is not."""
        if row.function not in registry.functions():
            return format_html('<span class="dst-pill dst-bad">{}</span>', _("Broken"))
        if row.paused_at is not None and row.next_run_at is None:
            return format_html('<span class="dst-pill dst-wait" title="{}">{}</span>', row.pause_reason, _("Paused"))
        return instant(row.next_run_at)

    @admin.display(description=_("Last"), ordering="last_at")
    def last(self, row: Any) -> str | SafeString:
        """How its newest execution is, linked."""
        if row.last_id is None:
            return _("Never run")  # type: ignore[return-value]
        shown = pill(row.last_status, row.last_outcome, row.last_attempt)
        link = format_html('<a class="dst-plain" href="{}">{}</a>', reverse(EXECUTION_PAGE, args=[row.last_id]), shown)
        return format_html('{}<br><span class="dst-quiet">{}</span>', link, instant(row.last_at))

    @admin.display(description="")
    def run_button(self, row: ScheduledTask) -> SafeString | str:
        """A button within the list's own form, so it is a POST with its token and needs no script."""
        if not getattr(self, "_may_run", False):
            return ""
        return format_html(
            '<button type="submit" class="dst-run" formaction="{}" aria-label="{}">▶ {}</button>',
            reverse("admin:django_scheduled_tasks_scheduledtask_run_once", args=[row.pk]),
            _("Run once: %(task)s") % {"task": row.name},
            _("Run once"),
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; the buttons are there for those who may press them."""
        columns = self.list_display if self.has_run_permission(request) else self.list_display[:-1]
        request.dst_columns = columns  # type: ignore[attr-defined]
        self._may_run = self.has_run_permission(request)
        return super().changelist_view(request, extra_context)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave the column of buttons out for those who may not run tasks."""
        return getattr(request, "dst_columns", self.list_display)

    # --- running

    def has_run_permission(self, request: HttpRequest, row: ScheduledTask | None = None) -> bool:
        """Whether the user may run tasks, or this one."""
        return may(request.user, RUN_TASK, row)

    def has_pause_permission(self, request: HttpRequest, row: ScheduledTask | None = None) -> bool:
        """Whether the user may pause tasks, or this one."""
        return may(request.user, PAUSE_TASK, row)

    def run_once_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Start one task and go back to where the button was; from the task's page to the execution's."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not self.has_run_permission(request, row):
            raise PermissionDenied
        back = reverse("admin:django_scheduled_tasks_scheduledtask_changelist")
        try:
            done = run_once(
                row,
                trigger=Trigger.ADMIN,
                user=request.user,  # type: ignore[arg-type]  # staff are logged in
                authorize=requiring(request.user, RUN_TASK),
                idempotency_key=request.POST.get("run_token") or None,
            )
        except ScheduledTasksError as exc:
            tell_refused(request, row.name, exc)
            return HttpResponseRedirect(back)
        tell_started(request, row.name, done.execution, replayed=done.replayed)
        self.log_change(request, row, f"Run once: execution #{done.execution.pk}.")
        if "from_page" in request.POST:
            return HttpResponseRedirect(reverse(EXECUTION_PAGE, args=[done.execution.pk]))
        return HttpResponseRedirect(back)

    @admin.action(description=_("Run selected once"), permissions=["run"])
    def run_selected(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Start each selected task."""
        started, refused = [], []
        for row in queryset:
            try:
                done = run_once(
                    row,
                    trigger=Trigger.ADMIN,
                    user=request.user,  # type: ignore[arg-type]  # staff are logged in
                    authorize=requiring(request.user, RUN_TASK),
                )
            except ScheduledTasksError as exc:
                refused.append((row.name, exc))
            else:
                started.append(done.execution)
                self.log_change(request, row, f"Run once: execution #{done.execution.pk}.")
        tell_several(request, started, refused)

    @admin.action(description=_("Pause selected"), permissions=["pause"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Pause each selected task."""
        for row in queryset:
            tasks.pause(row, user=request.user)  # type: ignore[arg-type]  # staff are logged in
            self.log_change(request, row, "Paused.")

    @admin.action(description=_("Resume selected"), permissions=["pause"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Resume each selected task."""
        for row in queryset:
            tasks.resume(row, user=request.user)  # type: ignore[arg-type]  # staff are logged in
            self.log_change(request, row, "Resumed.")

    # --- the form

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the Run once button and the newest executions to the page of a task."""
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None and self.has_view_permission(request, row):
            context["may_run"] = self.has_run_permission(request, row)
            context["recent"] = [
                (execution_link(item.pk), pill(item.status, item.outcome, item.attempt), instant(item.triggered_at))
                for item in row.executions.order_by("-pk").defer("result", "traceback")[:10]
            ]
        return super().change_view(request, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: ScheduledTask, form: forms.ModelForm[Any], change: bool) -> None:
        """Save through the services, which know the rules; the form has asked them already."""
        user: Any = request.user
        if change:
            values = {name: form.cleaned_data[name] for name in form.changed_data}
            saved = tasks.update_task(ScheduledTask.objects.get(pk=obj.pk), user=user, **values)
        else:
            saved = tasks.create_task(user=user, **form.cleaned_data)
        for field in ScheduledTask._meta.concrete_fields:
            setattr(obj, field.attname, getattr(saved, field.attname))
        obj._state.adding, obj._state.db = False, saved._state.db

    def delete_model(self, request: HttpRequest, obj: ScheduledTask) -> None:
        """Delete through the services."""
        tasks.delete_task(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Delete each through the services."""
        for row in queryset:
            tasks.delete_task(row)
