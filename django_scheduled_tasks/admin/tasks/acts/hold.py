"""Hold and release tasks, and ask why one ran or did not run at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.dialogs import HoldForm
from django_scheduled_tasks.admin.ui.html import execution_link, instant, page_url, task_url
from django_scheduled_tasks.exceptions import HoldEnded, HoldNotFound, InvalidInput
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, Hold, HoldScope, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.services.permissions import ADD_HOLD, CHANGE_HOLD, may
from django_scheduled_tasks.services.queries.executions import timeline
from django_scheduled_tasks.services.queries.explain.answers import Explanation
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import read_when
from django_scheduled_tasks.services.queries.holds import get_hold, tasks_of
from django_scheduled_tasks.services.tasks import holds
from django_scheduled_tasks.translation import say_number

HOUR = timedelta(hours=1)
MOST_COUNTED = 10_000


def hold_page(site: Any, page: str, number: int) -> str:
    """Return the URL of a page of the hold with this number; empty on a site that lacks it."""
    return page_url(site, f"scheduledtask_{page}", number)


def what_is_held(hold: Hold) -> str:
    """Return what *hold* is for, as the beginning of a sentence."""
    if hold.scope == HoldScope.QUEUE:
        name = hold.queue or _("of all that name none")
        return _("Queue %(name)s is held") % {"name": name}
    if hold.scope == HoldScope.TAG:
        return _("Tag %(name)s is held") % {"name": hold.tag}
    if hold.scope == HoldScope.TASK:
        return _("%(name)s is held") % {"name": hold.task}
    return _("Everything is held")


def tasks_text(hold: Hold) -> str:
    """Return how many tasks a hold of a queue or tag is for; one statement. Empty for other holds."""
    if hold.scope not in {HoldScope.QUEUE, HoldScope.TAG}:
        return ""
    count = tasks_of(hold).count()
    return ngettext("%(count)s task", "%(count)s tasks", count) % {"count": say_number(count)}


class TaskHoldMixin(ScreenAdmin):
    """The views that hold, release, and explain."""

    def hold_view(self, request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
        """Ask what, why and until when (GET), and hold (POST): everything, a tag or a queue; *pk*: one task."""
        row: ScheduledTask | None = self.get_object(request, str(pk)) if pk is not None else None
        if pk is not None and row is None:
            raise Http404
        if not may(request.user, ADD_HOLD, row):
            raise PermissionDenied
        form = HoldForm(request.POST if request.method == "POST" else None, task=row)
        if form.is_bound and form.is_valid():
            try:
                hold = holds.hold(**form.what(), **form.why(), user=signed_in(request))
            except InvalidInput as exc:
                form.show(exc)
            else:
                self._log(request, hold, f"{what_is_held(hold)}: {hold.reason}")
                goes_on = _("Nothing new starts; what runs goes on.")
                messages.success(request, f"{what_is_held(hold)}. {goes_on}")
                return HttpResponseRedirect(self._back(row))
        title = _("Hold: %(task)s") % {"task": row.name} if row is not None else _("Hold tasks")
        return self._hold_page(request, form, title, row, _("Hold"), said=self._what_goes_on() if row is None else "")

    def change_hold_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask why and until when (GET), and change a hold (POST)."""
        hold = self._hold(request, number)
        initial = {"reason": hold.reason, "until": hold.until}
        form = HoldForm(request.POST if request.method == "POST" else None, initial=initial, is_change=True)
        if form.is_bound and form.is_valid():
            try:
                hold = holds.change_hold(hold, **form.why(), user=signed_in(request))
            except InvalidInput as exc:
                form.show(exc)
            except HoldEnded as exc:
                messages.error(request, exc.message)
                return HttpResponseRedirect(self._back(None))
            else:
                said = _("Changed the hold.")
                self._log(request, hold, f"{said} {hold.reason}")
                messages.success(request, said)
                return HttpResponseRedirect(self._back(hold.task))
        return self._hold_page(request, form, what_is_held(hold), hold.task, _("Save"))

    def release_hold_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask (GET), and release a hold (POST)."""
        hold = self._hold(request, number)
        if request.method == "POST":
            try:
                holds.release(hold, user=signed_in(request))
            except HoldEnded as exc:
                messages.error(request, exc.message)
            else:
                self._log(request, hold, _("Released: %(reason)s") % {"reason": hold.reason})
                messages.success(request, _("Released. What was due meanwhile is caught up as after a downtime."))
            return HttpResponseRedirect(self._back(hold.task))
        said = _("What was due meanwhile is caught up as after a downtime, and what waits starts.")
        title = f"{what_is_held(hold)}: {hold.reason}"
        return self._hold_page(request, None, title, hold.task, _("Release now"), said=said)

    def _hold(self, request: HttpRequest, number: int) -> Hold:
        if not may(request.user, CHANGE_HOLD):
            raise PermissionDenied
        try:
            return get_hold(number)
        except HoldNotFound:
            raise Http404 from None

    def _log(self, request: HttpRequest, hold: Hold, text: str) -> None:
        """Write a log entry to the history of the task that is held, else about the hold itself."""
        self.log_change(request, hold.task if hold.task is not None else hold, text)

    def _back(self, row: ScheduledTask | None) -> str:
        if row is None:
            return task_url(self.admin_site, "changelist")
        return task_url(self.admin_site, "change", row.pk)

    def _hold_page(
        self,
        request: HttpRequest,
        form: HoldForm | None,
        title: str,
        row: ScheduledTask | None,
        button: str,
        *,
        said: str = "",
    ) -> HttpResponse:
        return self.page(
            request,
            "scheduledtask/hold.html",
            title=title,
            original=row,
            form=form,
            form_media=form.media if form is not None else "",
            said=said,
            button=button,
            cancel_url=self._back(row),
        )

    def _what_goes_on(self) -> str:
        """Return how much runs now, and is due soon."""
        running = Execution.objects.using(write_alias()).filter(status=Status.PROCESSING)
        count = len(running.order_by().values_list("pk", flat=True)[:MOST_COUNTED])
        due = len(timeline.look_ahead(timeline.scheduled_tasks(), until=read_now() + HOUR).upcoming)
        goes_on = ngettext("%(count)s execution runs and goes on.", "%(count)s executions run and go on.", count)
        is_due = ngettext("%(count)s run is due in the next hour.", "%(count)s runs are due in the next hour.", due)
        return f"{goes_on % {'count': say_number(count)}} {is_due % {'count': say_number(due)}}"

    def zone_of(self, *, pk: UUID | None = None, number: int | None = None, **_kwargs: Any) -> str:
        """Return the time zone of a task, also of one that is held by the hold with this number."""
        rows = ScheduledTask.objects.using(write_alias()).values_list("timezone", flat=True)
        if number is not None:
            return rows.filter(holds__pk=number).first() or ""
        return rows.filter(pk=pk).first() or "" if pk is not None else ""

    # --- why

    def why_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Say why the task ran, or did not run, at the instant in ``?at=``."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_view_permission)
        asked, found, error = request.GET.get("at", ""), None, ""
        if asked:
            try:
                found = explain(row, read_when(asked[:100], timezone=row.timezone, now=read_now()))
            except InvalidInput as exc:
                error = exc.errors[0].message
        return self.page(
            request,
            "scheduledtask/why.html",
            title=_("Why at…? %(task)s") % {"task": row.name},
            original=row,
            asked=asked,
            said=found.sentence if found is not None else "",
            facts=list(self._facts(found)) if found is not None else [],
            error=error,
            zone=row.timezone,
            cancel_url=self._back(row),
        )

    def _facts(self, found: Explanation) -> Iterable[tuple[str, SafeString | str]]:
        for name, value in found.facts.items():
            if name in {"execution", "blocked_by"}:
                yield name.replace("_", " "), execution_link(self.admin_site, value)
            else:
                yield name.replace("_", " "), _fact(value)


def _fact(value: Any) -> SafeString | str:
    """Return the value of a fact as a page shows it: an instant in the current time zone."""
    try:
        return instant(datetime.fromisoformat(value), seconds=True) if isinstance(value, str) else str(value)
    except ValueError:
        return str(value)
