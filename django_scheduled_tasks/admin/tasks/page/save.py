"""Saving and deleting tasks by the admin's forms: through the services, as every other door."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as django_messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from django_scheduled_tasks.admin.tasks.acts.reasons import asks_before_run
from django_scheduled_tasks.admin.tasks.acts.run import TaskRunMixin
from django_scheduled_tasks.admin.tasks.page.compare import ASKED, REASON, AskFirst, TaskCompareMixin, sent_again
from django_scheduled_tasks.admin.ui import messages
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import after_start_url, task_url
from django_scheduled_tasks.exceptions import InvalidTask, ScheduledTasksError
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import ScheduledTask, for_update, write_alias, write_transaction
from django_scheduled_tasks.services.permissions import CHANGE_TASK, may
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.changes.before_after import before_after
from django_scheduled_tasks.services.tasks.fields import declared_fields


class TaskSaveMixin(TaskRunMixin, TaskCompareMixin):
    """What happens when a form is sent."""

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Add the context of what stands above and below the form; a task is locked while its form is saved.

        The form has been checked when the service refuses it only if somebody was quicker, for instance with the name:
        then the form, which is checked once more, says so at its field.
        """
        try:
            return self._locked_page(request, object_id, form_url, extra_context)
        except AskFirst as question:
            return self.ask(request, question.comparison, sent=sent_again(request.POST))
        except InvalidTask:
            return self._locked_page(request, object_id, form_url, extra_context)

    def _locked_page(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any
    ) -> HttpResponse:
        if request.method != "POST" or (pk := as_uuid(object_id or "")) is None:
            return self.change_page(request, object_id, form_url, extra_context)
        with write_transaction():
            for_update(ScheduledTask.objects.filter(pk=pk)).first()
            return self.change_page(request, object_id, form_url, extra_context)

    def form_of_django(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any
    ) -> HttpResponse:
        """Do what Django does with a form."""
        found: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        return found

    def change_page(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: Any
    ) -> HttpResponse:
        """Show the form, or save what was sent; implemented by the page."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: ScheduledTask, form: Any, change: bool) -> None:
        """Save through the services; the form has already validated with them.

        Raises:
            AskFirst: Instants or what is under way would change, and nobody was asked.
        """
        user, values = signed_in(request), form.values()
        if change:
            if ASKED not in request.POST:
                comparison = before_after(form.stored, obj, asked=form.parameters.asked())
                if comparison.asks:
                    raise AskFirst(comparison)
            reason = request.POST.get(REASON, "")
            row = ScheduledTask.objects.using(write_alias()).get(pk=obj.pk)
            saved = edit.update_task(row, user=user, reason=reason, **values)
        else:
            saved = edit.create_task(user=user, **values)
        for field in ScheduledTask._meta.concrete_fields:
            setattr(obj, field.attname, getattr(saved, field.attname))
        obj._state.adding, obj._state.db = False, saved._state.db

    def response_add(self, request: HttpRequest, obj: ScheduledTask, post_url_continue: str | None = None) -> Any:
        """Also start the task, after "Save and run once"."""
        return self._start_saved(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: ScheduledTask) -> Any:
        """Also start the task, after "Save and run once"."""
        return self._start_saved(request, obj) or super().response_change(request, obj)

    def _start_saved(self, request: HttpRequest, row: ScheduledTask) -> HttpResponse | None:
        if "_runonce" not in request.POST or not self.has_run_permission(request, row):
            return None
        if asks_before_run(row):
            return HttpResponseRedirect(task_url(self.admin_site, "run_once", row.pk))
        try:
            done = self.start(request, row, confirmed=False)
        except ScheduledTasksError as exc:
            messages.show(request, messages.refused(self.admin_site, messages.Refusal(row, exc), request.user))
            return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))
        messages.show(request, messages.started(self.admin_site, done.execution, replayed=done.replayed))
        return HttpResponseRedirect(after_start_url(self.admin_site, done.execution))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask before a task is deleted; offer to switch one off that the code would bring back."""
        key = as_uuid(object_id)
        row = self.get_object(request, object_id) if key is not None else None
        found: dict[str, Any] = {}
        if row is not None and declared_fields(row.name):
            may_switch = row.enabled and may(request.user, CHANGE_TASK, row)
            found["dst_declared"] = True
            found["dst_switch_off_url"] = task_url(self.admin_site, "switch_off", row.pk) if may_switch else ""
        response: HttpResponse = super().delete_view(request, object_id, {**found, **(extra_context or {})})
        return response

    @method_decorator(require_POST)
    def switch_off_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Switch one task off: its schedule stands still, and the code does not change that."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_change_permission)
        try:
            edit.update_task(row, user=signed_in(request), enabled=False)
        except ScheduledTasksError as exc:
            django_messages.error(request, error_text(exc))
        else:
            said, still = _("Switched off."), _("Run once still works.")
            self.log_change(request, row, said)
            django_messages.success(request, f"{said} {still}")
        return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))

    def delete_model(self, request: HttpRequest, obj: ScheduledTask) -> None:
        """Delete through the service."""
        edit.delete_task(obj, user=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete each task through the service."""
        declared = []
        for row in queryset:
            edit.delete_task(row, user=signed_in(request))
            if declared_fields(row.name):
                declared.append(row.name)
        if declared:
            text = ngettext(
                "%(names)s is declared in code, and comes back at the next migrate. Switched off it would stay off.",
                "%(names)s are declared in code, and come back at the next migrate. Switched off they would stay off.",
                len(declared),
            )
            django_messages.warning(request, text % {"names": ", ".join(declared)})
