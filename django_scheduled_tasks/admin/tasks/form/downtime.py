"""What an hour without a scheduler would do to the task in the form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.tasks.page.preview import candidate, expression_from
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import CatchUp, Overlap
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.planner import Downtime, after_downtime
from django_scheduled_tasks.translation import say_number

LENGTH = timedelta(hours=1)


def hour_without_scheduler(
    given: Mapping[str, Any], stored: ScheduledTask | None, *, catch_up: str, overlap: str, grace: timedelta | None
) -> str:
    """Return a sentence about an hour from now without a scheduler; "" if nothing can be said.

    Args:
        given: Its inputs about when the task is due.
        stored: The task that is changed, whose pause and runs so far count.
        catch_up: What the form says.
        overlap: The same.
        grace: The same.
    """
    if catch_up not in set(CatchUp) or overlap not in set(Overlap) or not expression_from(given):
        return ""
    now = read_now()
    task = candidate(given, stored, now)
    task.catch_up, task.overlap, task.grace = catch_up, overlap, grace
    try:
        return in_words(after_downtime(task.policy, now=now, length=LENGTH, run_count=task.run_count))
    except InvalidSchedule:
        return ""


def in_words(found: Downtime) -> str:
    """Return *found* as a sentence."""
    if not found.due:
        return _("Without a scheduler for the next hour no run would be missed: none is due.")
    starts = ngettext("%(count)s starts", "%(count)s start", found.starts)
    skipped = ngettext("%(count)s is skipped", "%(count)s are skipped", found.skipped)
    missed = ngettext("%(count)s is missed", "%(count)s are missed", found.missed)
    parts = [
        text % {"count": say_number(count)}
        for text, count in ((starts, found.starts), (skipped, found.skipped), (missed, found.missed))
        if count
    ]
    if found.waits:
        parts.insert(1, _("one after the other"))
    text = ngettext(
        "Without a scheduler for the next hour %(count)s run would be due: %(what)s.",
        "Without a scheduler for the next hour %(count)s runs would be due: %(what)s.",
        found.due,
    )
    return text % {"count": say_number(found.due), "what": ", ".join(parts)}
