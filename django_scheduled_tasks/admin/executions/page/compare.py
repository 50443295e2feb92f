"""Two executions side by side: facts, parameters, result and log, with what differs marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.executions.page.facts import ran_for, release_facts
from django_scheduled_tasks.admin.executions.page.parameters import LONGEST
from django_scheduled_tasks.admin.executions.page.view import ExecutionPage
from django_scheduled_tasks.admin.ui.base import ScreenAdmin
from django_scheduled_tasks.admin.ui.html import execution_link, execution_name, execution_pill, first_line, instant
from django_scheduled_tasks.admin.ui.text.json_text import as_json
from django_scheduled_tasks.admin.ui.text.labels import starter_text
from django_scheduled_tasks.admin.ui.text.zones import drawn_in, in_zone
from django_scheduled_tasks.identifiers import read_number
from django_scheduled_tasks.services.queries.executions.changed import last_success_before
from django_scheduled_tasks.services.queries.executions.effective import effective_parameters
from django_scheduled_tasks.services.queries.executions.side_by_side import MOST_LINES, Line, side_by_side
from django_scheduled_tasks.services.running.logs import lines_after

LOG_ROOM, LINE_ROOM = 65_536, 500
"""How many characters of each log, and of each line, are compared."""


class CompareMixin(ScreenAdmin):
    """The page that compares two executions."""

    def page_of(self, request: HttpRequest, pk: int) -> ExecutionPage:
        """Return the page of an execution; implemented by the admin class."""
        raise NotImplementedError

    def compare_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show an execution beside another one (``?with=``), by default its task's last success before it."""
        shown = self.page_of(request, pk)
        with in_zone(shown.zone):
            return drawn_in(shown.zone, self._compared(request, shown))

    def _compared(self, request: HttpRequest, shown: ExecutionPage) -> HttpResponse:
        asked = request.GET.get("with", "").strip().removeprefix("#")
        other, said = self._other(request, shown, asked)
        pages = sorted((page for page in (shown, other) if page is not None), key=lambda page: page.row.pk)
        return self.page(
            request,
            "execution/compare.html",
            title=_("Compare %(execution)s") % {"execution": execution_name(shown.row.pk)},
            original=shown.row,
            asked=asked,
            said=said,
            heads=[self._head(page) for page in pages] if other is not None else [],
            parts=_parts(*pages) if other is not None else [],
        )

    def _other(self, request: HttpRequest, shown: ExecutionPage, asked: str) -> tuple[ExecutionPage | None, str]:
        """Return the page of the other execution, or a text that says why there is none."""
        if not asked:
            success = last_success_before(shown.row)
            number, absent = success.pk if success is not None else None, _("It has never succeeded.")
        else:
            number, absent = read_number(asked), _("There is no execution #%(number)s.") % {"number": asked[:20]}
        if number is None or number == shown.row.pk:
            return None, absent if number is None else _("This is the same execution.")
        try:
            return self.page_of(request, number), ""
        except Http404:
            return None, absent
        except PermissionDenied:
            return None, _("You may not see execution #%(number)s.") % {"number": number}

    def _head(self, page: ExecutionPage) -> dict[str, Any]:
        row = page.row
        return {"link": execution_link(self.admin_site, row.pk), "pill": execution_pill(row)}


def _parts(left: ExecutionPage, right: ExecutionPage) -> list[dict[str, Any]]:
    """Return the tables of the page: facts and parameters by name, result and log by line."""
    parts: list[dict[str, Any]] = [
        {"title": _("Facts"), "rows": list(_named(_facts(left), _facts(right)))},
        {"title": _("Parameters"), "are_names": True, "rows": list(_named(_parameters(left), _parameters(right)))},
    ]
    if not (left.sees_logs and right.sees_logs):
        return [*parts, {"title": _("Log and result"), "note": _("Log and result are for those who may see logs.")}]
    logs = [_log(page) for page in (left, right)]
    is_cut = any(cut for _lines, cut in logs)
    return [
        *parts,
        {"title": _("Result"), "lines": _lines_of([_result(left), _result(right)])},
        {
            "title": _("Log"),
            "lines": _lines_of([lines for lines, _cut in logs]),
            "note": _("Only the beginning of the logs is compared.") if is_cut else "",
        },
    ]


def _facts(page: ExecutionPage) -> dict[str, Any]:
    row = page.row
    error = first_line(row, limit=LINE_ROOM, sees_logs=page.sees_logs) if row.error_type or row.error_message else ""
    return {
        _("Task"): row.task_name,
        _("Function"): row.function,
        _("Started by"): starter_text(row),
        _("Started"): instant(row.started_at, seconds=True, now=page.now),
        _("Ran for"): ran_for(row, page.now),
        _("Attempt"): str(row.attempt),
        _("Worker"): row.worker_host,
        **dict(release_facts(row)),
        _("Error"): error,
    }


def _parameters(page: ExecutionPage) -> dict[str, str]:
    return {one.name: one.value[:LONGEST] for one in effective_parameters(page.row)}


def _named(left: dict[str, Any], right: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys([*left, *right]):
        one, other = left.get(name, ""), right.get(name, "")
        if one or other:
            yield {"name": name, "left": one, "right": other, "differs": one != other}


def _result(page: ExecutionPage) -> list[str]:
    row = page.row
    if row.result is None:
        return []
    text = row.result if row.result_format in {"repr", "cut"} else as_json(row.result)
    return [line[:LINE_ROOM] for line in str(text)[:LOG_ROOM].splitlines()]


def _log(page: ExecutionPage) -> tuple[list[str], bool]:
    """Return the first lines of the log, without times, which always differ; and whether there are more."""
    found: list[str] = []
    room = LOG_ROOM
    for line in lines_after(page.row)[: MOST_LINES + 1]:
        text = f"{line.level} {line.message}"[:LINE_ROOM]
        room -= len(text)
        if room < 0 or len(found) == MOST_LINES:
            return found, True
        found.append(text)
    return found, False


def _lines_of(texts: Sequence[Iterable[str]]) -> list[Line]:
    left, right = (list(text) for text in texts)
    return side_by_side(left, right)
