"""Why an occurrence did not start, or not at once: plain sentences, in English; they are translated when shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from math import ceil

from django_scheduled_tasks.lifecycle import CatchUp
from django_scheduled_tasks.planner.model import MOST_CAUGHT_UP, Skip
from django_scheduled_tasks.schedules import format_duration
from django_scheduled_tasks.schedules.calendars import Exclusion, Landed
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

EXCLUDED = gettext_noop("Left out by a calendar: %(days)s.")
MOVED = gettext_noop("Moved here by a calendar from %(nominal)s: %(days)s.")
SEVERAL_MOVED = gettext_noop("%(count)s were moved here by a calendar, the first from %(nominal)s: %(days)s.")

TEMPLATES = (
    *(WAS_RUNNING, WAS_WAITING, EARLIER_WAS_WAITING, WAS_OPEN, EARLIER_WAS_OPEN, ASKED_TO_STOP),
    *(SKIPPED_BY, SKIPPED_BY_SOMEBODY, SKIPPED_WITHOUT_REASON, SKIPPED),
    *(EXCLUDED, MOVED, SEVERAL_MOVED),
    *(ONE_WAITED, MANY_WAITED, LATER_WAS_DUE, BEYOND_GRACE, BEYOND_LATEST, BEYOND_ALL, TOO_LATE),
)
"""All of them, for those who translate what was stored."""


def skipped_by_hand(skip: Skip) -> str:
    """Return the sentence about an occurrence that somebody asked to be left out."""
    with_reason, without = (SKIPPED_BY, SKIPPED_WITHOUT_REASON) if skip.by else (SKIPPED_BY_SOMEBODY, SKIPPED)
    return (with_reason if skip.reason else without) % {"user": skip.by, "reason": skip.reason}


def left_out(exclusions: Sequence[Exclusion], *, more: bool = False) -> str:
    """Return the sentence about what *exclusions* have left out."""
    return EXCLUDED % {"days": days_of(exclusions, more=more)}


def moved(landed: Landed, zone: tzinfo) -> str:
    """Return the sentence about what starts where it has *landed*; instants in *zone*."""
    nominal = f"{landed.first.astimezone(zone):%Y-%m-%d %H:%M}"
    values = {"count": landed.count, "nominal": nominal, "days": days_of(landed.exclusions)}
    return (MOVED if landed.count == 1 else SEVERAL_MOVED) % values


def days_of(exclusions: Sequence[Exclusion], *, more: bool = False) -> str:
    """Return what *exclusions* are called, with the calendar and its version: ``Saturday, Sunday (de, version 7)``."""
    labels: dict[tuple[str, int], list[str]] = {}
    for one in exclusions:
        labels.setdefault((one.calendar, one.version), []).append(one.label)
    parts = [f"{', '.join(names)} ({calendar}, v{version})" for (calendar, version), names in labels.items()]
    return "; ".join(parts) + ("; …" if more else "")


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
