"""What has changed since the last success, on the page of an execution that failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.db import models
from django.template.loader import render_to_string
from django.utils.dateparse import parse_duration
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.html import execution_link, instant, instant_text, page_url, with_query
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION, VIEW_TASK, Caller, may
from django_scheduled_tasks.services.queries.executions.changed import Change, changed_since_success

_LABELS = {
    "release": gettext_lazy("Release"),
    "worker": gettext_lazy("Worker"),
    "python": "Python",
    "django": "Django",
    "tzdata": gettext_lazy("Time zone data"),
}
_IN_SENTENCE = {"tzdata": gettext_lazy("time zone data")}
_FIELDS: dict[str, Any] = {field.name: field for field in ScheduledTask._meta.concrete_fields}
"""The fields of a task; another release, which runs as well, may know more of them."""


def changed_part(execution: Execution, site: AdminSite, user: Caller) -> SafeString | str:
    """Return what has changed since the last success of the task; that it never succeeded, if so.

    It tells of that other execution, and of the task: *user* sees of them what they may see on their own pages.
    """
    if execution.task_id is None:
        return ""
    changed = changed_since_success(execution)
    context: dict[str, Any] = {"never": changed is None}
    if changed is not None:
        if not may(user, VIEW_EXECUTION, changed.since):
            return ""
        sees_task = may(user, VIEW_TASK, execution.task)
        changes = [one for one in changed.changes if sees_task or one.what != "task"]
        if changed.changes and not changes:
            return ""
        same = ", ".join(f"{_IN_SENTENCE.get(one.what, _LABELS[one.what])} {one.after}" for one in changed.same)
        context |= {
            "since": execution_link(site, changed.since.pk, f"#{changed.since.pk}"),
            "then": instant(changed.since.started_at or changed.since.triggered_at),
            "rows": [_row(one, site, sees_task=sees_task) for one in changes],
            "same": same,
            "compare_url": compare_url(site, execution.pk, changed.since.pk),
            "number": changed.since.pk,
        }
    return render_to_string("admin/django_scheduled_tasks/execution/changed.html", context)


def compare_url(site: AdminSite, pk: int, other: int) -> str:
    """Return the URL of the page that shows two executions side by side; empty on a site without it."""
    return with_query(page_url(site, "execution_compare", pk), **{"with": other})


def _row(change: Change, site: AdminSite, *, sees_task: bool) -> dict[str, Any]:
    """Return the cells of a change; who has changed the task's parameters is for those who may see the task."""
    url = page_url(site, "change_change", change.number) if change.number is not None else ""
    return {
        "label": _label(change),
        "is_name": change.what == "parameter",
        "before": _value(change, change.before),
        "after": _value(change, change.after),
        "by": _who(change) if sees_task or change.number is None else "",
        "url": url if sees_task else "",
    }


def _label(change: Change) -> str:
    if change.what == "task":
        field = _FIELDS.get(change.name)
        return str(capfirst(field.verbose_name if field is not None else change.name))
    return change.name if change.what == "parameter" else str(_LABELS[change.what])


def _value(change: Change, text: str) -> str:
    """Return a value as people read it: durations in words, and a dash for nothing."""
    if text and change.what == "task" and isinstance(_FIELDS.get(change.name), models.DurationField):
        duration = parse_duration(text)
        text = duration_text(duration) if duration is not None else ""
    elif text and change.what == "task" and isinstance(_FIELDS.get(change.name), UtcDateTimeField):
        text = instant_text(datetime.fromisoformat(text), seconds=True)
    return text or "—"


def _who(change: Change) -> SafeString:
    """Return who has changed it, and when."""
    if change.at is None:
        return format_html("{}", "")
    return format_html("{}{}", f"{change.by}, " if change.by else "", instant(change.at))
