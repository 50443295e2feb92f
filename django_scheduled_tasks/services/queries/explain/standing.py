"""Why a task stands still or stood still, and the sentence about it that is stored; reading only."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import EXCLUDED, SKIPPED_BY_HAND, PauseCode
from django_scheduled_tasks.models import Hold, ScheduledTask
from django_scheduled_tasks.planner import INSTANT
from django_scheduled_tasks.schedules import parse_timezone
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.messages import in_words
from django_scheduled_tasks.services.queries.holds import holding, lasting

PAUSED, DISABLED, BROKEN, CHANGED, ELSEWHERE = "paused", "disabled", "broken", "changed", "elsewhere"
"""What a skipped occurrence says in ``error_code`` if its task stood still, or if its schedule was changed first."""
HELD = "held"
"""What a missed one says that was due during a hold."""
_CANNOT_RUN = {PauseCode.UNKNOWN_FUNCTION, PauseCode.INVALID_SCHEDULE, PauseCode.NOT_PLANNED}
REASONS = (PAUSED, DISABLED, BROKEN, CHANGED, ELSEWHERE, HELD, SKIPPED_BY_HAND, EXCLUDED)


class Why(NamedTuple):
    """Why a task stands still."""

    code: str
    since: datetime
    until: datetime
    """When it ends by itself, or the present instant."""
    by: str
    reason: str


def stands(task: ScheduledTask, now: datetime) -> bool:
    """Whether the schedule of *task* is switched off, paused, or for other environments at *now*."""
    return not task.enabled or task.is_paused(now) or not task.runs_here


def why(task: ScheduledTask, now: datetime) -> Why | None:
    """Return why *task* stands still, or stood still until its pause ended by itself; None if it does not.

    The beginning of a pause that an older release has written is when it was paused.
    """
    since = task.stands_since or task.paused_at
    if since is None:
        return None
    if task.enabled and task.paused_at is None:
        return Why(ELSEWHERE, since, now, "", "")
    if not task.enabled:
        return Why(DISABLED, since, now, "", task.pause_reason if task.paused_at else "")
    is_over = task.paused_until is not None and task.paused_until <= now
    until = task.paused_until - INSTANT if is_over and task.paused_until is not None else now
    by = str(task.paused_by) if task.paused_by_id is not None else ""
    return Why(BROKEN if task.pause_code in _CANNOT_RUN else PAUSED, since, until, by, task.pause_reason)


def sentence(task: ScheduledTask, reason: Why) -> str:
    """Return who let *task* stand still, since when and why, as it is stored: in English, in the task's zone."""
    templates = {
        PAUSED: messages.PAUSED_BY if reason.by else messages.PAUSED,
        HELD: messages.HELD_BY if reason.by else messages.HELD,
        DISABLED: messages.DISABLED,
        BROKEN: messages.BROKEN,
        ELSEWHERE: messages.ELSEWHERE,
        CHANGED: messages.CHANGED,
    }
    since, until = (shown(task, instant) for instant in (reason.since, reason.until))
    said = templates[reason.code] % {"user": reason.by, "since": since, "until": until}
    return messages.WITH_REASON % {"sentence": said, "reason": reason.reason} if reason.reason else said


def why_held(hold: Hold, now: datetime) -> Why:
    """Return why nothing of the tasks that *hold* is for starts, or started."""
    by = str(hold.created_by) if hold.created_by_id is not None else ""
    return Why(HELD, hold.starts_at, hold.ended_at or hold.until or now, by, hold.reason)


def ongoing(task: ScheduledTask, reason: Why) -> str:
    """Return who lets *task* stand still, or holds it, since when and why, translated: it still does."""
    texts = {
        PAUSED: _("The task is paused by %(user)s since %(since)s.")
        if reason.by
        else _("The task is paused since %(since)s."),
        HELD: _("The task is held by %(user)s since %(since)s.")
        if reason.by
        else _("The task is held since %(since)s."),
        DISABLED: _("The task is switched off since %(since)s."),
        BROKEN: _("The task cannot run since %(since)s."),
        ELSEWHERE: _("It runs in %(names)s only.") % {"names": ", ".join(task.environments or ())},
    }
    said = texts[reason.code] % {"user": reason.by, "since": shown(task, reason.since)}
    if not reason.reason:
        return said
    quoted = in_words(reason.reason) if reason.code == BROKEN else reason.reason
    return _("%(sentence)s Reason: %(reason)s") % {"sentence": said, "reason": quoted}


def why_it_is_held(task: ScheduledTask) -> str:
    """Return who holds *task*, since when and why, translated; empty if nothing does. One statement."""
    hold = holding(task, lasting())
    return ongoing(task, why_held(hold, hold.starts_at)) if hold is not None else ""


def shown(task: ScheduledTask, instant: datetime) -> str:
    """Return *instant* in the zone of *task*, to the second."""
    with suppress(InvalidSchedule):
        instant = instant.astimezone(parse_timezone(task.timezone))
    # The edges of a stretch are an instant before an occurrence, or before the end of a pause.
    return f"{instant + INSTANT:%Y-%m-%d %H:%M:%S %Z}"
