"""The buttons of an execution's page: Cancel while it is open, Force stop if it does not stop, then Run again."""

from __future__ import annotations

from datetime import datetime

from django.contrib.admin import AdminSite
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from django_scheduled_tasks.admin.executions.page.missed import MissedPart
from django_scheduled_tasks.admin.ui.html import execution_url, task_url, with_query
from django_scheduled_tasks.admin.ui.missed import can_be_made_good, run_now_text
from django_scheduled_tasks.models import Execution


def tools_of(
    row: Execution,
    *,
    site: AdminSite,
    now: datetime,
    csrf_token: str,
    acknowledge_url: str,
    may_cancel: bool,
    may_run: bool,
    is_slow_to_stop: bool,
    missed: MissedPart | None,
) -> SafeString:
    """Return the buttons for what can be done with *row* now.

    Args:
        row: The execution with its task.
        site: The admin site.
        now: Aware; decides which day is today.
        csrf_token: For the forms.
        acknowledge_url: What acknowledges its alert; empty if there is none.
        may_cancel: Whether the user may cancel it.
        may_run: Whether the user may run its task again.
        is_slow_to_stop: Whether it was asked to stop a while ago.
        missed: What is known of it, if it was missed.
    """
    may_stop = may_cancel and row.is_open
    stop_url = execution_url(site, "cancel", row.pk)
    context = {
        "number": str(row.pk),
        "link": execution_url(site, "change", row.pk),
        "acknowledge_url": acknowledge_url,
        "csrf_token": csrf_token,
        "cancel_url": stop_url if may_stop and row.cancel_requested_at is None else "",
        "force_url": stop_url if may_stop and is_slow_to_stop and row.cancel_force_at is None else "",
        "again_url": _again_url(row, site, missed) if may_run else "",
        "run_now": run_now_text(row, now) if missed is not None else "",
    }
    return render_to_string("admin/django_scheduled_tasks/execution/tools.html", context)


def _again_url(row: Execution, site: AdminSite, missed: MissedPart | None) -> str:
    """Return the address that repeats it, or makes good what was missed; empty if that cannot be done."""
    if row.is_open or row.task is None:
        return ""
    is_function_same = row.task.function == row.function
    can_run = can_be_made_good(row, missed.by) if missed is not None else is_function_same
    return with_query(task_url(site, "run_once", row.task_id), again=row.pk) if can_run else ""
