"""Resume tasks, and ask what becomes of the runs that were due meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.tasks.acts.pause import TaskPauseMixin
from django_scheduled_tasks.admin.tasks.acts.reasons import pause_text
from django_scheduled_tasks.admin.tasks.page.compare import task_zone
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.dialogs import ResumeForm
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import task_url
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Overlap, Replay
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.permissions import RUN_TASK, may, requiring
from django_scheduled_tasks.services.queries.overview import usual_durations
from django_scheduled_tasks.services.queries.upcoming import occurrences_ahead
from django_scheduled_tasks.services.starting.resume import Meanwhile, due_meanwhile, resume_task
from django_scheduled_tasks.services.tasks.standstill import resumed
from django_scheduled_tasks.translation import say_number

ASKED = "dst_asked"


@dataclass(frozen=True, slots=True)
class Paused:
    """A paused task of the page."""

    task: ScheduledTask
    why: str
    due: Meanwhile | None


class TaskResumeMixin(TaskPauseMixin):
    """The page and the action that resume."""

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def resume_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Resume one task; if something was due meanwhile, ask first."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_pause_permission)
        done = self._resume_or_ask(request, [row], title=_("Resume: %(task)s") % {"task": row.name})
        return done or HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))

    @admin.action(description=gettext_lazy("Resume selected…"), permissions=["pause"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> HttpResponse | None:
        """Resume each selected task; if something was due meanwhile, ask first."""
        rows = [row for row in queryset if self.has_pause_permission(request, row)]
        return self._resume_or_ask(request, rows, title=_("Resume tasks"), action="resume_selected")

    def _resume_or_ask(
        self, request: HttpRequest, rows: Sequence[ScheduledTask], *, title: str, action: str = ""
    ) -> HttpResponse | None:
        now, is_asked = read_now(), ASKED in request.POST
        paused = [Paused(row, pause_text(row, now), due_meanwhile(row, now=now)) for row in rows]
        form = ResumeForm(request.POST if is_asked else None)
        is_plain = request.method == "POST" and all(one.due is None for one in paused)
        if is_plain or (is_asked and form.is_valid()):
            found = form.cleaned_data if is_asked and form.is_valid() else {}
            replay = Replay(found.get("replay") or Replay.FROM_NOW)
            self._resume(request, [one.task for one in paused], replay, found.get("reason", ""))
            return None
        one = paused[0].task if len(paused) == 1 and not action else None
        may_run = all(may(request.user, RUN_TASK, item.task) for item in paused if item.due is not None)
        return self.page(
            request,
            "scheduledtask/resume.html",
            title=title,
            original=one,
            form=form,
            form_media=form.media,
            paused=[(item.task, _why(item, now), _told(item, now)) for item in paused],
            choices=list(_choices(paused, now, may_run=may_run)),
            action=action,
            checkbox=helpers.ACTION_CHECKBOX_NAME,
            cancel_url=task_url(self.admin_site, "change", one.pk) if one else task_url(self.admin_site, "changelist"),
        )

    def _resume(self, request: HttpRequest, rows: Sequence[ScheduledTask], replay: Replay, reason: str) -> None:
        count, now, user = 0, read_now(), signed_in(request)
        authorize: Any = requiring(request.user, RUN_TASK)
        for row in rows:
            if not row.is_paused(now):
                messages.info(request, _('"%(task)s" is not paused.') % {"task": row.name})
                continue
            try:
                resume_task(row, replay=replay, reason=reason, user=user, authorize=authorize)
            except ScheduledTasksError as exc:  # somebody has deleted it meanwhile, or it cannot run any more
                text = error_text(exc)
                messages.warning(request, text if row.name in text else f"{row.name}: {text}")
                continue
            self.log_change(request, row, _log_of_resume(row, now))
            count += 1
        if count:
            text = ngettext("Resumed %(count)s task.", "Resumed %(count)s tasks.", count)
            messages.success(request, text % {"count": count})


def _why(item: Paused, now: datetime) -> str:
    """Return since when a task is paused, by whom, and why."""
    if item.task.paused_at is None:
        return ""
    text = _("Paused %(since)s") % {"since": _instant(item.task, item.task.paused_at.replace(second=0), now)}
    return f"{text}, {item.why}." if item.why else f"{text}."


def _told(item: Paused, now: datetime) -> str:
    """Return how much was due of a task, and when."""
    if item.due is None:
        return _("Nothing was due meanwhile.")
    values = {
        "count": say_number(item.due.count),
        "first": _instant(item.task, item.due.first, now),
        "last": _instant(item.task, item.due.last, now),
        "zone": item.task.timezone,
    }
    if item.due.count == 1:
        return _("1 run was due meanwhile, %(last)s (%(zone)s).") % values
    return _("%(count)s runs were due meanwhile, the first on %(first)s, the latest %(last)s (%(zone)s).") % values


def _choices(paused: Sequence[Paused], now: datetime, *, may_run: bool) -> Iterator[dict[str, Any]]:
    """Yield what may become of the runs: value, label, help, and whether it can be chosen."""
    due = [item for item in paused if item.due is not None]
    total = sum(item.due.count for item in due if item.due is not None)
    yield {"value": Replay.FROM_NOW, "label": _("From now on"), "help": _help_from_now(due, total, now), "is_on": True}
    if not due or not may_run:
        return
    yield {"value": Replay.LATEST, "label": _("Run the latest"), "help": _help_latest(due, total, now), "is_on": True}
    is_too_much = any(item.due is not None and item.due.is_too_much for item in due)
    label = _("Replay all %(count)s") % {"count": say_number(total)}
    text = _("Too many to replay here: backfill with a range.") if is_too_much else _help_all(due)
    yield {"value": Replay.ALL, "label": label, "help": text, "is_on": not is_too_much}


def _help_from_now(due: Sequence[Paused], total: int, now: datetime) -> str:
    stay = ngettext("The one stays in the history.", "The %(count)s stay in the history.", total)
    text = stay % {"count": say_number(total)} if total else ""
    if len(due) == 1:
        task = due[0].task
        ahead = occurrences_ahead(resumed(task), count=1, now=now)
        following = _instant(task, ahead[0].at, now) if ahead else _("never")
        coming = _("Next: %(instant)s.") % {"instant": following}
        text = f"{coming} {text}"
    return text


def _help_latest(due: Sequence[Paused], total: int, now: datetime) -> str:
    rest = total - len(due)
    others = ngettext("the other one stays as paused.", "the other %(count)s stay as paused.", rest)
    end = others % {"count": say_number(rest)} if rest else ""
    if len(due) == 1 and due[0].due is not None:
        instant = _instant(due[0].task, due[0].due.last, now)
        begin = _("Starts the run of %(instant)s at once") % {"instant": instant}
    else:
        begin = _("Starts the latest run of each at once")
    return f"{begin}; {end}" if end else f"{begin}."


def _help_all(due: Sequence[Paused]) -> str:
    texts = [_("One after the other, oldest first, each with its own date.")]
    if len(due) > 1 or due[0].due is None:
        return texts[0]
    task = due[0].task
    usual = usual_durations([task.pk]).get(task.pk)
    if usual is not None:
        values = {"total": duration_text(usual * due[0].due.count), "usual": duration_text(usual)}
        texts.append(_("About %(total)s (usually %(usual)s each).") % values)
    until = {
        Overlap.SKIP: _("Until they are done, new ones are skipped."),
        Overlap.ALLOW: _("New ones start beside them."),
        Overlap.CANCEL_RUNNING: _("A new one that is due meanwhile stops them."),
    }
    texts.append(until.get(Overlap(task.overlap), _("Until they are done, new ones wait.")))
    return " ".join(texts)


def _instant(task: ScheduledTask, moment: datetime, now: datetime) -> str:
    """Return an instant in the zone of *task*: today 03:00, Sun 15 Nov 03:00."""
    zone = task_zone(task)
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    if local.date() == today:
        return _("today %(time)s") % {"time": clock}
    written = pgettext("date format", "D j M") if local.year == today.year else pgettext("date format", "D j M Y")
    return f"{date_format(local, written)} {clock}"


def _log_of_resume(row: ScheduledTask, now: datetime) -> str:
    """Return the note in the history, which keeps whose pause it was and why."""
    text, pause = _("Resumed."), pause_text(row, now)
    return f"{text} ({pause})" if pause else text
