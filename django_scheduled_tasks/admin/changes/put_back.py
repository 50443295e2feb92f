"""Putting back one field of a recorded change: the question before and after, for that field alone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.changes.row import change_url, who_and_through
from django_scheduled_tasks.admin.tasks.page.compare import ASKED, REASON, TaskCompareMixin
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import page_url, task_url
from django_scheduled_tasks.admin.ui.text.values import field_label
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.models import Change, ScheduledTask, write_alias
from django_scheduled_tasks.services.permissions import CHANGE_TASK, may
from django_scheduled_tasks.services.queries.audit import latest_of
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.changes.before_after import before_after
from django_scheduled_tasks.services.tasks.changes.undo import values_to_put_back


class PutBackMixin(TaskCompareMixin):
    """The page *Put back*."""

    def get_change(self, request: HttpRequest, number: str | int) -> Change:
        """Return the change with this number; implemented by the admin class."""
        raise NotImplementedError

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def put_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what putting ``?field=`` back would change (GET), and put it back (POST)."""
        change = self.get_change(request, pk)
        rows = ScheduledTask.objects.using(write_alias())
        task = rows.filter(pk=change.task).first() if change.task is not None else None
        if task is None:
            raise Http404
        if not may(request.user, CHANGE_TASK, task):
            raise PermissionDenied
        field, name = request.GET.get("field", ""), request.GET.get("name", "")
        found = values_to_put_back(task, change, field, name)
        back_url = page_url(self.admin_site, "change_changelist")
        if found is None:
            messages.warning(request, _("What it was before was not recorded, so it cannot be put back."))
            return HttpResponseRedirect(back_url)
        try:
            after = edit.changed_task(task, **found.values)
            comparison = before_after(task, after)
            if not comparison.fields:
                messages.info(request, _("It is as it was before already."))
                return HttpResponseRedirect(back_url)
            if request.method == "POST" and ASKED in request.POST:
                return self._put_back(request, task, change, found.values)
        except ScheduledTasksError as exc:
            messages.error(request, _("It does not fit any more: %(reason)s") % {"reason": error_text(exc)})
            return HttpResponseRedirect(back_url)
        label = name or field_label(field, task.schedule_kind)
        response: Any = self.ask(
            request,
            comparison,
            sent=[],
            back_url=back_url,
            title=_("Put back: %(field)s of %(task)s") % {"field": label, "task": task.name},
        )
        if not found.is_as_left:
            response.context_data |= self._changed_again(task, change, field, name, label)
        return response  # type: ignore[no-any-return]

    def _put_back(
        self, request: HttpRequest, task: ScheduledTask, change: Change, values: dict[str, Any]
    ) -> HttpResponse:
        reason, user, versions = request.POST.get(REASON, ""), signed_in(request), {edit.version_of(task)}
        edit.update_task(task, user=user, versions=versions, reason=reason, puts_back=change.pk, **values)
        self.log_change(request, task, _("Put back."))
        messages.success(request, _("Put back."))
        return HttpResponseRedirect(task_url(self.admin_site, "change", task.pk))

    def _changed_again(self, task: ScheduledTask, change: Change, field: str, name: str, label: str) -> dict[str, Any]:
        """Return the sentence that the field has been changed since, by whom, and where that is shown."""
        since = latest_of(task.pk, field, name, after=change.pk)
        if since is None:
            return {"problem": _("%(field)s has been changed again since.") % {"field": label}}
        values = {"field": label, "user": who_and_through(since)[0]}
        text = _("%(field)s has been changed again since, by %(user)s.") % values
        return {"problem": text, "problem_url": change_url(self.admin_site, since)}
