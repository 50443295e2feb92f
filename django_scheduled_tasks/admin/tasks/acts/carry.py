"""Export tasks, and import them by a plan that is looked at first."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from django_scheduled_tasks.admin.ui.base import ScreenAdmin, signed_in
from django_scheduled_tasks.admin.ui.dialogs import StyledForm
from django_scheduled_tasks.admin.ui.html import task_url
from django_scheduled_tasks.carrying import Act, Item, Plan, apply_plan, authorize, export_document, make_plan
from django_scheduled_tasks.exceptions import InvalidInput, ScheduledTasksError
from django_scheduled_tasks.exceptions import PermissionDenied as NotPermitted
from django_scheduled_tasks.json_checks import read_json
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.printable import printable_json
from django_scheduled_tasks.services.permissions import ADD_TASK, CHANGE_TASK, VIEW_TASK, may
from django_scheduled_tasks.services.visibility import for_viewer

MOST_BYTES = 16 * 1024 * 1024
"""So large may an uploaded file be."""


class ImportForm(StyledForm):
    """A file or a text, and whether what it does not have goes."""

    file = forms.FileField(label=gettext_lazy("File"), required=False)
    text = forms.CharField(
        label=gettext_lazy("Or its text"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField dst-mono", "spellcheck": "false"}),
    )
    prune = forms.BooleanField(label=gettext_lazy("Delete tasks that the file does not have"), required=False)
    tag = forms.CharField(
        label=gettext_lazy("Of those only the ones with this tag"),
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (optional)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def clean(self) -> dict[str, Any]:
        """Read the document."""
        cleaned: dict[str, Any] = super().clean() or {}
        file, text = cleaned.get("file"), cleaned.get("text") or ""
        if file is not None and file.size > MOST_BYTES:
            raise ValidationError(_("The file is too large."))
        try:
            text = file.read().decode() if file is not None else text
            cleaned["document"] = read_json(text)
        except ValueError as exc:
            raise ValidationError(_("This is not JSON: %(reason)s.") % {"reason": exc}) from None
        cleaned["text"] = text
        return cleaned


def may_import(user: Any) -> bool:
    """Whether *user* may open the page; each task is asked about when the plan is made."""
    return may(user, ADD_TASK) and may(user, CHANGE_TASK)


class TaskCarryMixin(ScreenAdmin):
    """The two pages."""

    @method_decorator(require_safe)
    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Return the document as a file; ``?tag=`` chooses tasks."""
        if not may(request.user, VIEW_TASK):
            raise PermissionDenied
        tag = request.GET.get("tag")
        rows = [row for row in for_viewer(ScheduledTask.objects.all()) if not tag or tag in row.tags]
        text = json.dumps(export_document(rows), indent=2, ensure_ascii=False)
        response = HttpResponse(text, content_type="application/json; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="scheduled-tasks.json"'
        return response

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a document (GET), show what it would do, and do that (POST with ``dst_asked``)."""
        if not may_import(request.user):
            raise PermissionDenied
        is_sent = request.method == "POST"
        form = ImportForm(request.POST, request.FILES) if is_sent else ImportForm()
        plan = self._plan(request, form) if is_sent and form.is_valid() else None
        if plan is not None and "dst_asked" in request.POST:
            if request.POST["dst_asked"] != plan.digest:
                form.add_error(None, _("Something has changed meanwhile: this is what it would do now."))
            elif self._apply(request, form, plan):
                return HttpResponseRedirect(task_url(self.admin_site, "changelist"))
        return self.page(
            request,
            "scheduledtask/import.html",
            title=_("Import tasks"),
            original=_("Import"),
            form=form,
            text=form.cleaned_data.get("text", "") if is_sent and hasattr(form, "cleaned_data") else "",
            plan=plan,
            rows=[_row(item) for item in plan.items if item.act != Act.UNCHANGED or item.errors] if plan else [],
            unchanged=plan.count(Act.UNCHANGED) if plan else 0,
            cancel_url=task_url(self.admin_site, "changelist"),
        )

    def _plan(self, request: HttpRequest, form: ImportForm) -> Plan | None:
        try:
            tags = [tag] if (tag := form.cleaned_data["tag"]) else []
            plan = make_plan(form.cleaned_data["document"], prune=form.cleaned_data["prune"], tags=tags)
            authorize(plan, request.user)
        except NotPermitted as exc:
            raise PermissionDenied from exc
        except InvalidInput as exc:
            for error in exc.errors[:20]:
                form.add_error(None, f"{error.field}: {error.message}")
            return None
        return plan

    def _apply(self, request: HttpRequest, form: ImportForm, plan: Plan) -> bool:
        try:
            apply_plan(plan, user=signed_in(request), reason=form.cleaned_data["reason"])
        except ScheduledTasksError as exc:
            form.add_error(None, exc.message)
            return False
        count = len(plan.items) - plan.count(Act.UNCHANGED)
        text = ngettext("%(count)s task was imported.", "%(count)s tasks were imported.", count) % {"count": count}
        messages.success(request, text)
        return True


def _row(item: Item) -> dict[str, Any]:
    signs = {Act.CREATE: _("New"), Act.UPDATE: _("Changed"), Act.DELETE: _("Deleted"), Act.UNCHANGED: ""}
    changes = [
        (name, "" if before is None else printable_json(before), "" if after is None else printable_json(after))
        for name, (before, after) in item.changes.items()
    ]
    errors = [f"{error.field}: {error.message}" for error in item.errors]
    return {"name": item.name, "act": signs[item.act], "changes": changes, "errors": errors}
