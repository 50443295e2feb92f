"""The history as a file: what the filters of the list leave, as CSV or JSON."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from django_scheduled_tasks.admin.ui.base import ScreenAdmin, drop_parameters
from django_scheduled_tasks.admin.ui.html import execution_url
from django_scheduled_tasks.exporting import ExportFormat, exported
from django_scheduled_tasks.services.permissions import EXPORT_EXECUTIONS, VIEW_LOGS, may
from django_scheduled_tasks.services.queries.executions.export import COLUMNS, exported_rows


class ExportMixin(ScreenAdmin):
    """The view that gives the history as a file, and the links to it."""

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the executions of the list with these filters, as ``?format=`` says; CSV if it says nothing."""
        if not (self.has_view_permission(request) and may(request.user, EXPORT_EXECUTIONS)):
            raise PermissionDenied
        kind = request.GET.get("format") or str(ExportFormat.CSV)
        if kind not in set(ExportFormat):
            raise Http404
        drop_parameters(request, "format", "after")
        cl = self.list_of(request)
        if cl is None:  # there is no such page
            return HttpResponseRedirect(execution_url(self.admin_site, "changelist"))
        rows = exported_rows(cl.queryset, sees_logs=may(request.user, VIEW_LOGS))
        return exported(request, ExportFormat(kind), name="executions", columns=COLUMNS, rows=rows)

    def export_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Return (URL, text) of the files with the present filters; none for who may not export."""
        if not may(request.user, EXPORT_EXECUTIONS):
            return []
        query: Any = request.GET.copy()
        query.pop("p", None)
        found = []
        for kind in ExportFormat:
            query["format"] = str(kind)
            found.append((f"{execution_url(self.admin_site, 'export')}?{query.urlencode()}", str(kind).upper()))
        return found
