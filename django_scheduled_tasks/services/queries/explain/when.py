"""Reads the instant that somebody asks about: a time of day, a wall-clock time in the task's zone, or ISO 8601."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.models.limits import check_instant
from django_scheduled_tasks.schedules import clock_change, parse_timezone

_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class When:
    """An instant."""

    at: datetime
    """Aware, in UTC."""
    skipped: datetime | None = None
    """The wall-clock time that was meant, if the clock skipped it; *at* is then the first instant after the gap."""
    before: str = ""
    after: str = ""
    """What the clock showed before and after such a gap, as ``02:00``."""


def read_when(text: str, *, timezone: str, now: datetime) -> When:
    """Return what *text* means: ``02:00`` is the last time that the clock of *timezone* showed it.

    Args:
        text: ``02:00``, ``02:00:30``, ``2026-03-29 02:30`` or ISO 8601 with an offset.
        timezone: An IANA name.
        now: Aware; the present instant.
    Raises:
        InvalidInput: It cannot be read, or is an instant that not every database holds.
    """
    zone = parse_timezone(timezone)
    try:
        if match := _TIME.fullmatch(text.strip()):
            hour, minute, second = (int(part or 0) for part in match.groups())
            wall = datetime.combine(now.astimezone(zone).date(), time(hour, minute, second))
            found = _meant(wall, timezone)
            return found if found.at <= now else _meant(wall - _DAY, timezone)
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            check_instant(moment.replace(tzinfo=UTC))
            return _meant(moment, timezone)
        check_instant(moment)
        return When(moment.astimezone(UTC))
    except (ValueError, OverflowError, ValidationError):
        message = _("write a time such as 02:00, or an instant such as 2026-03-20T23:00:00Z.")
        raise InvalidInput([FieldError("at", message, "invalid")]) from None


def _meant(wall: datetime, timezone: str) -> When:
    at, gap = clock_change.meant(wall.replace(microsecond=0), timezone)
    if gap is None:
        return When(at)
    return When(at, wall, f"{gap.wall_before:%H:%M}", f"{gap.wall_after:%H:%M}")
