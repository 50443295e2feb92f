"""Why an occurrence did not start, or not at once: plain sentences, in English; they are translated when shown."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from django_scheduled_tasks.lifecycle import CatchUp
from django_scheduled_tasks.planner.model import MOST_CAUGHT_UP, Skip
from django_scheduled_tasks.schedules import format_duration
from django_scheduled_tasks.translation import gettext_noop

WAS_RUNNING = gettext_noop("Execution #%(number)s was still running.")
WAS_WAITING = gettext_noop("Execution #%(number)s was waiting to start.")
EARLIER_WAS_WAITING = gettext_noop("The occurrence before it was waiting to start.")
WAS_OPEN = gettext_noop("Execution #%(number)s was still open.")
EARLIER_WAS_OPEN = gettext_noop("The occurrence before it was still open.")
ASKED_TO_STOP = gettext_noop("Execution #%(number)s was asked to stop.")
ONE_WAITED = gettext_noop("One was waiting already.")
MANY_WAITED = gettext_noop("%(count)s were waiting already.")
LATER_WAS_DUE = gettext_noop("A later occurrence was due as well, which would have cancelled it.")
BEYOND_GRACE = gettext_noop("It was found %(late)s after it was due, and its grace is %(grace)s.")
BEYOND_LATEST = gettext_noop("A later occurrence was due by then; of several only the newest is started.")
BEYOND_ALL = gettext_noop("Of the occurrences that were due by then only the newest %(count)s are started.")
TOO_LATE = gettext_noop("No scheduler found it within %(limit)s; this task does not start late occurrences.")

SKIPPED_BY = gettext_noop("Skipped by %(user)s: “%(reason)s”.")
SKIPPED_BY_SOMEBODY = gettext_noop("Skipped: “%(reason)s”.")
SKIPPED_WITHOUT_REASON = gettext_noop("Skipped by %(user)s.")
SKIPPED = gettext_noop("Skipped by hand.")

TEMPLATES = (
    *(WAS_RUNNING, WAS_WAITING, EARLIER_WAS_WAITING, WAS_OPEN, EARLIER_WAS_OPEN, ASKED_TO_STOP),
    *(SKIPPED_BY, SKIPPED_BY_SOMEBODY, SKIPPED_WITHOUT_REASON, SKIPPED),
    *(ONE_WAITED, MANY_WAITED, LATER_WAS_DUE, BEYOND_GRACE, BEYOND_LATEST, BEYOND_ALL, TOO_LATE),
)
"""All of them, for those who translate what was stored."""


def skipped_by_hand(skip: Skip) -> str:
    """Return the sentence about an occurrence that somebody asked to be left out."""
    with_reason, without = (SKIPPED_BY, SKIPPED_WITHOUT_REASON) if skip.by else (SKIPPED_BY_SOMEBODY, SKIPPED)
    return (with_reason if skip.reason else without) % {"user": skip.by, "reason": skip.reason}


def beyond_grace(late: timedelta, grace: timedelta) -> str:
    """Return the sentence about an occurrence that was found *late* after its instant."""
    return BEYOND_GRACE % {"late": _shown(late), "grace": format_duration(grace)}


def beyond_catch_up(catch_up: CatchUp, on_time: timedelta) -> str:
    """Return the sentence about an occurrence that *catch_up* leaves."""
    texts = {CatchUp.LATEST: BEYOND_LATEST, CatchUp.ALL: BEYOND_ALL, CatchUp.NONE: TOO_LATE}
    return texts[catch_up] % {"count": MOST_CAUGHT_UP, "limit": format_duration(on_time)}


def _shown(late: timedelta) -> str:
    """Return a short lateness with a tenth of a second, rounded up: it never looks as short as the grace it exceeds."""
    seconds = late.total_seconds()
    return f"{ceil(seconds * 10) / 10:g}s" if seconds < 10 else format_duration(timedelta(seconds=ceil(seconds)))  # noqa: PLR2004
