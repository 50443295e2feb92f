"""Pause tasks; put fields back to what the code declares."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from django_scheduled_tasks.admin.tasks.acts.reasons import pause_text
from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.dialogs import PauseForm
from django_scheduled_tasks.admin.ui.errors import column_label, error_text
from django_scheduled_tasks.admin.ui.html import instant_text, task_url
from django_scheduled_tasks.exceptions import AlreadyPaused, ScheduledTasksError, TaskNotFound
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.permissions import PAUSE_TASK, may
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.sync import differences, put_back


class TaskPauseMixin(ScreenAdmin):
    """The views and actions that pause and put back."""

    def has_pause_permission(self, request: HttpRequest, row: ScheduledTask | None = None) -> bool:
        """Whether the user may pause tasks, or this one."""
        return may(request.user, PAUSE_TASK, row)

    def pause_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask why and until when (GET), and pause one task (POST)."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_pause_permission)
        form = PauseForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            self._pause(request, [row], form)
            return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))
        return self._pause_page(request, form, [row])

    @admin.action(description=gettext_lazy("Pause selected…"), permissions=["pause"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> HttpResponse | None:
        """Ask why and until when, then pause each selected task."""
        form = PauseForm(request.POST if "dst_asked" in request.POST else None)
        rows = [row for row in queryset if self.has_pause_permission(request, row)]
        if form.is_bound and form.is_valid():
            self._pause(request, rows, form)
            return None
        return self._pause_page(request, form, rows, action="pause_selected")

    def _pause(self, request: HttpRequest, rows: list[ScheduledTask], form: PauseForm) -> None:
        reason, until = form.cleaned_data["reason"], form.cleaned_data["until"]
        count = 0
        for row in rows:
            try:
                edit.pause(row, reason=reason, until=until, user=signed_in(request))
            except AlreadyPaused as exc:
                messages.warning(request, _already_paused(exc))
                continue
            except TaskNotFound as exc:  # somebody has deleted it meanwhile
                messages.warning(request, error_text(exc))
                continue
            self.log_change(request, row, _log_of_pause(reason, until))
            count += 1
        if count:
            text = ngettext("Paused %(count)s task.", "Paused %(count)s tasks.", count) % {"count": count}
            still = _("Run once still works.")
            messages.success(request, f"{text} {still}")

    def _pause_page(
        self, request: HttpRequest, form: PauseForm, rows: list[ScheduledTask], action: str = ""
    ) -> HttpResponse:
        one, now = rows[0] if len(rows) == 1 and not action else None, read_now()
        title = _("Pause: %(task)s") % {"task": one.name} if one else _("Pause tasks")
        return self.page(
            request,
            "scheduledtask/pause.html",
            title=title,
            original=one,
            form=form,
            form_media=form.media,
            rows=[(row, pause_text(row, now) if row.is_paused(now) else "") for row in rows],
            action=action,
            checkbox=helpers.ACTION_CHECKBOX_NAME,
            cancel_url=task_url(self.admin_site, "change", one.pk) if one else task_url(self.admin_site, "changelist"),
        )

    @method_decorator(require_POST)
    def put_back_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Set one field back to the value that the code declares."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_change_permission)
        name = request.POST.get("field", "")
        differs = name in differences(row)  # else nothing is put back, and nothing noted: the name may be any text
        try:
            put_back(row, [name], user=signed_in(request))
        except ScheduledTasksError as exc:
            messages.error(request, error_text(exc))
        else:
            if differs:
                self.log_change(request, row, _("Put back: %(field)s.") % {"field": column_label(name)})
                messages.success(request, _("Put back what the code says."))
            else:
                messages.info(request, _("It already is as the code says."))
        return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))


def _already_paused(error: AlreadyPaused) -> str:
    """Return the error's sentence with the instant as the admin shows it, and what can be done."""
    since, first = instant_text(error.since, now=read_now()), _("Resume it before you pause it for another reason.")
    return f"{error.sentence(since)} {first}"


def _log_of_pause(reason: str, until: datetime | None) -> str:
    if until is None:
        text = _("Paused")
    else:
        text = _("Paused until %(instant)s") % {"instant": instant_text(until, now=read_now())}
    return f"{text}: {reason}" if reason else f"{text}."
