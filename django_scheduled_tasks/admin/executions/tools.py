"""The buttons of an execution's page: Cancel while it is open, Force stop if it does not stop, then Run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from django_scheduled_tasks.admin.executions.told import acknowledge_url
from django_scheduled_tasks.admin.ui.html import execution_url, task_url, with_query
from django_scheduled_tasks.admin.ui.missed import can_be_made_good, run_now_text

if TYPE_CHECKING:
    from django_scheduled_tasks.admin.executions.page import ExecutionPage


def tools_of(page: ExecutionPage) -> SafeString:
    """Return the buttons for what can be done with the execution of *page* now, by who sees it."""
    row = page.row
    may_stop = page.may_cancel and row.is_open
    can_force = may_stop and page.is_slow_to_stop and row.cancel_force_at is None
    stop_url = execution_url(page.site, "cancel", row.pk)
    context = {
        "number": str(row.pk),
        "link": execution_url(page.site, "change", row.pk),
        "acknowledge_url": acknowledge_url(page.alerted, row, page.site, page.user) if page.alerted else "",
        "csrf_token": page.csrf_token,
        "cancel_url": stop_url if may_stop and row.cancel_requested_at is None else "",
        "force_url": stop_url if can_force else "",
        "again_url": _again_url(page),
        "run_now": run_now_text(row, page.now) if page.missed is not None else "",
    }
    return render_to_string("admin/django_scheduled_tasks/execution/tools.html", context)


def _again_url(page: ExecutionPage) -> str:
    """Return the address that repeats it, or makes good what was missed; empty if that cannot be done."""
    row = page.row
    if not page.may_run or row.is_open or row.task is None:
        return ""
    is_function_same = row.task.function == row.function
    can_run = can_be_made_good(row, page.missed.by) if page.missed is not None else is_function_same
    return with_query(task_url(page.site, "run_once", row.task_id), again=row.pk) if can_run else ""
