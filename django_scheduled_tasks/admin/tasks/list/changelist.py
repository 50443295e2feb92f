"""The change list of tasks, and the texts above it: chips, presence, and what has changed since the last poll."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_scheduled_tasks.admin.installation.health import SEEN_STEP, health_of
from django_scheduled_tasks.admin.tasks.list.filters import ALWAYS, SELDOM, STATES
from django_scheduled_tasks.admin.tasks.list.row import RowContext, TaskRow
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.base import CappedChangeList
from django_scheduled_tasks.admin.ui.html import page_url
from django_scheduled_tasks.admin.ui.text.labels import label_of
from django_scheduled_tasks.db.connections.jit import without_jit
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.permissions import CHANGE_ALERT, RUN_TASK, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.folded import MOST_COUNTED, Folded, folded, has_many, narrowed
from django_scheduled_tasks.services.releases.live import alive_lately
from django_scheduled_tasks.translation import say_number

_WORDS = {
    "tag": gettext_lazy("Tag"),
    "contact": gettext_lazy("Contact"),
    "function": gettext_lazy("Function"),
    "owner": gettext_lazy("Owner"),
}
LIVE_CELLS = ("next", "last", "recent", "button")


_FOLDED = "dst_folded"


def folded_on(request: HttpRequest) -> list[Folded]:
    """Return the tasks with keys by function, asked for once a page."""
    found: list[Folded] | None = getattr(request, _FOLDED, None)
    if found is None:
        found = folded()
        setattr(request, _FOLDED, found)
    return found


class TaskChangeList(CappedChangeList):
    """The change list of tasks; its filter is shown as chips above the list."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Parse the filters as usual, but report none, so that no sidebar is drawn."""
        specs, _has_filters, *others = super().get_filters(request)
        return (specs, False, *others)

    def get_queryset(self, request: HttpRequest, *arguments: Any) -> Any:
        """Annotate the states, which filter and order need."""
        self.root_queryset = overview.with_state(self.root_queryset)
        found = folded_on(request)
        self.has_many = has_many(found)
        self.folded: list[Folded] = found if self.folds else []
        if self.folded:
            functions = [one.function for one in self.folded]
            own = Q(key=None)  # of many those of functions that are gone are left out as well: it is read from an index
            self.root_queryset = self.root_queryset.filter(own if self.has_many else own | ~Q(function__in=functions))
        elif self.has_many:
            self.root_queryset = narrowed(self.root_queryset, str(self.params.get("state", "")))
        return super().get_queryset(request, *arguments)

    def get_results(self, request: HttpRequest) -> None:
        """Read one page; its order needs the state of each task."""
        with without_jit(self.queryset.db):
            super().get_results(request)

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Order by the chosen column; else what needs attention first, then by the next run."""
        if ORDER_VAR in self.params:
            return list(super().get_ordering(request, queryset))
        if self.has_many and not self.folds:  # of so many nobody finds out first how each of them is
            return ["key", "pk"]
        return [*overview.DEFAULT_ORDER, "pk"]

    def _get_default_ordering(self) -> list[Any]:
        return []  # no column is marked as the sorted one

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read the recent executions of all rows of the page, in one query."""
        self.health = health_of(request, self.model_admin.admin_site)
        self.health.counts_tasks = True
        found = self.health.found
        self.now: datetime = rows[0].database_now if rows else found.now
        last = found.condition.scheduler.last
        self.context = RowContext(
            site=self.model_admin.admin_site,
            now=self.now,
            user=request.user,
            scheduler_seen_at=last.seen_at if last is not None else None,
            others=alive_lately(),
            is_copy=found.condition.is_copy,
            holds=found.holds,
            alerts=self._alerts(request),
            back=f"?{urlencode({'back': request.GET.urlencode()})}" if request.GET else "",
            here=request.GET.urlencode(),
        )
        recent = overview.recent_executions([row.pk for row in rows])
        for row in rows:
            allowed = may(request.user, RUN_TASK, row)
            row.dst = TaskRow(row, recent[row.pk], self.context, allowed)
        self.rows: list[TaskRow] = [row.dst for row in rows]
        if not any(row.may_run for row in self.rows):  # no button, no column
            self.list_display = [name for name in self.list_display if name != "run_button"]

    def _alerts(self, request: HttpRequest) -> dict[UUID | None, list[Alert]]:
        """Return the alerts that the user may acknowledge, by task; those that want attention are known already."""
        found: dict[UUID | None, list[Alert]] = {}
        if page_url(self.model_admin.admin_site, "alert_acknowledge_all"):
            for alert in self.health.alerts:
                if alert.task_id is not None and may(request.user, CHANGE_ALERT, alert):
                    found.setdefault(alert.task_id, []).append(alert)
        return found

    @property
    def folds(self) -> bool:
        """Whether tasks that programs have made are told by function: as long as nobody looks for some of them."""
        return not self.query and self.params.keys() <= {ORDER_VAR, "p"}

    @property
    def shows_all(self) -> bool:
        """Whether the page shows the first tasks without any filter, search or order."""
        return self.page_num == 1 and not self.params and not self.query


def chips(cl: TaskChangeList, counts: overview.TaskCounts, chosen: str) -> SafeString:
    """Return the states as links with their counts; some of them only while a task is in that state."""
    chosen = chosen if chosen in STATES else ""
    found = [("", _("All"), counts.all)]
    found += [(name, str(label), getattr(counts, name)) for name, (label, *_others) in STATES.items()]
    states = format_html_join(
        "",
        '<a class="dst-chip{}" href="{}"{}>{} <b>{}</b></a>',
        (
            (
                " dst-chip-bad" if name == "needs_attention" and count else "",
                cl.get_query_string({"state": name} if name else {}, ["state", "p"]),
                SafeString(' aria-current="page"') if name == chosen else "",
                label,
                count,
            )
            for name, label, count in found
            if name == chosen or name in ALWAYS or (count and name not in SELDOM)
        ),
    )
    return format_html("{}{}", states, _words(cl))


def _words(cl: TaskChangeList) -> SafeString:
    """Return the tag and the contact that the list is limited to, as links that end it."""
    asked = [(kind, str(cl.params[name]), name) for name, kind in _WORDS.items() if cl.params.get(name)]
    cross = SafeString('<span aria-hidden="true">×</span>')
    return format_html_join(
        "",
        '<a class="dst-chip" aria-current="true" href="{}" aria-label="{}">{} <b>{}</b> {}</a>',
        (
            (
                cl.get_query_string({}, [name, "p"]),
                _("Show all again, not only %(kind)s %(word)s") % {"kind": kind, "word": word},
                kind,
                word,
                cross,
            )
            for kind, word, name in asked
        ),
    )


def folded_rows(cl: TaskChangeList) -> list[dict[str, str]]:
    """Return a line for each function of which programs have made tasks, with the address of their list."""
    found = []
    for one in cl.folded:
        number = say_number(min(one.count, MOST_COUNTED)) + ("+" if one.count > MOST_COUNTED else "")
        count = ngettext("%(number)s task", "%(number)s tasks", one.count) % {"number": number}
        failing = _("%(count)s failing") % {"count": say_number(one.failing)} if one.failing else ""
        url = cl.get_query_string({"function": one.function}, ["p"])
        found.append({"function": one.function, "count": count, "failing": failing, "url": url})
    return found


def title_prefix(counts: overview.TaskCounts) -> str:
    """Return the beginning of the tab's title: how many tasks need attention; empty if none does."""
    return say_number(counts.needs_attention) if counts.needs_attention else ""


def is_open(cl: TaskChangeList) -> bool:
    """Whether a row of the page may change soon; the page then polls more often."""
    soon = (row.task.next_run_at for row in cl.rows)
    return any(row.is_open for row in cl.rows) or any(at and (at - cl.now).total_seconds() < SEEN_STEP for at in soon)


def version(cl: TaskChangeList, counts: overview.TaskCounts, watching: list[Any]) -> str:
    """Return hashes of what the page shows, joined by dots: one for the head and the note, then one for each row."""
    head = live.digest((counts, cl.health.version(), [(row.pk, row.status) for row in watching]))
    head = f"{head}-{live.digest(cl.health.note_version())}"
    return ".".join([head, *(live.digest((row.task.pk, *row.signature())) for row in cl.rows)])


def changed_note(cl: TaskChangeList, present: list[str], known: list[str]) -> list[SafeString]:
    """Return the note if it has changed: one that has not keeps the focus on its buttons."""
    is_same = present[0].rpartition("-")[2] == known[0].rpartition("-")[2]
    return [] if is_same else [live.swap_into("dst-note", cl.health.note())]


def _changed(cl: TaskChangeList, present: list[str], known: list[str]) -> list[TaskRow]:
    before = set(known[1:])
    return [row for row, mark in zip(cl.rows, present[1:], strict=True) if mark not in before]


def changed_cells(cl: TaskChangeList, present: list[str], known: list[str]) -> list[SafeString]:
    """Return the live cells of the rows whose hash has changed."""
    rows = _changed(cl, present, known)
    return [live.swap_into(row.cell_id(name), row.inner(name)) for row in rows for name in LIVE_CELLS]


def announcement(cl: TaskChangeList, present: list[str], known: list[str]) -> str:
    """Return one sentence about what has ended, for screen readers."""
    ended = [
        (row.task.name, leading)
        for row in _changed(cl, present, known)
        if (leading := overview.leading(row.recent)) is not None and not leading.is_open
    ]
    if len(ended) == 1:
        name, leading = ended[0]
        return f"{name}: {label_of(leading.status, leading.outcome).label}."
    text = ngettext("%(count)s task has changed.", "%(count)s tasks have changed.", len(ended))
    return text % {"count": len(ended)} if ended else ""
