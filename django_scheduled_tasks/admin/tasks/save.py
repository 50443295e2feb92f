"""Saving and deleting tasks by the admin's forms: through the services, as every other door."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from django_scheduled_tasks.admin.tasks.compare import ASKED, REASON, AskFirst, TaskCompareMixin, sent_again
from django_scheduled_tasks.admin.tasks.reasons import asks_before_run
from django_scheduled_tasks.admin.tasks.run import TaskRunMixin
from django_scheduled_tasks.admin.ui import messages
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.html import after_start_url, task_url
from django_scheduled_tasks.exceptions import InvalidTask, ScheduledTasksError
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import ScheduledTask, for_update, write_alias, write_transaction
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.before_after import before_after


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

    def delete_model(self, request: HttpRequest, obj: ScheduledTask) -> None:
        """Delete through the service."""
        edit.delete_task(obj, user=signed_in(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete each task through the service."""
        for row in queryset:
            edit.delete_task(row, user=signed_in(request))
