"""The list of tasks: its columns, what stands above it, and its live updates."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from django_scheduled_tasks.admin.tasks.acts.carry import may_import
from django_scheduled_tasks.admin.tasks.list.changelist import (
    TaskChangeList,
    announcement,
    changed_cells,
    changed_note,
    chips,
    folded_on,
    folded_rows,
    is_open,
    title_prefix,
    version,
)
from django_scheduled_tasks.admin.tasks.list.filters import (
    STATES,
    ContactFilter,
    FunctionFilter,
    OwnerFilter,
    StateFilter,
    TagFilter,
)
from django_scheduled_tasks.admin.tasks.list.outlook import strip_of, upcoming_rows
from django_scheduled_tasks.admin.tasks.list.row import TaskRow
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.base import THEME, ScreenAdmin, drop_parameters
from django_scheduled_tasks.admin.ui.html import task_url, zone_name
from django_scheduled_tasks.db.migrated import LABEL
from django_scheduled_tasks.models import HoldScope, read_now
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.permissions import ADD_HOLD, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.executions import timeline
from django_scheduled_tasks.services.queries.executions.search import MOST_SEARCHED
from django_scheduled_tasks.services.queries.folded import has_many, searched
from django_scheduled_tasks.services.scheduling.presence import seen_as_web


def functions_of_project() -> list[str]:
    """Return the names of the functions that may run, without those of this app itself."""
    return [name for name in registry.functions() if not name.startswith(f"{LABEL}.")]


class TaskListMixin(ScreenAdmin):
    """The list of tasks."""

    list_display = ("task", "when", "next", "last", "recent", "run_button")
    list_display_links = ("task",)
    list_filter = (StateFilter, TagFilter, ContactFilter, FunctionFilter, OwnerFilter)
    list_select_related = ("paused_by",)
    list_per_page = 40
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("name", "function", "description", "contact")
    list_before_template = "admin/django_scheduled_tasks/scheduledtask/above_list.html"
    """The template that unfold draws above a list."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the class of the change list."""
        del request, kwargs
        return TaskChangeList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search as Django does; where there are too many tasks with keys, those by key and beginning of the name."""
        text = search_term.strip()
        if text and len(text) <= MOST_SEARCHED and NUL not in text and has_many(folded_on(request)):
            return searched(queryset, text, self.search_fields), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=gettext_lazy("Task"), ordering="name_key")
    def task(self, row: Any) -> SafeString:
        """Return name and function."""
        shown: TaskRow = row.dst
        return shown.name()

    @admin.display(description=gettext_lazy("When"))
    def when(self, row: Any) -> SafeString:
        """Return the schedule: a sentence, expression and time zone below."""
        shown: TaskRow = row.dst
        return shown.when()

    @admin.display(description=pgettext_lazy("execution", "Next"), ordering="next_run_at")
    def next(self, row: Any) -> SafeString:
        """Return the next run, or the reason why there is none."""
        shown: TaskRow = row.dst
        return shown.cell("next")

    @admin.display(description=pgettext_lazy("execution", "Last"), ordering="last_id")
    def last(self, row: Any) -> SafeString:
        """Return the status of the last execution."""
        shown: TaskRow = row.dst
        return shown.cell("last")

    @admin.display(description=gettext_lazy("Recent"))
    def recent(self, row: Any) -> SafeString:
        """Return the recent executions as bars."""
        shown: TaskRow = row.dst
        return shown.cell("recent")

    @admin.display(description=gettext_lazy("Run once"))
    def run_button(self, row: Any) -> SafeString:
        """Return the button. It is part of the list's own form: a POST with CSRF token, also without JavaScript."""
        shown: TaskRow = row.dst
        return shown.cell("button")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the context of what stands above it."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        drop_parameters(request, "watch", "v")
        response = super().changelist_view(request, {**title, **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            seen_as_web()
            response.context_data["dst"] = self.above(request, response.context_data["cl"])
            response.context_data |= THEME
        return response

    def above(self, request: HttpRequest, cl: TaskChangeList) -> dict[str, Any]:
        """Return the context of the templates above the list and of an empty list."""
        counts = overview.count_tasks(without_keys=cl.has_many)
        chosen = str(request.GET.get("state", ""))
        return {
            "chips": chips(cl, counts, chosen),
            "folded": folded_rows(cl),
            "hold_url": self._hold_url(request, cl),
            "export_url": task_url(self.admin_site, "export"),
            "import_url": task_url(self.admin_site, "import") if may_import(request.user) else "",
            "alarm": title_prefix(counts),
            "strip": strip_of(cl) if counts.all else "",
            "zone": zone_name(),
            "poller": live.poller(self._live_url(request), version(cl, counts, []), is_open=is_open(cl)),
            "texts": live.status_texts(self.admin_site),
            "token": uuid4().hex,
            "upcoming_url": task_url(self.admin_site, "upcoming"),
            "load_url": task_url(self.admin_site, "load"),
            "counts": counts,
            "nothing": STATES[chosen][2] if chosen in STATES else "",
            "all_url": task_url(self.admin_site, "changelist"),
            "functions": (functions := functions_of_project())[:1],
            "function_count": len(functions),
            "add_url": task_url(self.admin_site, "add") if self.has_add_permission(request) else "",
        }

    def _hold_url(self, request: HttpRequest, cl: TaskChangeList) -> str:
        is_held = any(hold.scope == HoldScope.ALL for hold in cl.context.holds)
        return task_url(self.admin_site, "hold_all") if may(request.user, ADD_HOLD) and not is_held else ""

    def _live_url(self, request: HttpRequest) -> str:
        query = request.GET.urlencode()
        return task_url(self.admin_site, "live") + (f"?{query}" if query else "")

    # --- live

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Return the cells that have changed since the last response, whose hashes are in ``?v=``."""
        known = request.GET.get("v", "").split(".")
        watching = live.watched(request)
        drop_parameters(request, "watch", "v")
        cl = self.list_of(request)
        if cl is None:  # the page no longer exists; it may again at the next poll
            return live.no_change()
        seen_as_web()
        counts = overview.count_tasks(without_keys=cl.has_many)
        present = version(cl, counts, watching)
        if present.split(".") == known:
            return live.no_change()
        parts = [live.poller(self._live_url(request), present, is_open=is_open(cl))]
        parts += changed_cells(cl, present.split("."), known)
        parts.append(live.swap_into("dst-chips", chips(cl, counts, str(request.GET.get("state", "")))))
        parts.append(live.swap_into("dst-presence", cl.health.line()))
        parts += changed_note(cl, present.split("."), known)
        parts += [live.swap_into(f"dst-tail-{row.pk}", live.outcome_text(row)) for row in watching]
        if said := announcement(cl, present.split("."), known):
            parts.append(live.swap_into("dst-announce", said))
        return live.parts_response(parts, events={"dst:alarm": {"text": title_prefix(counts)}})

    def upcoming_view(self, request: HttpRequest) -> HttpResponse:
        """List the next due instants of all tasks as a plain table."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = upcoming_rows([] if is_held() else timeline.scheduled_tasks(), read_now())
        linked = [(row, task_url(self.admin_site, "change", row.task.pk)) for row in rows]
        title = _("Upcoming executions")
        return self.page(
            request, "scheduledtask/upcoming.html", title=title, original=title, rows=linked, zone=zone_name()
        )
