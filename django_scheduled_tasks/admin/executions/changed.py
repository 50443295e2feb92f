"""What has changed since the last success, on the page of an execution that failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.db import models
from django.utils.dateparse import parse_duration
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.ui.html import execution_link, instant, instant_text
from django_scheduled_tasks.admin.ui.humanize import duration_text
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION, VIEW_TASK, Caller, may
from django_scheduled_tasks.services.queries.changed import Change, changed_since_success
from django_scheduled_tasks.services.releases import live

_LABELS = {
    "release": gettext_lazy("Release"),
    "worker": gettext_lazy("Worker"),
    "parameter": gettext_lazy("Parameter"),
    "python": "Python",
    "django": "Django",
    "tzdata": gettext_lazy("Time zone data"),
}
_FIELDS: dict[str, Any] = {field.name: field for field in ScheduledTask._meta.concrete_fields}
"""The fields of a task; another release, which runs as well, may know more of them."""


def changed_text(execution: Execution, site: AdminSite, user: Caller) -> SafeString:
    """Return what has changed since the last success of the task; that it never succeeded, if so.

    It tells of that other execution, and of the task: *user* sees of them what they may see on their own pages.
    """
    changed = changed_since_success(execution)
    if changed is None and execution.task_id is None:
        return _none()
    if changed is None:
        return format_html('<p class="dst-quiet">{}</p>', _("It has never succeeded."))
    if not may(user, VIEW_EXECUTION, changed.since):
        return _none()
    sees_task = may(user, VIEW_TASK, execution.task)
    changes = tuple(one for one in changed.changes if sees_task or one.what != "task")
    since = execution_link(site, changed.since.pk, f"#{changed.since.pk}")
    if not changes and changed.changes:
        return _none()
    if not changes:
        text = format_html(_("Nothing that is recorded has changed since {execution}."), execution=since)
    else:
        text = format_html(_("Changed since {execution}, which completed:"), execution=since)
    same = ", ".join(f"{_LABELS[one.what]} {one.after}" for one in changed.same)
    return format_html(
        '<div class="dst-changed"><p>{}</p>{}{}</div>',
        text,
        _rows(changes),
        format_html('<p class="dst-quiet">{}</p>', _("The same: %(versions)s.") % {"versions": same}) if same else "",
    )


def release_facts(execution: Execution) -> list[tuple[str, str]]:
    """Return which release ran it, as (label, value), if that is known and has a name."""
    release = live.releases([execution.release]).get(execution.release) if execution.release else None
    return [(_("Release"), release.name)] if release and release.name else []


def _rows(changes: tuple[Change, ...]) -> SafeString:
    if not changes:
        return _none()
    rows = ((_label(one), _value(one, one.before), _value(one, one.after), _who(one)) for one in changes)
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {} → {}{}</li>", rows))


def _label(change: Change) -> str:
    if change.what == "task":
        field = _FIELDS.get(change.name)
        return str(capfirst(field.verbose_name if field is not None else change.name))
    return f"{_LABELS[change.what]} {change.name}".rstrip()


def _value(change: Change, text: str) -> str:
    """Return a value as people read it: durations in words, and a dash for nothing."""
    if text and change.what == "task" and isinstance(_FIELDS.get(change.name), models.DurationField):
        duration = parse_duration(text)
        text = duration_text(duration) if duration is not None else ""
    elif text and change.what == "task" and isinstance(_FIELDS.get(change.name), UtcDateTimeField):
        text = instant_text(datetime.fromisoformat(text), seconds=True)
    return text or "—"


def _who(change: Change) -> SafeString:
    """Return who has changed a field, and when."""
    if change.at is None:
        return _none()
    return format_html(
        ' <span class="dst-quiet">({}{})</span>', f"{change.by}, " if change.by else "", instant(change.at)
    )


def _none() -> SafeString:
    return SafeString("")
