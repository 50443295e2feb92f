"""The page *Workers*: queues, workers and schedulers, and what each runs. It changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from django_scheduled_tasks.admin.installation.health import Health, health_of
from django_scheduled_tasks.admin.installation.shown import queue_name
from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.html import distance, execution_link, instant, zone_name
from django_scheduled_tasks.admin.ui.text.humanize import duration_text, percent_text, percentage, short_duration_text
from django_scheduled_tasks.models import Presence, PresenceKind
from django_scheduled_tasks.services.installation.condition import Note
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION, VIEW_TASK, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.queries.health import workers
from django_scheduled_tasks.services.queries.health.snapshot import Snapshot
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.scheduling.presence import seen_as_web
from django_scheduled_tasks.store.open import Open
from django_scheduled_tasks.translation import say_number

SHOWN_OF_KEY = 8


@admin.register(Presence)
class WorkersAdmin(ScreenAdmin):
    """One page for all who may see tasks. There is nothing to add, change or delete."""

    def get_urls(self) -> list[URLPattern]:
        """Return the address of the page, the only one, and that of the health line of all pages."""
        return [
            self.page_path("", self.changelist_view, "changelist"),
            self.part_path("line/", self.line_view, "line"),
        ]

    def has_view_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Whether the user may see the list of tasks."""
        return may(request.user, VIEW_TASK)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Return False."""
        return False

    @method_decorator(require_safe)
    def line_view(self, request: HttpRequest) -> HttpResponse:
        """Return the health line as it is now, for a page that is open for long."""
        return HttpResponse(health_of(request, self.admin_site).line())

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show who is there, or with ``?gone=1`` who went within a day."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        seen_as_web()
        health = health_of(request, self.admin_site)
        shown, is_gone = _Page(self, request, health.found), "gone" in request.GET
        there = [workers.are_there(health.found, kind) for kind in (PresenceKind.WORKER, PresenceKind.SCHEDULER)]
        gone = workers.are_gone(health.found)
        chips = [
            ("?", _("Present"), sum(map(len, there)), not is_gone),
            ("?gone=1", _("Gone in 24 h"), len(gone), is_gone),
        ]
        context = {"gone": list(shown.gone(gone))} if is_gone else shown.present(*there)
        return self.page(
            request,
            "presence/workers.html",
            title=_("Workers"),
            original=chips[is_gone][1],
            chips=chips,
            is_gone=is_gone,
            zone=zone_name(),
            note=_note_but_releases(health),
            **(context | (extra_context or {})),
        )


def _note_but_releases(health: Health) -> SafeString:
    """Return the note; that two releases run stands on this page in more words."""
    is_other = health.shown is not None and health.shown.kind != Note.RELEASES
    return health.note() if is_other else SafeString("")


class _Page:
    """What the tables show."""

    def __init__(self, model_admin: ScreenAdmin, request: HttpRequest, found: Snapshot) -> None:
        self._site, self._request, self._found = model_admin.admin_site, request, found
        self._links = may(request.user, VIEW_EXECUTION)
        self._usual: dict[UUID, timedelta | None] = {}

    def present(self, there: Sequence[workers.Worker], schedulers: Sequence[workers.Worker]) -> dict[str, Any]:
        """Return the context of those who are there."""
        tasks = {one.task_id for one in self._found.running if one.task_id is not None}
        self._usual = overview.usual_durations(sorted(tasks))
        return {
            "releases": self._found.releases.sentence,
            "only": list(self._only()),
            "broker_is_well": self._found.condition.broker_is_well,
            "queues": [self._queue(queue) for queue in workers.queues_of(self._found)],
            "workers": [self._worker(row) for row in there],
            "strays": [self._running(one, with_host=True) for one in workers.strays(self._found)],
            "schedulers": [self._worker(row) for row in schedulers],
            "clocks": list(self._clocks()),
        }

    def gone(self, rows: Sequence[tuple[str, workers.Worker]]) -> Iterator[dict[str, Any]]:
        """Yield the rows of those who went."""
        words = {PresenceKind.SCHEDULER: _("Scheduler"), PresenceKind.WORKER: _("Worker")}
        for kind, row in rows:
            yield {"kind": words[PresenceKind(kind)], "end": self._end(row), **self._worker(row)}

    def _end(self, row: workers.Worker) -> SafeString:
        """Return how one that is gone went, and what became of what it ran."""
        if row.ended_at is not None:
            text, at = _("Ended in good order, {instant}"), row.ended_at
        else:
            text, at = _("Not seen since {instant}"), row.seen_at
        said = format_html(text, instant=instant(at, seconds=True, now=self._found.now))
        return format_html_join("; ", "{}", ((one,) for one in (said, *_lost(row))))

    def _clocks(self) -> Iterator[tuple[str, bool]]:
        """Yield what there is to say of clocks, and whether it is well."""
        found = workers.clocks(self._found)
        for host, behind in found.apart:
            text = (
                _("%(host)s's clock is %(duration)s behind the database.")
                if behind > timedelta(0)
                else _("%(host)s's clock is %(duration)s ahead of the database.")
            )
            yield text % {"host": host, "duration": short_duration_text(abs(behind))}, False
        if not found.apart and found.most is not None:
            milliseconds = max(math.ceil(found.most / timedelta(milliseconds=1)), 1)
            yield _("Clocks agree within %(count)s ms.") % {"count": say_number(milliseconds)}, True

    def _only(self) -> Iterator[str]:
        for one in workers.only_there(self._found):
            named = [f"{name} ({_tasks(count)})" if count else name for name, count in one.functions]
            functions = ", ".join(named)
            if one.more:
                functions = _("%(names)s and %(count)s more") % {"names": functions, "count": one.more}
            yield _("Only %(release)s knows %(functions)s.") % {"release": one.release, "functions": functions}

    def _queue(self, queue: workers.QueueState) -> dict[str, Any]:
        found = self._found
        held = ngettext("%(count)s held", "%(count)s held", queue.held) % {"count": say_number(queue.held)}
        lately = ""
        if queue.longest_wait is not None:
            text = ngettext(
                "%(count)s started, it waited %(duration)s",
                "%(count)s started, longest wait %(duration)s",
                queue.started,
            )
            count = f"{say_number(queue.started)}{'+' if queue.started >= workers.MOST_STARTED else ''}"
            lately = text % {"count": count, "duration": short_duration_text(queue.longest_wait)}
        elif not queue.is_used:
            lately = _("no task uses it")
        return {
            "name": queue_name(queue.name),
            "waiting": say_number(queue.waiting),
            "held": held if queue.held else "",
            "oldest": short_duration_text(found.now - queue.since) if queue.since is not None else "—",
            "running": _("%(count)s of %(all)s") % {"count": say_number(queue.running), "all": say_number(queue.there)}
            if queue.there
            else say_number(queue.running),
            "takers": _takers(queue),
            "takes_nothing": any(one.name == queue.name and one.ending for one in found.condition.queues),
            "is_urgent": any(one.name == queue.name and not one.is_well for one in found.condition.queues),
            "lately": lately,
        }

    def _worker(self, row: workers.Worker) -> dict[str, Any]:
        found, now = self._found, self._found.now
        return {
            "host": row.host,
            "pid": str(row.pid) if row.pid is not None else "",
            "processes": _processes(row.processes) if row.processes else "",
            "free": _free(row) if row.processes and row.ending_at is None else "",
            "is_ending": row.ending_at is not None,
            "release": self._release(row.release),
            "is_newest": found.releases.are_mixed and row.release == found.releases.all[-1].key,
            "queues": ", ".join(map(queue_name, row.queues)),
            "work": [self._running(one) for one in row.work],
            "since": instant(row.started_at, now=now),
            "for": short_duration_text(now - row.started_at),
            "seen": distance(row.seen_at, now),
            "seen_at": instant(row.seen_at, seconds=True, now=now),
        }

    def _release(self, key: str) -> str:
        named = next((one.name for one in self._found.releases.all if one.key == key), "")
        release = live.releases([key]).get(key) if key and not named else None
        return named or (release.name if release is not None else "") or key[:SHOWN_OF_KEY] or "—"

    def _running(self, one: Open, *, with_host: bool = False) -> SafeString:
        """Return an execution, how far it is and for how long it runs."""
        row = one.execution
        name = f"{row.task_name} #{row.pk}"
        done = percentage(row.progress_current, row.progress_total)
        texts = [percent_text(done)] if done is not None else []
        if row.started_at is not None:
            texts.append(duration_text(self._found.now - row.started_at))
        usual = self._usual.get(one.task_id) if one.task_id is not None else None
        if usual is not None:
            texts.append(_("usually %(duration)s") % {"duration": duration_text(usual)})
        if row.worker_pid:
            texts.append(_("process %(number)s") % {"number": row.worker_pid})
        link = execution_link(self._site, row.pk, name) if self._links else format_html("{}", name)
        where = format_html("{}: ", row.worker_host) if with_host else ""
        return format_html("{}{} {}", where, link, ", ".join(texts))


def _processes(count: int) -> str:
    return ngettext("%(count)s process", "%(count)s processes", count) % {"count": say_number(count)}


def _free(row: workers.Worker) -> str:
    return ngettext("%(count)s process free", "%(count)s processes free", row.free) % {"count": say_number(row.free)}


def _takers(queue: workers.QueueState) -> str:
    """Return who takes from a queue: how many processes on how many hosts, or else the hosts."""
    if not queue.processes:
        return ", ".join(queue.hosts)
    hosts = queue.hosts[0] if len(queue.hosts) == 1 else _hosts(len(queue.hosts))
    return _("%(processes)s on %(hosts)s") % {"processes": _processes(queue.processes), "hosts": hosts}


def _hosts(count: int) -> str:
    return ngettext("%(count)s host", "%(count)s hosts", count) % {"count": say_number(count)}


def _lost(row: workers.Worker) -> Iterator[str]:
    """Yield what became of the executions that a worker lost."""
    for host, count in sorted(row.lost.items()):
        values = {"count": say_number(count), "host": host}
        if host:
            text = ngettext(
                "its %(count)s execution was given to %(host)s",
                "%(count)s of its executions were given to %(host)s",
                count,
            )
        else:
            text = ngettext("its %(count)s execution was lost", "%(count)s of its executions were lost", count)
        yield text % values


def _tasks(count: int) -> str:
    return ngettext("%(count)s task", "%(count)s tasks", count) % {"count": say_number(count)}
