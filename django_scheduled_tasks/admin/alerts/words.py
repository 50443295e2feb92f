"""The small words of alerts on pages: kinds as pills, places, instants near today, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.admin import AdminSite
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.ui.html import link, page_url, pill
from django_scheduled_tasks.admin.ui.text.labels import StatusLabel, Tone
from django_scheduled_tasks.alerting import RED, Kind
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.alerts.telling import wording

_SHAPES = {
    Kind.FAILING: "failed",
    Kind.MISSED: "missed",
    Kind.LATE: "late",
    Kind.TOO_LONG: "timed_out",
    Kind.PAUSED_BY_SYSTEM: "paused",
    Kind.NO_SCHEDULER: "broken",
    Kind.NO_WORKER: "broken",
    Kind.STUCK: "expired",
    Kind.BROKEN: "broken",
}


def kind_pill(alert: Alert, href: str = "") -> SafeString:
    """Return the kind: red or amber while it is open, else grey; a link if *href* is given."""
    kind = Kind(alert.kind)
    tone = Tone.BAD if kind in RED else Tone.WARN
    shape = _SHAPES.get(kind, "late")
    return pill(StatusLabel(kind, wording.kind_name(kind), tone if alert.is_open else Tone.WAIT, shape), href=href)


def place(alert: Alert, site: AdminSite) -> SafeString:
    """Return what it is about: a link to its task, or the queue, or the installation."""
    url = page_url(site, "scheduledtask_change", alert.task_id) if alert.task_id is not None else ""
    return link(url, wording.where(alert))


def in_a_row(count: int) -> str:
    """Return how often something has happened in a row."""
    words = {1: _("Once"), 2: _("Twice in a row")}
    return words.get(count) or ngettext("%(count)s time in a row", "%(count)s times in a row", count) % {"count": count}


def failed_text(name: str, count: int) -> str:
    """Return that a task has failed so often in a row, as a sentence."""
    if count == 1:
        return _("%(task)s has failed.") % {"task": name}
    if count == 2:  # noqa: PLR2004  (twice)
        return _("%(task)s has failed twice in a row.") % {"task": name}
    text = ngettext(
        "%(task)s has failed %(count)s time in a row.", "%(task)s has failed %(count)s times in a row.", count
    )
    return text % {"task": name, "count": count}


def short_sentence(alert: Alert) -> str:
    """Return what is wrong, with the name of the task or place in it; nothing that a function said."""
    if alert.kind == Kind.FAILING:
        return failed_text(alert.task_name, alert.count)
    if alert.task_name or (alert.queue and alert.kind != Kind.NO_WORKER):
        return f"{wording.where(alert)}: {wording.sentence(alert)}"
    return wording.sentence(alert)


def joined(parts: Sequence[SafeString | str], by: str = " · ") -> SafeString:
    """Return those of *parts* that say something."""
    return format_html_join(by, "{}", ((part,) for part in parts if part))


def next_morning(now: datetime, *, weekday: int | None = None) -> datetime:
    """Return the next 09:00 in the current time zone, or that of the next such weekday (Monday is 0)."""
    local = timezone.localtime(now)
    for days in range(9):
        day = local.date() + timedelta(days=days)
        found = datetime(day.year, day.month, day.day, 9, tzinfo=timezone.get_current_timezone())
        if found > local and (weekday is None or day.weekday() == weekday):
            return found
    raise AssertionError  # of nine days one is the weekday, and later than now
