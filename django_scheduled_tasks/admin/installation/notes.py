"""The notes about the installation: what is wrong, in one bold sentence, what follows from it, and its cure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import datetime

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.alerts.words import short_sentence
from django_scheduled_tasks.admin.installation.shown import (
    Action,
    Paragraph,
    ShownNote,
    adoption_text,
    headline,
    others,
    queue_name,
    waiting_text,
    workers_url,
)
from django_scheduled_tasks.admin.tasks.acts.hold import hold_page, tasks_text, what_is_held
from django_scheduled_tasks.admin.ui.html import distance, instant_text, link, page_url, task_url
from django_scheduled_tasks.admin.ui.text.humanize import short_duration_text
from django_scheduled_tasks.models import Alert, Hold
from django_scheduled_tasks.services.adoption import waiting_here
from django_scheduled_tasks.services.alerts.visible import MOST_WANTING
from django_scheduled_tasks.services.installation.condition import Note, Part, Seen
from django_scheduled_tasks.services.installation.words import clock_text, moved, why
from django_scheduled_tasks.services.permissions import ADOPT, CHANGE_HOLD, VIEW_TASK, may
from django_scheduled_tasks.services.queries.health.snapshot import Snapshot
from django_scheduled_tasks.translation import say_number

FOLDED = "dst_copy_folded"
"""The key of the session in which it says which copy's note is folded."""
MOST_HOLDS = 3
"""Of so many holds a note says what they hold."""
BOTH, SCHEDULER, CLUSTER = "runscheduler --with-cluster", "runscheduler", "qcluster"


class Notes:
    """Writes the worst note for one page.

    Args:
        request: Whose user sees it.
        site: Where its links lead.
        found: How the installation is.
        alerts: Those that want attention, as far as the user may see them; those about the installation first.
        counts_tasks: Whether a hold of a tag or queue says how many tasks it is for, for a statement each.
    """

    def __init__(
        self,
        request: HttpRequest,
        site: AdminSite,
        found: Snapshot,
        *,
        alerts: Sequence[Alert] = (),
        counts_tasks: bool = False,
    ) -> None:
        self._request, self._site, self._found, self._counts_tasks = request, site, found, counts_tasks
        self._condition, self._alerts = found.condition, alerts

    def worst(self) -> ShownNote | None:
        """Return the worst one; None if nothing is to be said."""
        texts: dict[Note, Callable[[], list[Paragraph]]] = {
            Note.COPY: self._copy,
            Note.HELD: self._held,
            Note.CLOCK: self._clock,
            Note.NOT_STARTED: self._not_started,
            Note.SCHEDULER: self._scheduler,
            Note.BROKER: self._broker,
            Note.WORKER: self._worker,
            Note.QUEUE: self._queue,
            Note.MOVED: self._moved,
            Note.RELEASES: self._releases,
            Note.ALERTS: self._of_alerts,
        }
        kind = self._condition.note or (Note.ALERTS if self._alerts else None)
        return ShownNote(kind, self._and_more(kind, texts[kind]())) if kind is not None else None

    # --- alerts

    def _of_alerts(self) -> list[Paragraph]:
        """Return what the first alert says, and of those for tasks how many there are."""
        first, count = self._alerts[0], len(self._alerts)
        url = self._alerts_url()
        actions = [Action(_("Show alerts"), url)] if url else []
        if not first.task_name:
            return [Paragraph(format_html("<strong>{}</strong>", short_sentence(first)), actions)]
        text = ngettext("%(count)s alert for a task is open.", "%(count)s alerts for tasks are open.", count)
        shown = f"{count}+" if count >= MOST_WANTING else count
        bold = format_html("<strong>{}</strong>", text % {"count": shown})
        return [Paragraph(_joined(bold, short_sentence(first)), actions)]

    def _and_more(self, kind: Note, said: list[Paragraph]) -> list[Paragraph]:
        """End the note with how many alerts it does not speak of."""
        more = len(others(kind, self._alerts))
        if not more or not said:
            return said
        text = ngettext("%(count)s more alert", "%(count)s more alerts", more)
        shown = f"{more}+" if len(self._alerts) >= MOST_WANTING else more
        *before, last = said
        shown_link = link(self._alerts_url(), text % {"count": shown})
        return [*before, Paragraph(format_html("{} · {}", last.text, shown_link), last.actions)]

    def _alerts_url(self) -> str:
        return page_url(self._site, "alert_changelist")

    # --- what holds

    def _copy(self) -> list[Paragraph]:
        place, request = self._found.place, self._request
        first = format_html("<strong>{}</strong>", headline(place))
        actions = (
            [Action(_("This is its new home…"), task_url(self._site, "adopt"))] if may(request.user, ADOPT) else []
        )
        ask = "" if actions else _("Ask somebody who may adopt an installation.")
        if request.session.get(FOLDED) == place.copy_key:
            return [Paragraph(_joined(first, ask), actions)]
        waiting = waiting_here()
        waits = ngettext(
            "%(count)s execution that was waiting never starts here by itself.",
            "%(count)s executions that were waiting never start here by themselves.",
            waiting,
        ) % {"count": waiting}
        text = _joined(
            first,
            why(place),
            adoption_text(place, self._found.now),
            waits if waiting else "",
            _("Run once works after a question."),
            ask,
        )
        return [
            Paragraph(text, [*actions, Action(_("Leave it held"), task_url(self._site, "leave_held"), is_post=True)])
        ]

    def _held(self) -> list[Paragraph]:
        holds = self._found.wide_holds
        shown = [self.hold(hold) for hold in holds[:MOST_HOLDS]]
        if more := len(holds) - len(shown):
            text = ngettext("%(count)s more hold lasts.", "%(count)s more holds last.", more) % {"count": more}
            shown.append(Paragraph(format_html("{}", text)))
        return shown

    def hold(self, hold: Hold) -> Paragraph:
        """Return who holds what, since when, why, until when, and what still runs."""
        now, user = self._found.now, self._request.user
        since, who = instant_text(hold.starts_at, now=now), hold.created_by
        by = _("by %(user)s since %(since)s") if who else _("since %(since)s")
        until: SafeString | str = _("until somebody releases it")
        if hold.until is not None:
            values = {"instant": instant_text(hold.until, now=now)}
            until = format_html("{} ({})", _("until %(instant)s") % values, distance(hold.until, now))
        running = self._found.running_despite(hold)
        still = ngettext("%(count)s execution still runs.", "%(count)s executions still run.", running)
        reason = f"“{hold.reason}”, " if may(user, VIEW_TASK) else ""
        tasks = tasks_text(hold) if self._counts_tasks else ""
        text = format_html(
            "<strong>{}</strong> {}: {}{}{}. {}",
            what_is_held(hold),
            by % {"user": who, "since": since},
            reason,
            until,
            f", {tasks}" if tasks else "",
            _joined(
                _("Nothing new starts."),
                still % {"count": running} if running else "",
                _("At the end, what was due is caught up as after a downtime."),
            ),
        )
        pages = [(_("Change…"), "change_hold"), (_("Release now…"), "release_hold")]
        actions = [Action(label, hold_page(self._site, page, hold.pk)) for label, page in pages]
        return Paragraph(text, actions if may(user, CHANGE_HOLD) else ())

    def _clock(self) -> list[Paragraph]:
        return self._one(clock_text(self._condition.behind), _("Whatever is due starts by so much later."), "")

    # --- what does not answer

    def _not_started(self) -> list[Paragraph]:
        return self._one(_("Not started yet."), "", BOTH)

    def _scheduler(self) -> list[Paragraph]:
        found = self._condition
        if not found.workers.is_well:
            return self._one(
                _("Nothing starts: neither a scheduler nor a worker answers."), self._last(found.scheduler), BOTH
            )
        if found.unsent:
            unsent = ngettext(
                "%(count)s execution could not be sent to a worker, which only a scheduler tries again.",
                "%(count)s executions could not be sent to a worker, which only a scheduler tries again.",
                found.unsent,
            )
            first = _("Nothing starts by schedule.")
            return self._one(first, _joined(unsent % {"count": found.unsent}, self._last(found.scheduler)), SCHEDULER)
        first = _("Nothing starts by schedule; Run once works.")
        return self._one(first, self._last(found.scheduler), SCHEDULER)

    def _broker(self) -> list[Paragraph]:
        text = _("The broker has not taken a message for %(duration)s.") % {
            "duration": self._for(self._condition.unsent_since)
        }
        return self._one(text, _("What runs goes on; nothing new reaches a worker."), "")

    def _worker(self) -> list[Paragraph]:
        found = self._condition
        waits = waiting_text(found.waiting, self._for(found.waiting_since)) if found.waiting else ""
        return self._one(
            _("Nothing starts, not by Run once either."), _joined(waits, self._last(found.workers)), CLUSTER
        )

    def _queue(self) -> list[Paragraph]:
        queue = self._condition.worst_queue
        if queue is None:  # then there is no such note
            return []
        values = {
            "queue": queue_name(queue.name),
            "count": say_number(queue.waiting),
            "duration": self._for(queue.since),
        }
        if not queue.has_taker:
            text = ngettext(
                "Queue “%(queue)s”: no worker takes its %(count)s execution, which waits for %(duration)s.",
                "Queue “%(queue)s”: no worker takes its %(count)s executions, the oldest for %(duration)s.",
                queue.waiting,
            )
            # People copy it into a shell; the name is a text of whoever may change tasks.
            name = shlex.quote(queue.name)
            command = f"Q_CLUSTER_NAME={name} python manage.py qcluster" if queue.name else CLUSTER
            return self._one(text % values, " ".join(map(self._ends, queue.ending)), command)
        text = ngettext(
            "Queue “%(queue)s”: %(count)s execution has waited for %(duration)s.",
            "Queue “%(queue)s”: %(count)s executions wait, the oldest for %(duration)s.",
            queue.waiting,
        )
        busy = sum(self._found.busy_hosts.get(host, 0) for host in queue.takers)
        runs = ngettext("Its workers run %(count)s execution.", "Its workers run %(count)s executions.", busy)
        return self._one(text % values, runs % {"count": busy}, "")

    def _ends(self, worker: Seen) -> str:
        values = {
            "host": worker.host,
            "instant": instant_text(worker.ending_at or self._found.now, now=self._found.now),
        }
        return _("%(host)s was asked to end at %(instant)s and takes nothing new.") % values

    # --- what is no trouble

    def _moved(self) -> list[Paragraph]:
        row = self._found.place.installation
        actions = [
            Action(_("It is a copy…"), task_url(self._site, "moved")),
            Action(_("It is the same"), task_url(self._site, "say_same"), is_post=True),
        ]
        text = format_html("{}", moved(row) if row is not None else "")
        return [Paragraph(text, actions if may(self._request.user, ADOPT) else ())]

    def _releases(self) -> list[Paragraph]:
        return [Paragraph(_joined(self._found.releases.sentence, self._workers_link(before="· ")))]

    # --- parts

    def _one(self, first: str, rest: str, command: str) -> list[Paragraph]:
        """Return the paragraph that says *first* in bold, *rest*, the *command* that helps, and the page *Workers*."""
        shown = command if not command or command.startswith("Q_") else f"python manage.py {command}"
        code: SafeString | str = format_html("<code>{}</code>", shown) if shown else ""
        bold = format_html("<strong>{}</strong>", first)
        return [Paragraph(_joined(bold, rest, code, self._workers_link(before="· " if code else "")))]

    def _workers_link(self, *, before: str) -> SafeString | str:
        url = workers_url(self._site)
        if not url or not may(self._request.user, VIEW_TASK) or self._request.path == url:
            return ""
        return format_html('{}<a href="{}">{}</a>', before, url, _("Workers"))

    def _last(self, part: Part) -> str:
        if part.last is None:
            return ""
        values = {"host": part.last.host, "instant": instant_text(part.last.seen_at, now=self._found.now)}
        return _("%(host)s was last seen %(instant)s.") % values

    def _for(self, since: datetime | None) -> str:
        return short_duration_text(self._found.now - since) if since is not None else ""


def _joined(*parts: SafeString | str) -> SafeString:
    return format_html_join(" ", "{}", ((part,) for part in parts if part))
