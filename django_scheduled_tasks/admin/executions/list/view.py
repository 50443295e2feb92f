"""The history: the list of executions, newest first, with filters and a chart above."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from django_scheduled_tasks.admin.executions.list.export import ExportMixin
from django_scheduled_tasks.admin.executions.list.filters import (
    OutcomeFilter,
    PersonFilter,
    StatusFilter,
    TaskFilter,
    TriggerFilter,
    WhenFilter,
)
from django_scheduled_tasks.admin.executions.list.histogram import duration_bar, histogram
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.base import MOST_SEARCHED, THEME, CappedChangeList, drop_parameters
from django_scheduled_tasks.admin.ui.html import (
    distance,
    elapsed,
    execution_pill,
    execution_url,
    first_line,
    instant,
)
from django_scheduled_tasks.admin.ui.messages import Message, show
from django_scheduled_tasks.admin.ui.missed import missed_cell, shown_at
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import starter_text
from django_scheduled_tasks.exceptions import PermissionDenied
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now, with_now
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.services.permissions import VIEW_LOGS, VIEW_TASK, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.executions import timeline
from django_scheduled_tasks.services.queries.executions.missed import made_good
from django_scheduled_tasks.services.queries.executions.search import SEARCHED, with_text
from django_scheduled_tasks.services.visibility import for_viewer
from django_scheduled_tasks.translation import say_number

BARS = 48
NAMES_SHOWN = 20
FEW = 5_000
"""Up to so many rows are all read for the bars; of more, so many of each bar."""
_IN_INDEX = (("task_id",), ("triggered_by_id",))
"""How the orders begin that an index of a task or a person has."""
_NOT_SHOWN = ("result", "traceback", "params", "secret_params", "error_message", "reason", "progress_message")


class ExecutionChangeList(CappedChangeList):
    """The change list of executions."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Execution]) -> Any:
        """Return the order; that of one task or person, which their filters gave, names these as well."""
        given = tuple(queryset.query.order_by)
        return given if given[:1] in _IN_INDEX else super().get_ordering(request, queryset)

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read the usual duration of each task on this page, and what has made good what was missed."""
        self.now: datetime = rows[0].database_now if rows else read_now()
        task_ids = list(dict.fromkeys(row.task_id for row in rows if row.task_id is not None))
        usual, good = overview.usual_durations(task_ids), made_good(rows)
        for row in rows:
            row.dst_usual = usual.get(row.task_id)
            row.dst_now = self.now
            row.dst_site = self.model_admin.admin_site
            row.dst_user = request.user
            row.dst_made_good = good.get(row.pk)


class ExecutionListMixin(ExportMixin):
    """The list of executions."""

    list_display = ("state", "task_and_error", "started", "ran_for", "started_by")
    list_display_links = ("state",)
    list_filter = (StatusFilter, OutcomeFilter, TaskFilter, TriggerFilter, PersonFilter, WhenFilter)
    list_select_related = ("triggered_by",)
    list_per_page = 50
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("task_name",)
    list_before_template = "admin/django_scheduled_tasks/execution/above_list.html"
    """The template that unfold draws above a list."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the class of the change list."""
        del request, kwargs
        return ExecutionChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Defer the columns that may be large and are not shown."""
        rows: QuerySet[Execution] = super().get_queryset(request)
        return with_now(rows).defer(*_NOT_SHOWN).annotate(error_line=overview.error_line())

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first; with a range of time by that time, so that one index serves range and order."""
        if any(name in request.GET for name in WhenFilter.parameters):
            return ("-triggered_at", "-id")
        return ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search by number, tracking id or text, in no more than so many executions."""
        if not search_term.strip():
            return queryset, False
        return with_text(queryset, search_term, sees_logs=may(request.user, VIEW_LOGS)), False

    # --- columns

    @admin.display(description=gettext_lazy("Status"))
    def state(self, row: Any) -> SafeString:
        """Return the status, which links to the page; the number below."""
        return format_html('{}<span class="dst-sub">#{}</span>', execution_pill(row), row.pk)

    @admin.display(description=gettext_lazy("Task"))
    def task_and_error(self, row: Any) -> SafeString:
        """Return the task's name, and the first line of the error; of what was missed, why, and what made it good."""
        if row.outcome == Outcome.MISSED:
            return missed_cell(row, row.dst_made_good, site=row.dst_site, now=row.dst_now)
        is_bad = timeline.kind_of(row.status, row.outcome) == "bad"
        line = first_line(row, sees_logs=may(row.dst_user, VIEW_LOGS, row)) if is_bad else ""
        return format_html(
            '<div class="dst-cell"><span class="dst-name">{}</span>'
            '<span class="dst-sub dst-error" title="{}">{}</span></div>',
            row.task_name,
            line,
            line,
        )

    @admin.display(description=gettext_lazy("Started"))
    def started(self, row: Any) -> SafeString:
        """Return when it started or, before that, was triggered; of what never started, when it was due."""
        moment = shown_at(row)
        return format_html(
            '<div class="dst-cell">{}<span class="dst-sub">{}</span></div>',
            instant(moment, seconds=True, now=row.dst_now),
            distance(moment, row.dst_now),
        )

    @admin.display(description=gettext_lazy("Duration"))
    def ran_for(self, row: Any) -> SafeString | str:
        """Return how long it ran, compared with the usual duration."""
        if row.started_at is None or (timeline.kind_of(row.status, row.outcome) == "other" and not row.completed_at):
            return "—"
        seconds = ((row.completed_at or row.dst_now) - row.started_at).total_seconds()
        text: SafeString | str = duration_text(seconds)
        if row.completed_at is None:
            text = elapsed(row.started_at, str(text))
        usual = row.dst_usual.total_seconds() if row.dst_usual else None
        return format_html('<div class="dst-cell">{}{}</div>', text, duration_bar(seconds, usual))

    @admin.display(description=gettext_lazy("Started by"))
    def started_by(self, row: Any) -> str:
        """Return who or what started it."""
        return starter_text(row)

    # --- the page

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the context of what stands above it."""
        drop_parameters(request, "after")
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        response = super().changelist_view(request, {**title, **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            cl = response.context_data["cl"]
            response.context_data["dst"] = self.above(request, cl)
            response.context_data |= THEME
        return response

    def above(self, request: HttpRequest, cl: ExecutionChangeList) -> dict[str, Any]:
        """Return the context of the templates above the list and of an empty list."""
        newest = cl.result_list[0].pk if cl.result_list else 0
        query = request.GET.urlencode()
        watches = cl.page_num == 1
        return {
            "chart": self.chart(cl) if cl.result_list else "",
            "poller": live.poller(self._news_url(newest, query), "", is_open=False) if watches else "",
            "texts": live.status_texts(self.admin_site),
            # Not Django's own text below the field: with it the field would have no name that can be seen.
            "searched": _("A search finds names of tasks and, in the newest %(count)s, reasons, parameters and errors.")
            % {"count": say_number(SEARCHED)},
            "exports": self.export_links(request) if cl.result_list else [],
            "is_filtered": bool(query),
            "all_url": execution_url(self.admin_site, "changelist"),
        }

    def _news_url(self, newest: int, query: str) -> str:
        return f"{execution_url(self.admin_site, 'news')}?{urlencode({'after': newest})}" + (
            f"&{query}" if query else ""
        )

    def chart(self, cl: ExecutionChangeList) -> SafeString:
        """Return the chart for the present filter: 48 bars, each a link that narrows the range."""
        edges = edges_for(cl)
        count = timeline.count_few if cl.result_count <= FEW else timeline.count_in_buckets
        buckets = count(cl.queryset.order_by(), edges)
        links = [
            cl.get_query_string(
                {"from": local_text(bucket.start), "to": local_text(bucket.end)}, ["when", "from", "to", "p"]
            )
            for bucket in buckets
        ]
        return histogram(buckets, links)

    # --- parts

    def news_view(self, request: HttpRequest) -> HttpResponse:
        """Return how many executions are new, as a link; the rows of the open page do not move."""
        after = request.GET.get("after", "")
        drop_parameters(request, "after", "v", "watch")  # the script adds the last two
        query = request.GET
        newest = read_number(after) or 0
        cl = self.list_of(request)
        count = sum(1 for row in cl.result_list if row.pk > newest) if cl is not None else 0
        if not count:
            return live.no_change()
        text = ngettext("%(count)s new – show", "%(count)s new – show", count) % {
            "count": f"{count}+" if count >= cl.list_per_page else count
        }
        address = execution_url(self.admin_site, "changelist") + (f"?{query.urlencode()}" if query else "")
        link = format_html('<a class="dst-chip dst-news" href="{}">{}</a>', address, text)
        parts = [live.poller(self._news_url(newest, query.urlencode()), "", is_open=False)]
        return live.parts_response([*parts, live.swap_into("dst-news", link)])

    def names_view(self, request: HttpRequest) -> HttpResponse:
        """Return task names that contain the typed text, to users who may see tasks."""
        if not may(request.user, VIEW_TASK):
            return HttpResponse(status=PermissionDenied.status)
        text = request.GET.get("task", "").casefold()
        if NUL in text or len(text) > MOST_SEARCHED:
            return live.parts_response([])
        rows = for_viewer(ScheduledTask.objects.filter(name_key__contains=text)).order_by("name_key")
        names = rows.values_list("name", flat=True)[:NAMES_SHOWN]
        return live.parts_response([format_html('<option value="{}"></option>', name) for name in names])

    # --- several at once

    @admin.action(description=gettext_lazy("Run again"), permissions=["run"])
    def run_again_selected(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        """Start each selected execution's task again, with the execution's parameters."""
        self.start_again(request, queryset)

    @admin.action(description=pgettext_lazy("stop it", "Cancel"), permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        """Cancel each selected execution that has not ended."""
        for said in self.cancel_all(request, queryset):
            show(request, said)

    def start_again(self, request: HttpRequest, rows: QuerySet[Execution]) -> None:
        """Run the tasks of *rows* again; implemented by the admin class."""
        raise NotImplementedError

    def cancel_all(self, request: HttpRequest, rows: QuerySet[Execution]) -> list[Message]:
        """Cancel the open executions among *rows*, and return what to say; implemented by the admin class."""
        raise NotImplementedError


def local_text(moment: datetime) -> str:
    """Return an instant as the inputs from and to expect it."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def edges_for(cl: ExecutionChangeList) -> Sequence[datetime]:
    """Return the edges of 48 bars: over the chosen range, else over the last two days."""
    first, last = next(spec.bounds() for spec in cl.filter_specs if isinstance(spec, WhenFilter))
    if last is None:
        last = cl.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if first is None:
        first = last - timedelta(hours=BARS)
    step = max((last - first) / BARS, timedelta(minutes=1))
    return [first + step * number for number in range(BARS + 1)]
