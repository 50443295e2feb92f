"""The list of tasks: chips, the strip of the day, live rows, what is shown when there is nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin import charts, live
from django_scheduled_tasks.admin.base import IS_UNFOLD, CappedChangeList, ScreenAdmin, without
from django_scheduled_tasks.admin.filters import STATES, StateFilter
from django_scheduled_tasks.admin.html import distance, instant, task_url, zone_name
from django_scheduled_tasks.admin.rows import Surroundings, TaskRow
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import PresenceKind, ScheduledTask, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services import overview, presence, timeline
from django_scheduled_tasks.services.permissions import RUN_TASK, may
from django_scheduled_tasks.words import WORDS

LIVE_CELLS = ("next", "last", "recent", "button")
SEEN_STEP = 15
"""Seconds; more often the line that says who was seen when is not sent."""
UPCOMING_SHOWN = 100


class TaskChangeList(CappedChangeList):
    """The list of tasks; its filter is drawn as chips."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Parse the filter as usual, but draw no sidebar."""
        specs, _has_filters, *others = super().get_filters(request)
        return (specs, False, *others)

    def get_queryset(self, request: HttpRequest, *arguments: Any) -> Any:
        """Annotate states, which the filter and the order need."""
        self.root_queryset = overview.with_state(self.root_queryset)
        return super().get_queryset(request, *arguments)

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Broken, late, failing, then by what comes next; unless a column was chosen."""
        if ORDER_VAR in self.params:
            return list(super().get_ordering(request, queryset))
        return [*overview.DEFAULT_ORDER, "pk"]

    def _get_default_ordering(self) -> list[Any]:
        return []  # so that no column looks as if the list were sorted by it alone

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read the recent executions of all rows of the page."""
        first = rows[0] if rows else None
        self.now: datetime = first.database_now if first else read_now()
        self.around = Surroundings(
            site=self.model_admin.admin_site,
            now=self.now,
            worker_seen_at=first.worker_seen_at if first else presence.last_seen(PresenceKind.WORKER),
            scheduler_seen_at=first.scheduler_seen_at if first else presence.last_seen(PresenceKind.SCHEDULER),
            back=f"?{urlencode({'back': request.GET.urlencode()})}" if request.GET else "",
        )
        recent = overview.recent_executions([row.pk for row in rows])
        for row in rows:
            allowed = may(request.user, RUN_TASK, row)
            row.dst = TaskRow(row, recent[row.pk], self.around, allowed)
        self.rows: list[TaskRow] = [row.dst for row in rows]

    @property
    def shows_all(self) -> bool:
        """Whether these are the tasks that are due next, whatever else is on other pages."""
        return self.page_num == 1 and not self.params and not self.query


class TaskListMixin(ScreenAdmin):
    """The list."""

    list_display = ("task", "when", "next", "last", "recent", "run_button")
    list_display_links = ("task",)
    list_filter = (StateFilter,)
    list_select_related = ("paused_by",)
    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("name", "function", "description")
    list_before_template = "admin/django_scheduled_tasks/scheduledtask/above_list.html"
    """Where unfold puts what stands above a list."""

    def get_changelist(self, _request: HttpRequest, **_options: Any) -> Any:
        """Return our list."""
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

    @admin.display(description=gettext_lazy("Next"), ordering="next_run_at")
    def next(self, row: Any) -> SafeString:
        """When it is due next, or why it is not."""
        shown: TaskRow = row.dst
        return shown.cell("next")

    @admin.display(description=gettext_lazy("Last"), ordering="last_id")
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

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave the column of buttons out for those who may not run tasks."""
        return self.list_display if may(request.user, RUN_TASK) else self.list_display[:-1]

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
        tasks = [row.task for row in cl.rows] if cl.shows_all else timeline.scheduled_tasks()
        until = edges[0] + 2 * charts.STRIP_HALF
        outlook = timeline.look_ahead(tasks, until=until, step=charts.STRIP_STEP)
        complete_until = outlook.complete_until
        if cl.shows_all and cl.multi_page:  # the others are due after the last one of this page
            last = max((task.next_run_at for task in tasks if task.next_run_at), default=until)
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
        request.dst_live = True  # type: ignore[attr-defined]
        cl = self.get_changelist_instance(request)
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
        now = read_now()
        far = now.replace(year=now.year + 20, day=1)
        outlook = timeline.look_ahead(timeline.scheduled_tasks(), until=far, limit=UPCOMING_SHOWN)
        rows = [
            (instant(item.at, seconds=True, now=now), distance(item.at, now), item.task, self._change_url(item.task))
            for item in outlook.upcoming
        ]
        title = _("Upcoming executions")
        return self.page(request, "scheduledtask/upcoming.html", title=title, rows=rows, zone=zone_name())

    def _change_url(self, task: ScheduledTask) -> str:
        return task_url(self.admin_site, "change", task.pk)


# --- pieces -------------------------------------------------------------------------------------------------------


def chips(cl: TaskChangeList, counts: overview.TaskCounts, chosen: str) -> SafeString:
    """Return the states as links with their counts; broken only while something is."""
    chosen = chosen if chosen in STATES else ""
    found = [("", _("All"), counts.all)]
    found += [(name, str(label), getattr(counts, name)) for name, (label, *_others) in STATES.items()]
    return format_html_join(
        "",
        '<a class="dst-chip" href="{}"{}>{} <b>{}</b></a>',
        (
            (
                cl.get_query_string({"state": name} if name else {}, ["state", "p"]),
                SafeString(' aria-current="page"') if name == chosen else "",
                label,
                count,
            )
            for name, label, count in found
            if count or name != "broken"
        ),
    )


def alarm(counts: overview.TaskCounts) -> str:
    """Return what the title of the tab begins with; empty if all is well."""
    parts = []
    if counts.failing:
        parts.append(_("%(count)s failing") % {"count": counts.failing})
    if counts.late:
        parts.append(_("%(count)s late") % {"count": counts.late})
    return ", ".join(parts)


def is_alive(seen_at: datetime | None, now: datetime) -> bool:
    """Whether that is not too long ago."""
    return seen_at is not None and now - seen_at <= get_settings().PRESENCE_TIMEOUT


def last_seen(around: Surroundings) -> SafeString | str:
    """Return how long ago a scheduler or a worker was seen; empty if none ever was."""
    moments = [at for at in (around.worker_seen_at, around.scheduler_seen_at) if at is not None]
    return distance(max(moments), around.now) if moments else ""


def seen(around: Surroundings) -> SafeString:
    """Return whether a scheduler and a worker have been seen, and when."""
    scheduler, worker, now = around.scheduler_seen_at, around.worker_seen_at, around.now
    if scheduler and worker and is_alive(scheduler, now) and is_alive(worker, now):
        both = format_html(_("scheduler and worker seen {}"), distance(min(scheduler, worker), now))
        return format_html('<span class="dst-light dst-ok"></span>{} · {}', _("Live"), both)
    missing = [
        format_html("{}: {}", name, distance(moment, now) if moment else _("never seen"))
        for name, moment in ((_("scheduler"), scheduler), (_("worker"), worker))
        if not is_alive(moment, now)
    ]
    return format_html(
        '<span class="dst-light dst-warn"></span>{} · {}',
        _("Not running"),
        format_html_join(", ", "{}", ((m,) for m in missing)),
    )


def is_open(cl: TaskChangeList) -> bool:
    """Whether something on the page may change soon."""
    soon = (row.task.next_run_at for row in cl.rows)
    return any(row.is_open for row in cl.rows) or any(at and (at - cl.now).total_seconds() < SEEN_STEP for at in soon)


def version(cl: TaskChangeList, counts: overview.TaskCounts, watching: list[Any]) -> str:
    """Return what the page shows as short texts: one for what stands above the rows, then one for each row."""
    around = cl.around
    steps = [
        int(at.timestamp()) // SEEN_STEP if at and is_alive(at, cl.now) else None
        for at in (around.scheduler_seen_at, around.worker_seen_at)
    ]
    head = live.digest((counts, steps, [(row.pk, row.status) for row in watching]))
    return ".".join([head, *(live.digest((row.task.pk, *row.signature())) for row in cl.rows)])


def _changed(cl: TaskChangeList, present: list[str], known: list[str]) -> list[TaskRow]:
    before = set(known[1:])
    return [row for row, mark in zip(cl.rows, present[1:], strict=True) if mark not in before]


def changed_cells(cl: TaskChangeList, present: list[str], known: list[str]) -> list[SafeString]:
    """Return the live cells of the rows that have changed."""
    rows = _changed(cl, present, known)
    return [live.into(row.cell_id(name), row.inner(name)) for row in rows for name in LIVE_CELLS[:3]]


def announced(cl: TaskChangeList, present: list[str], known: list[str]) -> str:
    """Return one sentence about what has ended, for those who do not see the cells change."""
    ended = [
        (row.task.name, leading)
        for row in _changed(cl, present, known)
        if (leading := overview.leading(row.recent)) is not None and not leading.is_open
    ]
    if len(ended) == 1:
        name, leading = ended[0]
        word = WORDS["completed"].label if leading.outcome == "succeeded" else WORDS[leading.outcome].label
        return f"{name}: {word}."
    return _("%(count)s tasks have changed.") % {"count": len(ended)} if ended else ""
