"""Register the changes with the admin: who did what, read-only for everybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_scheduled_tasks.admin.changes.export import as_file
from django_scheduled_tasks.admin.changes.filters import KindFilter, PersonFilter, TaskFilter, WayFilter, WhenFilter
from django_scheduled_tasks.admin.changes.put_back import PutBackMixin
from django_scheduled_tasks.admin.changes.row import ChangeRow, RowContext, change_url
from django_scheduled_tasks.admin.installation.health import health_of
from django_scheduled_tasks.admin.ui.base import COUNT_CAP, MOST_SEARCHED, THEME, CappedChangeList
from django_scheduled_tasks.admin.ui.errors import column_label
from django_scheduled_tasks.admin.ui.html import page_url, zone_name
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exporting import ExportFormat
from django_scheduled_tasks.identifiers import as_uuid, read_number
from django_scheduled_tasks.models import Change, ScheduledTask, read_now
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.services.permissions import (
    CHANGE_TASK,
    EXPORT_CHANGES,
    PAUSE_TASK,
    VIEW_TASK,
    may,
)
from django_scheduled_tasks.services.queries import audit
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS
from django_scheduled_tasks.translation import say_number


class ChangesList(CappedChangeList):
    """The change list of changes."""

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read the tasks of this page, and what was put back of it; two statements."""
        user, now = request.user, read_now()
        found = ScheduledTask.objects.in_bulk({row.task for row in rows if row.task is not None})
        tasks: dict[UUID, ScheduledTask] = {pk: task for pk, task in found.items() if may(user, VIEW_TASK, task)}
        context = RowContext(
            site=self.model_admin.admin_site,
            now=now,
            tasks=tasks,
            changeable={pk for pk, task in tasks.items() if may(user, CHANGE_TASK, task)},
            resumable={pk for pk, task in tasks.items() if task.is_paused(now) and may(user, PAUSE_TASK, task)},
            put_back=audit.put_back_by(row.pk for row in rows) if rows else {},
        )
        for row in rows:
            row.dst_row = ChangeRow(row, context)

    @property
    def footer(self) -> str:
        """How many changes there are, for how long they are kept, and in which zone their instants are."""
        count = f"{say_number(COUNT_CAP)}+" if self.is_capped else say_number(self.result_count)
        days = get_settings().KEEP_CHANGES_FOR.days
        parts = (
            ngettext("%(count)s change", "%(count)s changes", self.result_count) % {"count": count},
            ngettext("kept for %(count)s day", "kept for %(count)s days", days) % {"count": say_number(days)},
            zone_name(),
        )
        return " · ".join(parts)


@admin.register(Change)
class ChangeAdmin(PutBackMixin):
    """The admin of changes."""

    list_display = ("when", "who", "about", "what")
    list_display_links = None
    list_filter = (PersonFilter, WayFilter, KindFilter, TaskFilter, WhenFilter)
    list_per_page = 50
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("task_name",)
    actions = None
    list_before_template = "admin/django_scheduled_tasks/change/above_list.html"
    """The template that unfold draws above a list."""

    def get_urls(self) -> list[URLPattern]:
        """Add the files."""
        return [
            self.page_path("export.csv", self.csv_view, "csv"),
            self.page_path("export.json", self.json_view, "json"),
            self.page_path("<int:pk>/put-back/", self.put_back_view, "put_back"),
            *super().get_urls(),
        ]

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Return False: changes are recorded."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Change | None = None) -> bool:
        """Return False: what was recorded stays as it is."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Change | None = None) -> bool:
        """Return False: they go by age."""
        return False

    # --- the list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the class of the change list."""
        del request, kwargs
        return ChangesList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        """Return the changes that the user may see."""
        rows: QuerySet[Change] = super().get_queryset(request).defer("text")
        return audit.visible(request.user, rows)

    def get_ordering(self, _request: HttpRequest) -> tuple[str, ...]:
        """Newest first."""
        return ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search in task, field, value and reason; a field may be called as the form calls it."""
        text = search_term.strip()
        if not text:
            return queryset, False
        if len(text) > MOST_SEARCHED or NUL in text:
            return queryset.none(), False
        named = [name for name in sorted(PUBLIC_FIELDS) if text.casefold() in column_label(name).casefold()]
        return audit.with_text(queryset, text, fields=named), False

    @admin.display(description=gettext_lazy("When"))
    def when(self, row: Any) -> SafeString:
        """Return when it was done."""
        found: ChangeRow = row.dst_row
        return found.when()

    @admin.display(description=gettext_lazy("Who, through what"))
    def who(self, row: Any) -> SafeString:
        """Return who did it, and through what."""
        found: ChangeRow = row.dst_row
        return found.who()

    @admin.display(description=gettext_lazy("Task"))
    def about(self, row: Any) -> SafeString:
        """Return what it was done to."""
        found: ChangeRow = row.dst_row
        return found.about()

    @admin.display(description=gettext_lazy("Old → new"))
    def what(self, row: Any) -> SafeString:
        """Return what was done."""
        found: ChangeRow = row.dst_row
        return found.what()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the context of what stands around it."""
        health_of(request, self.admin_site)
        response = super().changelist_view(request, {"title": self._title(request), **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["dst"] = self._around(request, response.context_data["cl"])
            response.context_data |= THEME
        return response

    def _title(self, request: HttpRequest) -> str:
        """Return the title: of one task's changes with its name."""
        identifier = as_uuid(request.GET.get(TaskFilter.parameter_name, ""))
        task = ScheduledTask.objects.filter(pk=identifier).first() if identifier is not None else None
        if task is None or not may(request.user, VIEW_TASK, task):
            return str(capfirst(self.opts.verbose_name_plural))
        return _("Changes: %(task)s") % {"task": task.name}

    def _around(self, request: HttpRequest, cl: ChangesList) -> dict[str, Any]:
        query = cl.get_query_string(remove=["p"])
        urls = [(kind, page_url(self.admin_site, f"change_{kind.lower()}")) for kind in ("CSV", "JSON")]
        return {
            "exports": [(kind, f"{url}{query}") for kind, url in urls if url] if self._may_export(request) else [],
            "is_filtered": bool(request.GET),
            "all_url": page_url(self.admin_site, "change_changelist"),
        }

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, _form_url: str = "", _extra_context: Any = None
    ) -> HttpResponse:
        """Show the list with this one: a change has no page of its own."""
        if object_id is None or request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        return HttpResponseRedirect(change_url(self.admin_site, self.get_change(request, object_id)))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the same: nobody changes it, so nothing else is its history."""
        return self.changeform_view(request, object_id)

    def get_change(self, request: HttpRequest, number: str | int) -> Change:
        """Return the change with this number; 404 if there is none, 403 if the user may not see it."""
        found = read_number(str(number))
        row = Change.objects.filter(pk=found).first() if found is not None else None
        if row is None:
            raise Http404
        if not audit.may_see(request.user, row):
            raise PermissionDenied
        return row

    # --- files

    def _may_export(self, request: HttpRequest) -> bool:
        return may(request.user, EXPORT_CHANGES)

    def _found(self, request: HttpRequest) -> QuerySet[Change]:
        """Return what the list shows, all pages of it."""
        if not self._may_export(request) or not self.has_view_permission(request):
            raise PermissionDenied
        found = self.list_of(request)
        if found is None:
            raise Http404
        rows: QuerySet[Change] = found.queryset
        return rows

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the changes that the filters of the list keep, as CSV."""
        return as_file(request, ExportFormat.CSV, self._found(request))

    def json_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the same as JSON."""
        return as_file(request, ExportFormat.JSON, self._found(request))
