"""Register executions with the admin: the history and the live page of each. Executions are never edited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import URLPattern
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from django_scheduled_tasks.admin.executions.list.view import ExecutionListMixin
from django_scheduled_tasks.admin.executions.page.comments import CommentsMixin
from django_scheduled_tasks.admin.executions.page.compare import CompareMixin
from django_scheduled_tasks.admin.executions.page.log import fit_on_page, note_at_end, note_on_page, render_lines
from django_scheduled_tasks.admin.executions.page.parameters import parameters_part
from django_scheduled_tasks.admin.executions.page.view import ExecutionPage
from django_scheduled_tasks.admin.ui import live
from django_scheduled_tasks.admin.ui.base import signed_in
from django_scheduled_tasks.admin.ui.errors import error_text
from django_scheduled_tasks.admin.ui.html import execution_name, execution_url
from django_scheduled_tasks.admin.ui.messages import Message, cancelled, show
from django_scheduled_tasks.admin.ui.starting import start_each
from django_scheduled_tasks.admin.ui.text.zones import drawn_in, in_zone
from django_scheduled_tasks.exceptions import ScheduledTasksError
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.models import Execution, ScheduledTask, with_now, write_alias
from django_scheduled_tasks.printable import behind, on_one_line
from django_scheduled_tasks.services.permissions import CANCEL_EXECUTION, RUN_TASK, VIEW_LOGS, may, requiring
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.scheduling.retention import delete_executions
from django_scheduled_tasks.services.visibility import for_viewer


@admin.register(Execution)
class ExecutionAdmin(CommentsMixin, CompareMixin, ExecutionListMixin):
    """The admin of executions."""

    actions = ("run_again_selected", "cancel_selected")

    def get_urls(self) -> list[URLPattern]:
        """Add our pages, and the parts that htmx loads."""
        return [
            self.page_path("<int:pk>/cancel/", self.cancel_view, "cancel"),
            self.page_path("<int:pk>/comment/", self.comment_view, "comment"),
            self.page_path("<int:pk>/compare/", self.compare_view, "compare"),
            self.page_path("<int:pk>/log/", self.log_view, "log"),
            self.part_path("<int:pk>/live/", self.live_view, "live"),
            self.page_path("export/", self.export_view, "export"),
            self.part_path("news/", self.news_view, "news"),
            self.part_path("names/", self.names_view, "names"),
            *super().get_urls(),
        ]

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Return False: executions are made by running tasks."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Execution | None = None) -> bool:
        """Return False: executions are never edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Execution | None = None) -> bool:
        """Whether the user may delete executions, or this one; an open execution is cancelled instead."""
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_open)

    def has_run_permission(self, request: HttpRequest, row: ScheduledTask | None = None) -> bool:
        """Whether the user may run tasks, or this task."""
        return may(request.user, RUN_TASK, row)

    def has_cancel_permission(self, request: HttpRequest, row: Execution | None = None) -> bool:
        """Whether the user may cancel executions, or this execution."""
        return may(request.user, CANCEL_EXECUTION, row)

    # --- the page

    def page_of(self, request: HttpRequest, pk: int) -> ExecutionPage:
        """Return the page of an execution; 404 if it does not exist, 403 if the user may not see it."""
        rows = for_viewer(Execution.objects.using(write_alias())).select_related(
            "task", "triggered_by", "cancel_requested_by"
        )
        row = with_now(rows).filter(pk=pk).first()
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return ExecutionPage(
            row=row,
            site=self.admin_site,
            user=request.user,
            sees_logs=may(request.user, VIEW_LOGS, row),
            may_cancel=self.has_cancel_permission(request, row),
            may_run=row.task is not None and self.has_run_permission(request, row.task),
            csrf_token=get_token(request),
        )

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, _form_url: str = "", _extra_context: Any = None
    ) -> HttpResponse:
        """Show one execution as a page without a form."""
        if object_id is None or request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        if (number := read_number(object_id)) is None:
            raise Http404
        shown = self.page_of(request, number)
        with in_zone(shown.zone):
            return drawn_in(shown.zone, self._shown_page(request, shown))

    def _shown_page(self, request: HttpRequest, shown: ExecutionPage) -> HttpResponse:
        lines = shown.log_lines()
        fit = fit_on_page(lines)
        last = lines[-1].number if lines else 0
        return self.page(
            request,
            "execution/change_form.html",
            title=execution_name(shown.row.pk),
            original=shown.row,
            page=shown,
            head=shown.head(),
            problem=shown.problem(),
            result=shown.result(),
            parameters=parameters_part(shown.row),
            comments=self.comments(request, shown),
            rest=shown.rest(),
            tools=shown.tools(),
            log=render_lines(fit),
            log_note=note_on_page(shown.row, lines, fit),
            keeps_log=bool(lines) or shown.row.keeps_log,
            has_log=bool(lines) or shown.row.is_open or shown.row.started_at is not None,
            log_url=execution_url(self.admin_site, "log", shown.row.pk),
            poller=self._poller(shown, last) if shown.row.is_open else "",
            texts=live.status_texts(self.admin_site),
        )

    def _poller(self, shown: ExecutionPage, last: int) -> Any:
        present = live.digest(shown.signature())
        url = f"{execution_url(self.admin_site, 'live', shown.row.pk)}?log={last}"
        return live.poller(url, present, is_open=True)

    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return what has changed; with status 286, which ends the polling, when the execution has ended."""
        shown = self.page_of(request, pk)
        with in_zone(shown.zone):
            return self._changes(request, shown)

    def _changes(self, request: HttpRequest, shown: ExecutionPage) -> HttpResponse:
        after = read_number(request.GET.get("log", "")) or 0
        lines = shown.log_lines(after)
        last = lines[-1].number if lines else after
        is_changed = request.GET.get("v") != live.digest(shown.signature())
        if not is_changed and not lines and shown.row.is_open:
            return live.no_change()
        parts = [self._poller(shown, last)] if shown.row.is_open else []
        if is_changed or not shown.row.is_open:
            parts += [*shown.parts(), live.swap_into("dst-announce", shown.announcement())]
        if lines:
            parts.append(live.swap_into("dst-log", render_lines(fit_on_page(lines)), "beforeend"))
        if last and not shown.row.is_open:
            parts.append(live.swap_into("dst-log-cut", note_at_end(shown.row)))
        return live.parts_response(parts, status=200 if shown.row.is_open else live.STOP_POLLING)

    def log_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Return the whole log as a file."""
        shown = self.page_of(request, pk)
        if not shown.sees_logs:
            raise PermissionDenied
        response = StreamingHttpResponse(_log_file(shown.row), content_type="text/plain; charset=utf-8")
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Disposition"] = f'attachment; filename="execution-{pk}.log"'
        return response

    # --- cancelling

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for confirmation (GET), and cancel (POST); with ``force``, end the process of one that does not stop."""
        shown = self.page_of(request, pk)
        if not shown.may_cancel:
            raise PermissionDenied
        if request.method != "POST":
            title = _("Cancel execution #%(number)s?") % {"number": pk}
            url = execution_url(self.admin_site, "change", pk)
            return self.page(request, "execution/cancel.html", title=title, original=shown.row, page_url=url)
        is_forced = "force" in request.POST and shown.is_slow_to_stop
        said = self._cancel(request, shown.row, force=is_forced)
        if isinstance(said, str):
            messages.error(request, said)
        return HttpResponseRedirect(execution_url(self.admin_site, "change", pk))

    def _cancel(self, request: HttpRequest, row: Execution, *, force: bool = False) -> Execution | str:
        """Cancel one execution and log it in its task's history; return it as it is then, or why it was not done."""
        try:
            found = cancel(
                row.tracking_id,
                user=signed_in(request),
                force_after=timedelta(0) if force else None,
                authorize=requiring(request.user, CANCEL_EXECUTION),
            )
        except ScheduledTasksError as exc:
            return error_text(exc)
        if row.task is not None:
            text = _("Force stop: %(execution)s.") if force else _("Cancel: %(execution)s.")
            self.log_change(request, row.task, text % {"execution": execution_name(row.pk)})
        return found

    def cancel_all(self, request: HttpRequest, rows: QuerySet[Execution]) -> list[Message]:
        """Cancel the open executions among *rows*; return the messages that say what became of each."""
        found = Execution.objects.filter(pk__in=rows.values_list("pk", flat=True)).select_related("task").order_by("pk")
        ended: list[Execution] = []
        asked: list[Execution] = []
        not_done: list[tuple[Execution, str]] = []
        for row in found:
            if not row.is_open:
                not_done.append((row, _("it has ended")))
                continue
            said = self._cancel(request, row)
            if isinstance(said, str):
                not_done.append((row, said))
            else:
                (asked if said.is_open else ended).append(row)
        return cancelled(self.admin_site, ended, asked, not_done)

    # --- running again

    def start_again(self, request: HttpRequest, rows: QuerySet[Execution]) -> None:
        """Run the tasks of *rows* again with the parameters of *rows*."""
        found = Execution.objects.filter(pk__in=rows.values_list("pk", flat=True)).select_related("task").order_by("pk")
        wanted: list[tuple[ScheduledTask, dict[str, Any]]] = []
        for row in found:
            if row.task is None:
                text = _("Not started: the task of %(execution)s is no longer there.")
                messages.warning(request, text % {"execution": row})
            else:
                wanted.append((row.task, {"rerun_of": row}))
        for said in start_each(self, request, wanted):
            show(request, said)

    # --- deleting

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return what will be deleted; Django's own way would read all log lines."""
        rows = list(objs)
        refused = set() if all(self.has_delete_permission(request, row) for row in rows) else {_("open execution")}
        return [str(row) for row in rows], {self.opts.verbose_name_plural: len(rows)}, refused, []

    def delete_model(self, _request: HttpRequest, obj: Execution) -> None:
        """Delete one execution that has ended."""
        delete_executions([obj.pk])

    def delete_queryset(self, _request: HttpRequest, queryset: Any) -> None:
        """Delete the executions that have ended."""
        delete_executions(list(queryset.values_list("pk", flat=True)))


def _log_file(row: Execution) -> Iterator[str]:
    for line in logs.lines_after(row).iterator(chunk_size=500):
        at = f"{line.logged_at:%Y-%m-%dT%H:%M:%S.%f}Z"
        yield behind(f"{at} {on_one_line(line.level)} {on_one_line(line.logger)}: ", line.message) + "\n"
