"""Backfill: the occurrences of a range in the past are run, after a look at what that will be."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.tasks.acts.reasons import broken_reason
from django_scheduled_tasks.admin.tasks.acts.run import TOKEN, TaskRunMixin
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.dialogs import StyledForm
from django_scheduled_tasks.admin.ui.html import execution_url, instant, task_url, with_query, zone_name
from django_scheduled_tasks.admin.ui.text.instants import InstantField
from django_scheduled_tasks.admin.ui.text.values import OVERLAPS
from django_scheduled_tasks.exceptions import PermissionDenied as NotPermitted
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.permissions import CHANGE_TASK, may, starting
from django_scheduled_tasks.services.starting.backfill import Backfill, backfill

LISTED = 50
"""Of so many occurrences the page shows what would become of each."""


class BackfillForm(StyledForm):
    """The form of Backfill: from when to when, why, and whether they wait for each other."""

    start = InstantField(label=gettext_lazy("From"), widget=AdminSplitDateTime)
    end = InstantField(label=gettext_lazy("To"), widget=AdminSplitDateTime)
    overlap = forms.ChoiceField(
        label=gettext_lazy("If one is still open"),
        required=False,
        initial=str(Overlap.QUEUE_ALL),
        choices=[(str(overlap), text) for overlap, text in OVERLAPS.items()],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (optional)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def asked(self) -> dict[str, Any]:
        """Return what the service takes; without a choice its own rule counts."""
        chosen = self.cleaned_data.get("overlap", "")
        names = ("start", "end", "reason")
        is_usual = chosen in {"", str(Overlap.QUEUE_ALL)}
        return {name: self.cleaned_data[name] for name in names} | {"overlap": None if is_usual else Overlap(chosen)}


class TaskBackfillMixin(TaskRunMixin):
    """The view that backfills."""

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def backfill_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask for a range (GET), say what it would start, and start that (POST)."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_view_permission)
        if not self.has_run_permission(request, row):
            raise PermissionDenied
        form = BackfillForm(request.POST if request.method == "POST" else None)
        if not may(request.user, CHANGE_TASK, row):
            del form.fields["overlap"]
        found = self._backfill(request, row, form) if form.is_bound and form.is_valid() else None
        if found is not None and "dst_asked" in request.POST:
            return self._backfilled(request, row, found)
        return self.page(
            request,
            "scheduledtask/backfill.html",
            title=_("Backfill: %(task)s") % {"task": row.name},
            original=row,
            form=form,
            form_media=form.media,
            zone=zone_name(),
            broken=broken_reason(row),
            found=self._shown(found) if found is not None else None,
            token=request.POST.get(TOKEN) or uuid4().hex,
            cancel_url=task_url(self.admin_site, "change", row.pk),
        )

    def _backfill(self, request: HttpRequest, row: ScheduledTask, form: BackfillForm) -> Backfill | None:
        """Do it, or only look; None if it was refused, which the form then says."""
        asked, is_asked = form.asked(), "dst_asked" in request.POST
        try:
            return backfill(
                row,
                **asked,
                dry_run=not is_asked,
                user=signed_in(request),
                authorize=starting(request.user, asked["overlap"]),
                idempotency_key=(request.POST.get(TOKEN) or None) if is_asked else None,
            )
        except NotPermitted as exc:
            raise PermissionDenied from exc
        except ScheduledTasksError as exc:
            form.show(exc)
        return None

    def _shown(self, found: Backfill) -> dict[str, Any]:
        now = read_now()
        return {
            "count": len(found.occurrences),
            "started": found.started,
            "rows": [
                (instant(item.scheduled_for, seconds=True, now=now), in_words(item.reason) if not item.starts else "")
                for item in found.occurrences[:LISTED]
            ],
            "more": max(len(found.occurrences) - LISTED, 0),
        }

    def _backfilled(self, request: HttpRequest, row: ScheduledTask, found: Backfill) -> HttpResponse:
        count = found.started
        text = ngettext("Queued %(count)s execution.", "Queued %(count)s executions.", count) % {"count": count}
        if found.skipped:
            skipped = ngettext("%(count)s was skipped.", "%(count)s were skipped.", found.skipped)
            text = f"{text} {skipped % {'count': found.skipped}}"
        if not found.replayed:
            backfill = _("Backfill")
            self.log_change(request, row, f"{backfill}: {text}")
        messages.success(request, text)
        back = with_query(execution_url(self.admin_site, "changelist"), task=row.pk)
        return HttpResponseRedirect(back or task_url(self.admin_site, "change", row.pk))
