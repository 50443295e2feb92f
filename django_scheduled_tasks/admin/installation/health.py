"""The health line and the one note of a page: scheduler, workers, queues and broker, each in its own words."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db import DatabaseError
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.alerts.panel import SHOWN, panel_rows
from django_scheduled_tasks.admin.installation.notes import MOST_HOLDS, Notes
from django_scheduled_tasks.admin.installation.shown import SAID_BY, ShownNote, others, queue_name
from django_scheduled_tasks.admin.ui.base import TEMPLATES
from django_scheduled_tasks.admin.ui.html import distance, page_url, task_url, with_query
from django_scheduled_tasks.admin.ui.text.humanize import short_duration_text
from django_scheduled_tasks.models import Alert, Hold, write_transaction
from django_scheduled_tasks.services.alerts.visible import wanting
from django_scheduled_tasks.services.installation.condition import Note, Part
from django_scheduled_tasks.services.permissions import ADOPT, VIEW_ALERT, VIEW_EXECUTION, VIEW_TASK, may
from django_scheduled_tasks.services.queries.health.attention import Attention, needing_attention
from django_scheduled_tasks.services.queries.health.snapshot import Snapshot, take_snapshot
from django_scheduled_tasks.services.queries.overview import State, last_run
from django_scheduled_tasks.translation import say_number

logger = logging.getLogger(__name__)

SEEN_STEP = 15
"""Seconds; that a scheduler is still seen is sent to an open page at most this often."""
LINE_EVERY = 30
"""Seconds after which a page without live parts asks for the line again, whose "seen 3 s ago" grows old."""
_LEVELS = {"bad": messages.ERROR, "warn": messages.WARNING, "": messages.INFO}
_ATTRIBUTE = "dst_health"
_TOLD_APART = "dst_told_apart"
"""The key of the session in which it says that django-q2's list has been told from ours."""


class Health:
    """How the installation is, for one page; nothing is asked before something is drawn.

    Args:
        request: Of the page.
        site: Where links lead.
    """

    counts_tasks = False
    """Whether the note about a hold says how many tasks it is for."""

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        self._request, self._site = request, site

    @cached_property
    def found(self) -> Snapshot:
        """What was found; two statements, and one more every few seconds."""
        return take_snapshot()

    @cached_property
    def alerts(self) -> list[Alert]:
        """The alerts that want attention, as far as the user may see them; one statement."""
        return wanting(self._request.user)

    @cached_property
    def shown(self) -> ShownNote | None:
        """The worst note."""
        return self._notes(self.alerts).worst()

    def _notes(self, alerts: Sequence[Alert]) -> Notes:
        return Notes(self._request, self._site, self.found, alerts=alerts, counts_tasks=self.counts_tasks)

    def note_beside_alerts(self, *, in_form: bool = False) -> SafeString:
        """Return the note for the page of alerts: none about alerts, nor one that the rows of that page repeat."""
        kind = self.found.condition.note
        if kind is None or any(alert.kind in SAID_BY.get(kind, ()) for alert in self.alerts):
            return SafeString("")
        return self._drawn(self._notes([]).worst(), in_form=in_form)

    def note(self, *, in_form: bool = False) -> SafeString:
        """Return the note as HTML; empty if nothing is to be said.

        Args:
            in_form: Whether it stands inside a form, so that its buttons need not be in one of their own.
        """
        return self._drawn(self.shown, in_form=in_form)

    def _drawn(self, note: ShownNote | None, *, in_form: bool) -> SafeString:
        context = {"note": note, "in_form": in_form, "csrf_token": get_token(self._request)}
        return render_to_string(f"{TEMPLATES}/note.html", context) if note is not None else SafeString("")

    def tells_of(self, hold: Hold) -> bool:
        """Whether the note is about *hold*."""
        is_held = self.shown is not None and self.shown.kind == Note.HELD
        return is_held and hold in self.found.wide_holds[:MOST_HOLDS]

    def of_holds(self, holds: Iterable[Hold]) -> SafeString:
        """Return the notes about *holds* as HTML, for the inside of a form."""
        notes = Notes(self._request, self._site, self.found)
        shown = ShownNote(Note.HELD, [notes.hold(hold) for hold in holds])
        return render_to_string(f"{TEMPLATES}/note.html", {"note": shown, "in_form": True})

    def line(self) -> SafeString:
        """Return the health line."""
        return format_html_join(
            "",
            '<span class="dst-part"><span class="dst-light dst-{}"></span>{}</span>',
            (("ok" if is_well else "warn", text) for is_well, text in self.parts()),
        )

    def line_again(self) -> dict[str, Any]:
        """Return where, and after how many seconds, an open page asks for the line again; no address if it may not."""
        is_shown = may(self._request.user, VIEW_TASK)
        return {"line_url": is_shown and page_url(self._site, "presence_line"), "line_every": LINE_EVERY}

    def tell(self) -> None:
        """Say the same as a message of Django's, for pages whose templates are not ours.

        These pages are the whole project's: where our tables are missing, or older than the code, nothing is said.
        """
        user = self._request.user
        if not any(may(user, permission) for permission in (VIEW_TASK, VIEW_EXECUTION, VIEW_ALERT, ADOPT)):
            return
        try:
            with write_transaction():
                self._tell()
        except DatabaseError as exc:
            logger.warning("The index of the admin does not say how the installation is: %s", exc)

    def _tell(self) -> None:
        line = format_html_join(" · ", "{}", ((text,) for _is_well, text in self.parts()))
        found = needing_attention(self._request.user, self.alerts, SHOWN)
        apart = self._apart_from_django_q()
        if self.shown is None and not found.alerts:
            level = messages.SUCCESS
            text = format_html("{}: {} {} {}", _("Scheduled tasks"), self._all_is_well(), line, apart)
        else:
            note = self.shown
            level = _LEVELS[note.tone] if note is not None else messages.WARNING
            if note is not None and note.kind == Note.ALERTS:  # the panel says it, and more
                note = None
            context = {"note": note, "csrf_token": get_token(self._request), "line": line, "apart": apart}
            text = render_to_string(f"{TEMPLATES}/told.html", context | {"panel": self._panel(found)})
        messages.add_message(self._request, level, text)

    def _panel(self, found: Attention) -> dict[str, Any]:
        """Return the context of the panel: the first rows, and where all of them are."""
        rows = panel_rows(found.alerts, self._site, self.found.now)
        is_of_tasks = found.tasks and all(alert.task_name for alert in self.alerts)
        url = with_query(task_url(self._site, "changelist"), state=str(State.NEEDS_ATTENTION)) if is_of_tasks else ""
        if url:
            return {"rows": rows, "count": found.tasks, "all_url": url}
        return {"rows": rows, "count": len(self.alerts), "all_url": page_url(self._site, "alert_changelist")}

    def _apart_from_django_q(self) -> str:
        """Return, once in a session, that the list of django-q2 of the same name is another one; else nothing."""
        is_there = any(model._meta.label == "django_q.Schedule" for model in self._site._registry)
        if not is_there or self._request.session.get(_TOLD_APART):
            return ""
        self._request.session[_TOLD_APART] = True
        return _("“Scheduled tasks” under Django Q are another list; ours is this one.")

    def _all_is_well(self) -> SafeString | str:
        """Return that nothing wants attention, to who would see it, and what ran last; one statement."""
        user = self._request.user
        if not may(user, VIEW_ALERT):
            return ""
        row = last_run() if may(user, VIEW_EXECUTION) else None
        if row is None or row.started_at is None:
            return _("All is well.")
        ago = distance(row.started_at, self.found.now)
        return format_html(_("All is well. Last run: {task}, {ago}."), task=row.task_name, ago=ago)

    # --- the parts of the line

    def parts(self) -> Iterator[tuple[bool, SafeString | str]]:
        """Yield whether each part is well, and its words."""
        found = self.found.condition
        if found.is_copy:
            yield False, _("Scheduler holds: copy")
        else:
            yield found.scheduler.is_well, self._scheduler(found.scheduler)
            if found.workers.is_known:
                yield found.workers.is_well, self._workers(found.workers)
        yield self._queues()
        if not found.broker_is_well:
            yield False, _("Broker does not answer")

    def _scheduler(self, part: Part) -> SafeString | str:
        now = self.found.now
        if part.last is None:
            return _("No scheduler has been seen")
        if not part.alive:
            ago = short_duration_text(now - part.last.seen_at)
            return _("Scheduler not seen for %(duration)s") % {"duration": ago}
        if len(part.alive) > 1:
            count = len(part.alive)
            return ngettext("%(count)s scheduler answers", "%(count)s schedulers answer", count) % {"count": count}
        return format_html(_("Scheduler seen {ago}"), ago=distance(part.last.seen_at, now))

    def _workers(self, part: Part) -> str:
        if not part.alive:
            return _("No worker answers")
        text = ngettext("%(count)s worker answers", "%(count)s workers answer", part.hosts) % {"count": part.hosts}
        busy = len({one.host for one in part.alive} & self.found.busy_hosts.keys())
        return text if not busy else _("%(workers)s, %(count)s busy") % {"workers": text, "count": busy}

    def _queues(self) -> tuple[bool, str]:
        found, held = self.found.condition, len(self.found.held_back)
        queue = found.worst_queue
        if queue is not None and not queue.has_taker:
            return False, _("Queue %(queue)s: no worker") % {"queue": queue_name(queue.name)}
        if queue is not None:
            waits = _waits(queue.waiting) % {"count": say_number(queue.waiting)}
            return False, _("Queue %(queue)s: %(waiting)s") % {"queue": queue_name(queue.name), "waiting": waits}
        texts = []
        if (count := found.waiting) and found.waiting_since is not None:
            texts.append(_waits(count) % {"count": say_number(count)})
            texts.append(_("oldest %(duration)s") % {"duration": short_duration_text(found.now - found.waiting_since)})
        if held:
            texts.append(ngettext("%(count)s held", "%(count)s held", held) % {"count": say_number(held)})
        return all(queue.is_well for queue in found.queues), ", ".join(texts) or _("Queues empty")

    # --- what has changed

    def version(self) -> tuple[Any, ...]:
        """Return the values that the line depends on, apart from the time."""
        found = self.found.condition
        last = found.scheduler.last
        step = int(last.seen_at.timestamp()) // SEEN_STEP if last is not None and found.scheduler.alive else None
        parts = (len(found.scheduler.alive), found.workers.hosts, tuple(sorted(self.found.busy_hosts)))
        return (step, *parts, found.queues, len(self.found.held_back), found.broker_is_well)

    def note_version(self) -> tuple[Any, ...]:
        """Return the values that the note depends on, apart from the time."""
        if self.shown is None:
            return ()
        found = self.found.condition
        alerts = (len(others(self.shown.kind, self.alerts)), *((one.pk, one.count) for one in self.alerts[:1]))
        queue = found.worst_queue
        holds = [(hold.pk, hold.reason, hold.until, self.found.running_despite(hold)) for hold in self.found.wide_holds]
        of_kind = {Note.HELD: holds, Note.QUEUE: queue and (queue.name, queue.waiting), Note.WORKER: found.waiting}
        return (self.shown.kind, of_kind.get(self.shown.kind), *alerts)


def health_of(request: HttpRequest, site: AdminSite) -> Health:
    """Return how the installation is; one object for all parts of a page."""
    found = getattr(request, _ATTRIBUTE, None)
    if found is None:
        found = Health(request, site)
        setattr(request, _ATTRIBUTE, found)
    return found


def health_on(request: HttpRequest | None) -> Health | None:
    """Return that of a page whose admin site has made one; None on any other page."""
    return getattr(request, _ATTRIBUTE, None)


def _waits(count: int) -> str:
    return ngettext("%(count)s waits", "%(count)s wait", count)
