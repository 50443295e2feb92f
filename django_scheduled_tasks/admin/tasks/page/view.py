"""The page of one task: its form, the summary above it, saving, and the parts that htmx loads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.tasks.acts.resume import TaskResumeMixin
from django_scheduled_tasks.admin.tasks.form.form import DURATIONS, EXAMPLES, ScheduledTaskForm, function_text
from django_scheduled_tasks.admin.tasks.form.limits import GROUPS, render_limits
from django_scheduled_tasks.admin.tasks.form.parameters import ParametersForm
from django_scheduled_tasks.admin.tasks.list.row import schedule_cell
from django_scheduled_tasks.admin.tasks.page import preview
from django_scheduled_tasks.admin.tasks.page.clone import clone_of, has_secrets
from django_scheduled_tasks.admin.tasks.page.compare import BACK, KEEP
from django_scheduled_tasks.admin.tasks.page.conflict import VERSION, keep_theirs
from django_scheduled_tasks.admin.tasks.page.head import TaskHeadMixin
from django_scheduled_tasks.admin.tasks.page.save import TaskSaveMixin
from django_scheduled_tasks.admin.ui.base import TEMPLATES, THEME
from django_scheduled_tasks.admin.ui.html import instant, page_url, with_query
from django_scheduled_tasks.admin.ui.live import swap_into
from django_scheduled_tasks.admin.ui.text.instants import InstantField
from django_scheduled_tasks.admin.ui.text.json_text import as_json
from django_scheduled_tasks.admin.ui.text.values import value_text
from django_scheduled_tasks.admin.ui.text.zones import drawn_in, in_zone
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.limits import check_instant
from django_scheduled_tasks.schedules import parse_duration, timezone_names
from django_scheduled_tasks.services.permissions import VIEW_CHANGE, may
from django_scheduled_tasks.services.secrets import shown_params

_FIRST: tuple[str, ...] = ("name", "function", "description", "enabled", "confirm")
_WHEN: tuple[str, ...] = ("starts_at", "ends_at", "max_runs", "delete_when_done", "spread", "environments")
_INPUTS = ("schedule_kind", "cron", "every", "dates", "other")
_SHOWN = ("shown_schedule", "shown_calendars", "shown_start", "shown_end")
_CALENDARS = ("calendars", "on_excluded")
_WHO = ("contact", "runbook")
_INSTANTS = ("starts_at", "ends_at")
_ALERTS = ("max_runtime", "must_succeed_every", "must_finish_by", "own_rules_only")


class TaskFormMixin(TaskSaveMixin, TaskHeadMixin, TaskResumeMixin):
    """The page of one task."""

    form = ScheduledTaskForm
    save_as = True
    change_form_template = "admin/django_scheduled_tasks/scheduledtask/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: ScheduledTask | None = None) -> Any:
        """Return the fields of the form; for users with view permission only, their values as text."""
        alerts: dict[str, Any] = {"classes": ("collapse",), "fields": _ALERTS}
        allowed = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if not allowed:
            when: dict[str, Any] = {
                "fields": ("shown_schedule", "shown_start", "shown_end", *_WHEN[2:], "shown_calendars")
            }
            parameters = {"fields": ("shown_params",)}
            return [
                (None, {"fields": (*_FIRST, "shown_tags", *_WHO)}),
                (_("When"), when),
                (_("Parameters"), parameters),
                *_limits(),
                (_("Alerts"), alerts),
            ]
        when = {
            "fields": ("schedule_kind", "cron", "every", "dates", "other", "timezone", *_CALENDARS, "preview", *_WHEN)
        }
        return [
            (None, {"fields": (*_FIRST, "tags", *_WHO)}),
            (_("When"), {"classes": ("dst-fields-when",), **when}),
            (_("Parameters"), {"fields": ("params",)}),
            (_("Limits"), {"fields": ("limits",)}),
            *_limits(),
            (_("Alerts"), alerts),
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the address of an empty form fills in; without durations and instants that are none."""
        readers = dict.fromkeys((*DURATIONS, "every"), _duration_from) | dict.fromkeys(_INSTANTS, _instant_from)
        if (cloned := self._cloned(request)) is not None:
            if has_secrets(cloned):
                messages.info(request, _("Secrets are not copied: enter them again."))
            return clone_of(cloned)
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        found = {name: readers[name](value) if name in readers else value for name, value in given.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _cloned(self, request: HttpRequest) -> ScheduledTask | None:
        """Return the task that the address of an empty form asks to be cloned, if the user may see it."""
        if (key := as_uuid(request.GET.get("clone", ""))) is None:
            return None
        row: ScheduledTask | None = self.get_object(request, str(key))
        return row if row is not None and self.has_view_permission(request, row) else None

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return a form class that knows this site, for the URLs of its live parts."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.site = self.admin_site
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Use one time zone for entering and showing instants."""
        if isinstance(db_field, UtcDateTimeField):
            kwargs["form_class"] = InstantField
            zone = _("In the time zone of the task.")
            kwargs["help_text"] = f"{db_field.help_text} {zone}".strip()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("Schedule"))
    def shown_schedule(self, row: ScheduledTask) -> SafeString:
        """Return the schedule as text, for users with view permission only."""
        return schedule_cell(row)

    @admin.display(description=gettext_lazy("tags"))
    def shown_tags(self, row: ScheduledTask) -> str:
        """Return the tags as text, for users with view permission only."""
        return ", ".join(row.tags) or self.get_empty_value_display()

    @admin.display(description=gettext_lazy("calendars"))
    def shown_calendars(self, row: ScheduledTask) -> str:
        """Return the calendars as text, for users with view permission only."""
        names = ", ".join(row.calendars)
        return f"{names}: {value_text('on_excluded', row.on_excluded)}" if names else self.get_empty_value_display()

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
        """Add the context of what stands above and below the form."""
        context = {
            **(extra_context or {}),
            **THEME,
            "examples": EXAMPLES,
        }
        is_old = object_id is not None and "_saveasnew" not in request.POST
        row = self.get_object(request, object_id or "") if is_old else None
        if is_back := row is not None and not {BACK, KEEP}.isdisjoint(request.POST):
            context["errors"] = []  # the form is shown as it was typed: nothing is wrong with it
        context["dst_back"] = is_back
        context["dst_may_run"] = self.has_run_permission(request, row)
        if row is not None and self.has_view_permission(request, row):
            with in_zone(row.timezone):
                context["dst"] = self.head(request, row)
            if BACK in request.POST:  # else what somebody saves while the question is open would be overlooked
                context["dst"]["version"] = request.POST.get(VERSION, "")
        zone = _zone_of_form(request, row or (self._cloned(request) if object_id is None else None))
        with in_zone(zone):
            if KEEP in request.POST and row is not None and self.has_change_permission(request, row):
                posted: Any = keep_theirs(self.get_form(request, row, change=True)(instance=row), request.POST)
                request.POST = posted
            found = self.form_of_django(request, object_id, form_url, context)
        return drawn_in(zone, found)

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
        with in_zone(request.GET.get("timezone", "")):
            found, limits = preview.render_preview(request.GET, row), render_limits(request.GET, row)
        return HttpResponse(f"{found}{swap_into('dst-limits', limits)}")

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


def _limits() -> list[tuple[str, dict[str, Any]]]:
    """Return a closed fieldset for each group of limits."""
    limits = _("Limits")
    return [(f"{limits} · {label}", {"classes": ("collapse",), "fields": names}) for label, names in GROUPS.values()]


def _zone_of_form(request: HttpRequest, row: ScheduledTask | None) -> str:
    """Return the time zone in which the form is read and drawn: the one that is chosen in it, else the task's."""
    given = request.POST if request.method == "POST" else request.GET if row is None else {}
    stored = row.timezone if row is not None else get_settings().time_zone
    asked = given.get("timezone", "")
    return asked if asked in timezone_names() else stored


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
