"""What both admin classes share: the base class, pills, messages about what was started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import AlreadyRunning, ScheduledTasksError
from django_scheduled_tasks.models import Execution, PresenceKind
from django_scheduled_tasks.services import presence
from django_scheduled_tasks.words import word_of

if TYPE_CHECKING or not apps.is_installed("unfold"):
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin

__all__ = ["ModelAdmin"]
EXECUTION_PAGE = "admin:django_scheduled_tasks_execution_change"


def pill(status: str, outcome: str, attempt: int = 1) -> SafeString:
    """Return the state of an execution as a pill: icon, word and colour."""
    word = word_of(status, outcome, attempt)
    return format_html(
        '<span class="dst-pill dst-{}"><svg class="dst-icon" aria-hidden="true"><use href="#dst-{}"/></svg>{}</span>',
        word.tone,
        word.icon,
        word.label,
    )


def instant(value: datetime | None) -> str | SafeString:
    """Return an instant in the reader's zone, with seconds."""
    if value is None:
        return "—"
    local = timezone.localtime(value)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), date_format(local, "M j, H:i:s"))


def duration(execution: Execution) -> str:
    """Return how long an execution ran: 340 ms, 8.0 s, 2 min 51 s, 3 h 10 min."""
    if execution.started_at is None or execution.completed_at is None:
        return "—"
    seconds = (execution.completed_at - execution.started_at).total_seconds()
    if seconds < 1:
        return _("%(count)d ms") % {"count": round(seconds * 1000)}
    if seconds < 60:  # noqa: PLR2004
        return _("%(count).1f s") % {"count": seconds}
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    return _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}


def execution_link(pk: int, text: str = "") -> SafeString:
    """Return a link to an execution's page."""
    return format_html('<a href="{}">{}</a>', reverse(EXECUTION_PAGE, args=[pk]), text or f"#{pk}")


def tell_started(request: HttpRequest, task: str, execution: Execution, *, replayed: bool = False) -> None:
    """Say that an execution was queued, with a link to it; warn when nobody is there to run it."""
    link = execution_link(execution.pk, _("Execution #%(number)s") % {"number": execution.pk})
    if replayed:
        messages.info(request, format_html(_("Already started: {}."), link))
    elif presence.is_alive(PresenceKind.WORKER):
        messages.success(request, format_html(_('Queued "{}" as {}.'), task, link))
    else:
        text = _("Queued as {}, but no worker has been seen. Start one: {}")
        messages.warning(request, format_html(text, link, format_html("<code>python manage.py {}</code>", "qcluster")))


def tell_refused(request: HttpRequest, task: str, error: ScheduledTasksError) -> None:
    """Say why an execution was not started."""
    if isinstance(error, AlreadyRunning) and error.number is not None:
        link = execution_link(error.number, _("Execution #%(number)s") % {"number": error.number})
        messages.warning(request, format_html(_('Not started: {} of "{}" is still running.'), link, task))
    else:
        messages.error(request, format_html(_('Not started "{}": {}'), task, error.message))


def tell_several(request: HttpRequest, started: Sequence[Execution], refused: Sequence[tuple[str, Any]]) -> None:
    """Say what came of starting several tasks at once, in one message each way."""
    if len(started) == 1:
        tell_started(request, started[0].task_name, started[0])
    elif started:
        links = format_html_join(", ", "{}", ((execution_link(item.pk),) for item in started))
        text = _("Queued {} executions: {}.")
        messages.success(request, format_html(text, len(started), links))
    for task, error in refused:
        tell_refused(request, task, error)
