"""What people do with alerts in the admin: acknowledge, take that back, silence, end the silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from django_scheduled_tasks.admin.alerts.words import next_morning
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.dialogs import StyledForm
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import near_text, page_url
from django_scheduled_tasks.admin.ui.text.instants import InstantField
from django_scheduled_tasks.exceptions import AlertNotFound, ScheduledTasksError
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import Alert, read_now, write_alias
from django_scheduled_tasks.services.alerts import edit, visible
from django_scheduled_tasks.services.alerts.telling import wording
from django_scheduled_tasks.services.permissions import CHANGE_ALERT, may

MOST_AT_ONCE = 200
HOUR = timedelta(hours=1)


class SilenceForm(StyledForm):
    """Asks until when, and why."""

    until = forms.ChoiceField(label=gettext_lazy("Until?"), widget=forms.RadioSelect, initial="hour")
    at = InstantField(label=gettext_lazy("Date"), required=False, widget=AdminSplitDateTime)
    reason = forms.CharField(
        label=gettext_lazy("Why? (shown on the list)"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        self._now = now
        self._instants = {"hour": now + HOUR, "morning": next_morning(now), "monday": next_morning(now, weekday=0)}
        super().__init__(*args, **kwargs)
        field: Any = self.fields["until"]
        until = _("until %(instant)s")
        field.choices = [
            ("hour", _("1 hour")),
            ("morning", until % {"instant": near_text(self._instants["morning"], now)}),
            ("monday", until % {"instant": near_text(self._instants["monday"], now)}),
            ("at", _("A date")),
        ]

    def clean(self) -> dict[str, Any]:
        """Require a date that is chosen, later than now."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("until") == "at" and "at" not in self.errors:
            if found.get("at") is None:
                self.add_error("at", _("Which date?"))
            elif found["at"] <= self._now:
                self.add_error("at", _("This is in the past."))
        return found

    def instant(self) -> datetime:
        """Return until when."""
        chosen = self.cleaned_data["until"]
        found: datetime = self.cleaned_data["at"] if chosen == "at" else self._instants[chosen]
        return found


class CommentForm(StyledForm):
    """Asks what there is to say."""

    comment = forms.CharField(
        label=gettext_lazy("Comment (shown on the list)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class AlertActsMixin(ScreenAdmin):
    """The views that change alerts; each asks for the permission on its alert."""

    def has_know_permission(self, request: HttpRequest, row: Alert | None = None) -> bool:
        """Whether the user may acknowledge and silence alerts, or this one."""
        return may(request.user, CHANGE_ALERT, row) and (row is None or visible.may_see(request.user, row))

    def _alert(self, request: HttpRequest, number: int) -> Alert:
        """Return the alert if the user may change it.

        Raises:
            Http404: There is none.
            PermissionDenied: The user may not.
        """
        try:
            row = edit.get_alert(number)
        except AlertNotFound:
            raise Http404 from None
        if not self.has_know_permission(request, row):
            raise PermissionDenied
        return row

    @method_decorator(require_POST)
    def acknowledge_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Say that somebody knows of it, at once; the message takes it back."""
        row = self._alert(request, number)
        if self._try(request, lambda: edit.acknowledge(row, user=signed_in(request))):
            self.log_change(request, row, _("Acknowledged."))
            text = " ".join([_("Acknowledged."), _("No more reminders.")])
            url = page_url(self.admin_site, "alert_comment", row.pk)
            link = format_html(' <a href="{}{}">{}</a>', url, _query(request), _("Comment…")) if url else ""
            messages.success(request, format_html("{}{}", self._with_undo(request, text, [row]), link))
        return self._back(request)

    @method_decorator(require_POST)
    def acknowledge_all_view(self, request: HttpRequest) -> HttpResponse:
        """Say that somebody knows of all open alerts of a task."""
        task = as_uuid(request.POST.get("task", ""))
        rows = Alert.objects.using(write_alias()).select_related("task").filter(visible.is_new(), task=task)
        rows = rows if task is not None else rows.none()
        own = [row for row in rows.order_by("-id")[:MOST_AT_ONCE] if self.has_know_permission(request, row)]
        if not own:
            if not self.has_know_permission(request):
                raise PermissionDenied
            messages.info(request, _("All of them were acknowledged already."))
            return self._back(request)
        done = [
            row for row in own if self._try(request, lambda row=row: edit.acknowledge(row, user=signed_in(request)))
        ]
        for row in done:
            self.log_change(request, row, _("Acknowledged."))
        if done:
            text = ngettext(
                "Acknowledged %(count)s alert of %(task)s.", "Acknowledged %(count)s alerts of %(task)s.", len(done)
            ) % {"count": len(done), "task": done[0].task_name}
            more = _("No more reminders.")
            messages.success(request, self._with_undo(request, f"{text} {more}", done))
        return self._back(request)

    @method_decorator(require_POST)
    def undo_view(self, request: HttpRequest) -> HttpResponse:
        """Take back that somebody knows of alerts: what the user has acknowledged."""
        numbers = {text for text in request.POST.getlist("alert") if text.isdecimal() and len(text) < 19}  # noqa: PLR2004
        rows = Alert.objects.using(write_alias()).select_related("task").filter(pk__in=sorted(map(int, numbers)))
        user = signed_in(request)
        own = [row for row in rows[:MOST_AT_ONCE] if self.has_know_permission(request, row)]
        if not own and not self.has_know_permission(request):
            raise PermissionDenied
        mine = [row for row in own if row.acknowledged_by_id == user.pk]
        done = [row for row in mine if self._try(request, lambda row=row: edit.unacknowledge(row))]
        for row in done:
            self.log_change(request, row, _("Not acknowledged any more."))
        if done:
            messages.success(request, _("Not acknowledged any more."))
        return self._back(request)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def silence_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask until when and why (GET), and let nobody be told of it until then (POST)."""
        row = self._alert(request, number)
        form = SilenceForm(request.POST if request.method == "POST" else None, now=read_now())
        if form.is_bound and form.is_valid():
            until, reason = form.instant(), form.cleaned_data["reason"]
            if self._try(request, lambda: edit.silence(row, until=until, reason=reason)):
                values = {"instant": near_text(until, read_now())}
                text = _("Silent until %(instant)s.") % values
                self.log_change(request, row, f"{text} {reason}".strip())
                messages.success(request, text)
            return self._back(request)
        name = f"{wording.kind_name(row.kind)}, {wording.where(row)}"
        return self.page(
            request,
            "alert/silence.html",
            title=_("Silence: %(alert)s") % {"alert": name},
            original=row,
            form=form,
            form_media=form.media,
            alert=row,
            sentence=wording.sentence(row),
            cancel_url=self._back_url(request),
        )

    @method_decorator(require_POST)
    def end_silence_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Let people be told of it again."""
        row = self._alert(request, number)
        if self._try(request, lambda: edit.silence(row, until=None)):
            self.log_change(request, row, _("Its silence has ended."))
            messages.success(request, _("Its silence has ended."))
        return self._back(request)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def comment_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask for a comment (GET), and say with it that somebody knows (POST)."""

        def act(row: Alert, comment: str) -> None:
            edit.acknowledge(row, user=signed_in(request), comment=comment)

        return self._asking(request, number, _("Comment: %(alert)s"), _("Acknowledge"), act, _("Acknowledged."))

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def close_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask for a comment (GET), and say that it is over (POST)."""

        def act(row: Alert, comment: str) -> None:
            edit.close(row, user=signed_in(request), comment=comment)

        said = _("What was wrong until now opens no other one.")
        return self._asking(request, number, _("Close: %(alert)s"), _("Close it"), act, _("Closed."), said=said)

    def _asking(
        self,
        request: HttpRequest,
        number: int,
        title: str,
        button: str,
        act: Callable[[Alert, str], None],
        done: str,
        *,
        said: str = "",
    ) -> HttpResponse:
        row = self._alert(request, number)
        form = CommentForm(request.POST if request.method == "POST" else None, initial={"comment": row.comment})
        if form.is_bound and form.is_valid():
            comment = form.cleaned_data["comment"]
            if self._try(request, lambda: act(row, comment)):
                self.log_change(request, row, f"{done} {comment}".strip())
                messages.success(request, done)
            return self._back(request)
        name = f"{wording.kind_name(row.kind)}, {wording.where(row)}"
        return self.page(
            request,
            "alert/ask.html",
            title=title % {"alert": name},
            original=row,
            form=form,
            sentence=wording.sentence(row),
            said=said,
            button=button,
            cancel_url=self._back_url(request),
        )

    # --- parts

    def _try(self, request: HttpRequest, act: Any) -> bool:
        """Do it; a refusal is a message."""
        try:
            act()
        except ScheduledTasksError as exc:
            messages.warning(request, error_text(exc))
            return False
        return True

    def _with_undo(self, request: HttpRequest, text: str, rows: list[Alert]) -> SafeString:
        url = page_url(self.admin_site, "alert_undo")
        if not url:
            return format_html("{}", text)
        inputs = format_html_join("", '<input type="hidden" name="alert" value="{}">', ((row.pk,) for row in rows))
        return format_html(
            '{} <form method="post" action="{}{}" class="dst-undo"><input type="hidden" name="csrfmiddlewaretoken"'
            ' value="{}">{}<button type="submit" class="dst-copy">{}</button></form>',
            text,
            url,
            _query(request),
            get_token(request),
            inputs,
            _("Undo"),
        )

    def _back(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(self._back_url(request))

    def _back_url(self, request: HttpRequest) -> str:
        """Return the page that the user comes from: a list as it was, or the page of an alert or an execution."""
        for name, page in (("alert", "alert_change"), ("execution", "execution_change")):
            number = request.GET.get(name, "")
            if number.isdecimal() and (url := page_url(self.admin_site, page, number[:18])):
                return url
        name, page = ("tasks", "scheduledtask_changelist") if "tasks" in request.GET else ("back", "alert_changelist")
        query = urlencode(parse_qsl(request.GET.get(name, "")))
        url = page_url(self.admin_site, page)
        return f"{url}?{query}" if query else url


def _query(request: HttpRequest) -> str:
    """Return the query string that leads back to where the user comes from."""
    return f"?{request.GET.urlencode()}" if request.GET else ""
