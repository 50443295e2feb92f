"""The list of tasks: chips, the strip of the day, live rows, what is shown when there is nothing."""

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

from django_scheduled_tasks.admin.tasks import charts
from django_scheduled_tasks.admin.tasks.changelist import (
    TaskChangeList,
    alarm,
    announced,
    changed_cells,
    chips,
    is_alive,
    is_open,
    last_seen,
    seen,
    version,
)
from django_scheduled_tasks.admin.tasks.filters import STATES, StateFilter
from django_scheduled_tasks.admin.tasks.row import TaskRow
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.base import IS_UNFOLD, ScreenAdmin, without
from django_scheduled_tasks.admin.ui.html import distance, instant, task_url, zone_name
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.queries import overview, timeline

STRIP_TASKS = 200
"""How many tasks the strip of the day looks at, those that are due next."""
UPCOMING_SHOWN = 100
"""How many due instants the list of them shows."""


class TaskListMixin(ScreenAdmin):
    """The list."""

    list_display = ("task", "when", "next", "last", "recent", "run_button")
    list_display_links = ("task",)
    list_filter = (StateFilter,)
    list_select_related = ("paused_by",)
    list_per_page = 40
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("name", "function", "description")
    list_before_template = "admin/django_scheduled_tasks/scheduledtask/above_list.html"
    """Where unfold puts what stands above a list."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return our list."""
        del request, kwargs
        return TaskChangeList

    @admin.display(description=gettext_lazy("Task"), ordering="name_key")
    def task(self, row: Any) -> SafeString:
        """Name and function."""
        shown: TaskRow = row.dst
        return shown.name()

    @admin.display(description=gettext_lazy("When"))
    def when(self, row: Any) -> SafeString:
        """A sentence; expression and zone below."""
        shown: TaskRow = row.dst
        return shown.when()

    @admin.display(description=pgettext_lazy("execution", "Next"), ordering="next_run_at")
    def next(self, row: Any) -> SafeString:
        """When it is due next, or why it is not."""
        shown: TaskRow = row.dst
        return shown.cell("next")

    @admin.display(description=pgettext_lazy("execution", "Last"), ordering="last_id")
    def last(self, row: Any) -> SafeString:
        """How its last execution went."""
        shown: TaskRow = row.dst
        return shown.cell("last")

    @admin.display(description=gettext_lazy("Recent"))
    def recent(self, row: Any) -> SafeString:
        """How its last executions went."""
        shown: TaskRow = row.dst
        return shown.cell("recent")

    @admin.display(description=gettext_lazy("Run once"))
    def run_button(self, row: Any) -> SafeString:
        """A button within the list's own form, so it is a POST with its token and needs no script."""
        shown: TaskRow = row.dst
        return shown.cell("button")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list with what stands above it."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        without(request, "watch", "v")
        response = super().changelist_view(request, {**title, **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["dst"] = self.above(request, response.context_data["cl"])
            response.context_data["dst_unfold"] = IS_UNFOLD
        return response

    def above(self, request: HttpRequest, cl: TaskChangeList) -> dict[str, Any]:
        """Return what stands above the list, and what is shown in its place when it is empty."""
        counts = overview.count_tasks()
        chosen = str(request.GET.get("state", ""))
        return {
            "chips": chips(cl, counts, chosen),
            "presence": seen(cl.around),
            "alarm": alarm(counts),
            "strip": self.strip(cl) if counts.all else "",
            "zone": zone_name(),
            "poller": live.poller(self._live_url(request), version(cl, counts, []), is_open=is_open(cl)),
            "texts": live.status_texts(),
            "token": uuid4().hex,
            "upcoming_url": task_url(self.admin_site, "upcoming"),
            "counts": counts,
            "nothing": STATES[chosen][2] if chosen in STATES else "",
            "all_url": task_url(self.admin_site, "changelist"),
            "functions": list(registry.functions())[:1],
            "function_count": len(registry.functions()),
            "add_url": task_url(self.admin_site, "add") if self.has_add_permission(request) else "",
            "no_worker": not (
                is_alive(cl.around.worker_seen_at, cl.now) and is_alive(cl.around.scheduler_seen_at, cl.now)
            ),
            "last_seen": last_seen(cl.around),
        }

    def _live_url(self, request: HttpRequest) -> str:
        query = request.GET.urlencode()
        return task_url(self.admin_site, "live") + (f"?{query}" if query else "")

    def strip(self, cl: TaskChangeList) -> SafeString:
        """Return the strip of the day: what ran, and what is due."""
        edges = charts.strip_edges(cl.now)
        marks = timeline.marks_between(edges)
        has_all = cl.shows_all and not cl.multi_page
        tasks = [row.task for row in cl.rows] if has_all else timeline.scheduled_tasks(STRIP_TASKS)
        until = edges[0] + 2 * charts.STRIP_HALF
        outlook = timeline.look_ahead(tasks, until=until, step=charts.STRIP_STEP)
        complete_until = outlook.complete_until
        if len(tasks) >= STRIP_TASKS and (last := tasks[-1].next_run_at):  # the others are due later than this one
            complete_until = min(complete_until, last)
        marks += [
            timeline.Mark(int((item.at - edges[0]) / charts.STRIP_STEP), item.task.name, "next")
            for item in outlook.upcoming
            if item.at >= cl.now
        ]
        return charts.day_strip(charts.Strip(edges[0], cl.now, marks, complete_until))

    # --- live

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Return the cells that have changed since the page, or the answer before, was made."""
        known = request.GET.get("v", "").split(".")
        watching = live.watched(request)
        without(request, "watch", "v")
        cl = self.list_of(request)
        if cl is None:  # its rows were deleted; there may be others again
            return live.nothing_new()
        counts = overview.count_tasks()
        present = version(cl, counts, watching)
        if present.split(".") == known:
            return live.nothing_new()
        parts = [live.poller(self._live_url(request), present, is_open=is_open(cl))]
        parts += changed_cells(cl, present.split("."), known)
        parts.append(live.into("dst-chips", chips(cl, counts, str(request.GET.get("state", "")))))
        parts.append(live.into("dst-presence", seen(cl.around)))
        parts += [live.into(f"dst-tail-{row.pk}", live.say_tail(row)) for row in watching]
        if said := announced(cl, present.split("."), known):
            parts.append(live.into("dst-announce", said))
        return live.answer(parts, events={"dst:alarm": {"text": alarm(counts)}})

    def upcoming_view(self, request: HttpRequest) -> HttpResponse:
        """List what is due next, of all tasks, as a plain table."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = read_now()
        far = now.replace(year=now.year + 20, day=1)
        outlook = timeline.look_ahead(timeline.scheduled_tasks(), until=far, limit=UPCOMING_SHOWN)
        rows = [
            (instant(item.at, seconds=True, now=now), distance(item.at, now), item.task, self._change_url(item.task))
            for item in outlook.upcoming
        ]
        title = _("Upcoming executions")
        return self.page(
            request, "scheduledtask/upcoming.html", title=title, original=title, rows=rows, zone=zone_name()
        )

    def _change_url(self, task: ScheduledTask) -> str:
        return task_url(self.admin_site, "change", task.pk)
