"""Run once: from the list, from the form, from the page that asks first, and as a bulk action."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.tasks.acts.reasons import asks_before_run, broken_reason, elsewhere_text
from django_scheduled_tasks.admin.tasks.acts.run_button import run_url
from django_scheduled_tasks.admin.tasks.form.parameters import ParametersForm
from django_scheduled_tasks.admin.tasks.list.row import RowContext, TaskRow
from django_scheduled_tasks.admin.ui import live, messages
from django_scheduled_tasks.admin.ui.base import TEMPLATES, ScreenAdmin
from django_scheduled_tasks.admin.ui.dialogs import RunOnceForm
from django_scheduled_tasks.admin.ui.html import after_start_url, execution_link, instant, task_url, zone_name
from django_scheduled_tasks.admin.ui.missed import due_text, run_now_text
from django_scheduled_tasks.admin.ui.starting import start, start_each
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.exceptions import AlreadyRunning, FunctionChanged, InvalidParameters, ScheduledTasksError
from django_scheduled_tasks.exceptions import PermissionDenied as NotPermitted
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.lifecycle import Outcome, Overlap
from django_scheduled_tasks.models import Execution, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.permissions import CHANGE_TASK, RUN_TASK, VIEW_EXECUTION, may
from django_scheduled_tasks.services.queries import overview
from django_scheduled_tasks.services.starting.run_once import RunOnce

TOKEN = "dst_token"  # noqa: S105  # nosec  (the name of a field)
"""The field of the idempotency key, new on each page: a form that is sent twice starts one execution."""


class TaskRunMixin(ScreenAdmin):
    """The views and the action that start tasks."""

    def has_run_permission(self, request: HttpRequest, row: ScheduledTask | None = None) -> bool:
        """Whether the user may run tasks, or this task."""
        return may(request.user, RUN_TASK, row)

    def start(self, request: HttpRequest, row: ScheduledTask, *, confirmed: bool, **options: Any) -> RunOnce:
        """Start one task; a form that is sent twice starts one execution."""
        key = request.POST.get(TOKEN) or None
        return start(self, request, row, confirmed=confirmed, idempotency_key=key, **options)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def run_once_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Start a task (POST), or show the page that asks for parameters and reason first (GET)."""
        row: ScheduledTask = self.row_or_404(request, pk, self.has_view_permission)
        if not self.has_run_permission(request, row):
            raise PermissionDenied
        if request.method == "POST" and "dst_asked" not in request.POST:
            return self._run_at_once(request, row)
        return self._run_page(request, row)

    # --- without asking

    def _run_at_once(self, request: HttpRequest, row: ScheduledTask) -> HttpResponse:
        missed = self._missed(request, row)
        if asks_before_run(row) and not broken_reason(row):
            url = run_url(self.admin_site, row, missed)
            return live.redirect(url) if live.is_htmx(request) else HttpResponseRedirect(url)
        execution = None
        try:
            done = self.start(request, row, confirmed=False, rerun_of=missed)
        except ScheduledTasksError as exc:
            said = messages.refused(self.admin_site, messages.Refusal(row, exc, missed), request.user)
        else:
            execution = done.execution
            said = messages.started(self.admin_site, execution, replayed=done.replayed)
        if live.is_htmx(request):
            return self._parts(request, row, said)
        messages.show(request, said)
        is_from_page = "from_page" in request.POST or "from_page" in request.GET
        if execution is not None and is_from_page:
            return HttpResponseRedirect(after_start_url(self.admin_site, execution))
        if is_from_page:
            return HttpResponseRedirect(task_url(self.admin_site, "change", row.pk))
        back = request.GET.get("back", "")
        return HttpResponseRedirect(task_url(self.admin_site, "changelist") + (f"?{back}" if back else ""))

    def _parts(self, request: HttpRequest, row: ScheduledTask, said: messages.Message) -> HttpResponse:
        """Return the message, the cells of the row, and a new token."""
        context = {"said": said}
        parts = [
            live.swap_into("dst-messages", render_to_string(f"{TEMPLATES}/message.html", context), "afterbegin"),
        ]
        shown = TaskRow(
            row,
            overview.recent_executions([row.pk])[row.pk],
            RowContext(
                site=self.admin_site,
                now=read_now(),
                user=request.user,
                back=f"?{urlencode({'back': request.GET['back']})}" if "back" in request.GET else "",
            ),
            may_run=True,
        )
        parts += [live.swap_into(shown.cell_id(name), shown.inner(name)) for name in ("last", "recent", "button")]
        return live.parts_response(parts, events={"dst:started": {"token": uuid4().hex}})

    # --- with a page that asks

    def _run_page(self, request: HttpRequest, row: ScheduledTask) -> HttpResponse:
        again = self._execution_to_repeat(request, row)
        missed = again if again is not None and again.outcome == Outcome.MISSED else None
        if again is not None and missed is None and again.function != row.function:
            error = FunctionChanged(number=again.pk, then=again.function, now=row.function)
            messages.show(request, messages.refused(self.admin_site, messages.Refusal(row, error), request.user))
            return HttpResponseRedirect(after_start_url(self.admin_site, again))
        base = row if again is None or missed is not None else again
        data = request.POST if request.method == "POST" else None
        initial = {"overlap": str(Overlap.ALLOW if "anyway" in request.GET else Overlap.QUEUE_ONE)}
        form = RunOnceForm(data=data, initial=initial)
        if not may(request.user, CHANGE_TASK, row):
            form.offer_only(row.overlap)
        parameters = ParametersForm(row.function, base.params, known=base.secret_params, data=data, needs_all=True)
        is_asked = data is not None and all([form.is_valid(), self._accepts(row, parameters)])
        if is_asked and (response := self._run_as_asked(request, row, form, parameters, again)) is not None:
            return response
        blocker = (
            Execution.objects.using(write_alias()).filter(task=row).open().order_by("id").first()
            if row.overlap != Overlap.ALLOW and not is_held()
            else None
        )
        return self.page(
            request,
            "scheduledtask/run_once.html",
            title=self._title(row, missed),
            original=row,
            missed=missed,
            due=due_text(missed.scheduled_for, read_now()) if missed is not None and missed.scheduled_for else "",
            task=row,
            form=form,
            form_media=form.media,
            parameters=parameters,
            again=again,
            broken=broken_reason(row),
            is_copy=is_held(),
            elsewhere="" if row.runs_here else elsewhere_text(row),
            token=uuid4().hex,
            zone=zone_name(),
            next_at=instant(row.next_run_at) if row.next_run_at else "",
            blocker=self._blocker_context(row, blocker) if blocker is not None else "",
            cancel_url=task_url(self.admin_site, "changelist"),
        )

    def _title(self, row: ScheduledTask, missed: Execution | None) -> str:
        if missed is None:
            return _("Run once: %(task)s") % {"task": row.name}
        return f"{run_now_text(missed, read_now())}: {row.name}"

    def _missed(self, request: HttpRequest, row: ScheduledTask) -> Execution | None:
        """Return what was missed and is to be made good, if the address says so."""
        found = self._execution_to_repeat(request, row)
        return found if found is not None and found.outcome == Outcome.MISSED else None

    def _accepts(self, row: ScheduledTask, parameters: ParametersForm) -> bool:
        """Whether the function takes what was entered; all that is wrong is said at once, each at its field."""
        parameters.is_valid()
        return parameters.is_bound and parameters.check({**row.params, **parameters.values()})

    def _execution_to_repeat(self, request: HttpRequest, row: ScheduledTask) -> Execution | None:
        number = read_number(request.POST.get("again") or request.GET.get("again"))
        if number is None:
            return None
        found = Execution.objects.using(write_alias()).filter(task=row, pk=number).first()
        if found is not None and not may(request.user, VIEW_EXECUTION, found):  # the page shows its parameters
            raise PermissionDenied
        return found

    def _blocker_context(self, row: ScheduledTask, blocker: Execution) -> Any:
        now = read_now()
        usual = overview.usual_duration(overview.recent_executions([row.pk])[row.pk])
        return {
            "link": execution_link(self.admin_site, blocker.pk),
            "elapsed": duration_text(now - blocker.started_at) if blocker.started_at else "",
            "usual": duration_text(usual) if usual is not None else "",
        }

    def _run_as_asked(
        self,
        request: HttpRequest,
        row: ScheduledTask,
        form: RunOnceForm,
        parameters: ParametersForm,
        again: Execution | None,
    ) -> HttpResponse | None:
        """Start the task; None if the page has to be shown again with errors."""
        chosen, asked = form.cleaned_data["overlap"], parameters.asked()
        overlap = Overlap(chosen) if chosen and "dst_blocked" in request.POST else None
        try:
            given = {name: form.cleaned_data[name] for name in ("reason", "not_before")}
            done = self.start(request, row, confirmed=True, params=asked, overlap=overlap, rerun_of=again, **given)
        except NotPermitted as exc:
            raise PermissionDenied from exc
        except InvalidParameters as exc:
            for wrong in exc.errors:
                parameters.add_parameter_error(wrong.field, wrong.message)
            return None
        except AlreadyRunning as exc:
            form.add_error(None, _("Execution #%(number)s is still going.") % {"number": exc.number})
            return None
        except ScheduledTasksError as exc:
            form.show(exc)
            return None
        messages.show(request, messages.started(self.admin_site, done.execution, replayed=done.replayed))
        return HttpResponseRedirect(after_start_url(self.admin_site, done.execution))

    # --- several at once

    @admin.action(description=gettext_lazy("Run selected once"), permissions=["run"])
    def run_selected(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Start each selected task."""
        token = request.POST.get(TOKEN)
        wanted = ((row, {"idempotency_key": f"{token}:{row.pk}" if token else None}) for row in queryset)
        for said in start_each(self, request, wanted):
            messages.show(request, said)
