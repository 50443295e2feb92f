"""Saving and deleting tasks by the admin's forms: through the services, as every other door."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from django_scheduled_tasks.admin.tasks.reasons import asks_before_run
from django_scheduled_tasks.admin.tasks.run import TaskRunMixin
from django_scheduled_tasks.admin.ui import messages
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.html import after_start_url, task_url
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.models import ScheduledTask, write_alias
from django_scheduled_tasks.services.tasks import edit


class TaskSaveMixin(TaskRunMixin):
    """What happens when a form is sent."""

    def save_model(self, request: HttpRequest, obj: ScheduledTask, form: Any, change: bool) -> None:
        """Save through the services; the form has already validated with them."""
        user, values = signed_in(request), form.values()
        if change:
            saved = edit.update_task(ScheduledTask.objects.using(write_alias()).get(pk=obj.pk), user=user, **values)
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
