"""Skip next: leave out runs that are ahead, with a reason, and take that back with a click."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_http_methods, require_POST

from django_scheduled_tasks.admin.tasks.acts.pause import TaskPauseMixin
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.dialogs import StyledForm
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import task_url
from django_scheduled_tasks.admin.ui.text.instants import InstantField
from django_scheduled_tasks.exceptions import InvalidSchedule, ScheduledTasksError
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.planner import INSTANT, occurrences_between
from django_scheduled_tasks.schedules import parse_timezone
from django_scheduled_tasks.services.queries.upcoming import occurrences_ahead
from django_scheduled_tasks.services.tasks.skips import Skipped, skip, skips_ahead, undo_skip
from django_scheduled_tasks.translation import say_number

OFFERED = 10
"""So many of the next runs can be ticked."""
_WEEK = 6
"""Days within which the name of the weekday says which one is meant."""


class SkipForm(StyledForm):
    """The form of Skip next: ticks for the next ten, or from and to; and why."""

    called = {"from": "start", "to": "end", "count": "at"}
    at = forms.MultipleChoiceField(label=gettext_lazy("Which?"), required=False, widget=forms.CheckboxSelectMultiple)
    start = InstantField(label=gettext_lazy("or all from"), required=False, widget=AdminSplitDateTime)
    end = InstantField(label=gettext_lazy("to"), required=False, widget=AdminSplitDateTime)
    reason = forms.CharField(
        label=gettext_lazy("Why? (shown on the list)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def __init__(self, *args: Any, ahead: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["at"]
        field.choices = ahead

    def clean(self) -> dict[str, Any]:
        """Ask for one of the two ways."""
        found: dict[str, Any] = super().clean() or {}
        is_range = bool(found.get("start") or found.get("end"))
        if not self.errors and bool(found.get("at")) == is_range:
            self.add_error(None, _("Tick some, or give a range.") if not is_range else _("Either ticks or a range."))
        return found

    def asked(self) -> dict[str, Any]:
        """Return what the service takes."""
        at = [datetime.fromisoformat(text) for text in self.cleaned_data["at"]]
        return {"at": at, **{name: self.cleaned_data[name] for name in ("start", "end", "reason")}}


class TaskSkipMixin(TaskPauseMixin):
    """The views that skip, and take that back."""

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def skip_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask which and why (GET), and skip them (POST)."""
        row, now = self.row_or_404(request, pk, self.has_pause_permission), read_now()
        ahead = [(iso_milliseconds(at), moment_text(at, row, now)) for at in _next_of(row, now)]
        form = SkipForm(request.POST if request.method == "POST" else None, ahead=ahead)
        if form.is_bound and form.is_valid():
            try:
                done = skip(row, **form.asked(), user=signed_in(request))
            except ScheduledTasksError as exc:
                form.show(exc)
            else:
                return self._skipped(request, row, done, form.cleaned_data["reason"], now)
        title = _("Skip runs of %(task)s") % {"task": row.name}
        return self.page(
            request,
            "scheduledtask/skip.html",
            title=title,
            original=row,
            form=form,
            form_media=form.media,
            zone=row.timezone,
            cancel_url=task_url(self.admin_site, "change", row.pk),
        )

    def _skipped(
        self, request: HttpRequest, row: ScheduledTask, done: Skipped, reason: str, now: datetime
    ) -> HttpResponse:
        text = ngettext("Skips %(count)s run: %(instants)s.", "Skips %(count)s runs: %(instants)s.", done.count)
        said = text % {"count": say_number(done.count), "instants": _listed(done, now)}
        self.log_change(request, row, f"{said} {reason}".strip())
        messages.success(request, format_html("{} {} {}", said, _next_text(done, now), self._undo(request, done)))
        return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))

    def _undo(self, request: HttpRequest, done: Skipped) -> SafeString:
        """Return a small form that takes all of it back."""
        hidden = [("csrfmiddlewaretoken", get_token(request)), *(("at", iso_milliseconds(at)) for at in done.instants)]
        return format_html(
            '<form class="dst-undo" method="post" action="{}">{}<button type="submit" class="dst-button">{}</button>'
            "</form>",
            task_url(self.admin_site, "undo_skip", done.task.pk),
            format_html_join("", '<input type="hidden" name="{}" value="{}">', hidden[: OFFERED + 1]),
            _("Undo skip"),
        )

    @method_decorator(require_POST)
    def undo_skip_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let what was to be skipped run again."""
        row, now = self.row_or_404(request, pk, self.has_pause_permission), read_now()
        count, done = 0, None
        for text in request.POST.getlist("at")[:OFFERED]:
            try:
                done = undo_skip(row, at=datetime.fromisoformat(text), user=signed_in(request))
            except (ScheduledTasksError, ValueError) as exc:
                if done is None:  # else an earlier one has taken back the range of both
                    said = error_text(exc) if isinstance(exc, ScheduledTasksError) else str(exc)
                    messages.warning(request, said)
                    break
            else:
                count += done.count
        if done is not None:
            text = ngettext("%(count)s run is not skipped.", "%(count)s runs are not skipped.", count)
            said = text % {"count": say_number(count)}
            self.log_change(request, row, said)
            messages.success(request, f"{said} {_next_text(done, now)}")
        return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))


# --- texts --------------------------------------------------------------------------------------------------------


def moment_text(moment: datetime, task: ScheduledTask, now: datetime) -> str:
    """Return an instant of *task* in its zone: Tue 03:00 within a week, else Mon 30 Nov 03:00."""
    local, today = moment.astimezone(_zone(task)), now.astimezone(_zone(task)).date()
    # Translators: format of a day with its weekday, as in Django's date filter.
    day = "D" if abs((local.date() - today).days) <= _WEEK else pgettext("date format", "D j M")
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{date_format(local, day)} {clock}"


def _zone(task: ScheduledTask) -> ZoneInfo:
    try:
        return parse_timezone(task.timezone)
    except InvalidSchedule:
        return ZoneInfo("UTC")


def skip_notes(task: ScheduledTask, now: datetime) -> list[dict[str, str]]:
    """Return what stands on the page of *task* about each of its skips that are ahead, with what undoes it."""
    if not task.skips:
        return []
    found = []
    for one in skips_ahead(task, now):
        first = moment_text(one.start, task, now)
        what = _("%(instant)s is skipped") % {"instant": first}
        if one.end != one.start:
            what = _("All from %(start)s to %(end)s is skipped") % {
                "start": first,
                "end": moment_text(one.end, task, now),
            }
        by = _("by %(user)s") % {"user": one.by} if one.by else ""
        why = f"{by}: “{one.reason}”." if one.reason else f"{by}."
        at = max(one.start, min(now, one.end))
        found.append({"what": what, "why": f" {why}" if by else why, "at": iso_milliseconds(at)})
    return found


def skipped_before(task: ScheduledTask, now: datetime) -> str:
    """Return what is skipped before the next run of *task*: Mon skipped, 3 skipped; empty if nothing is."""
    first, then = task.next_run_at, task.next_start_at
    if not task.skips or first is None or first == then:
        return ""
    until = max(one.end for one in task.asked_skips) if then is None else then - INSTANT
    try:
        found = occurrences_between(task.policy, after=first - INSTANT, until=until)
    except InvalidSchedule:
        return ""
    if found is not None and found.count > 1:
        return _("%(count)s skipped") % {"count": say_number(found.count)}
    local = first.astimezone(_zone(task))
    is_near = (local.date() - now.astimezone(_zone(task)).date()).days <= _WEEK
    day = date_format(local, "D" if is_near else pgettext("date format", "j M"))
    return _("%(day)s skipped") % {"day": day}


def _listed(done: Skipped, now: datetime) -> str:
    shown = [moment_text(at, done.task, now) for at in done.instants[:OFFERED]]
    return ", ".join([*shown, *(["…"] if done.count > OFFERED else [])])


def _next_text(done: Skipped, now: datetime) -> str:
    if done.next_start_at is None:
        return _("Nothing is due after that.")
    return _("The next is then %(instant)s.") % {"instant": moment_text(done.next_start_at, done.task, now)}


def _next_of(task: ScheduledTask, now: datetime) -> list[datetime]:
    try:
        return [one.scheduled_for for one in occurrences_ahead(task, count=OFFERED, now=now)]
    except InvalidSchedule:
        return []
