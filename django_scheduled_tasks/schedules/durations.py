"""Durations as people write them: ``90s``, ``5m``, ``2h30m``, ``1d``, ``1w``."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule

_DURATION = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?(?:(\d{1,8})m)?(?:(\d{1,10})s)?", re.IGNORECASE)
LONGEST = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """Return the duration that *text* describes.

    Raises:
        InvalidSchedule: It is not one, not longer than zero, or longer than a hundred years.
    """
    found = _DURATION.fullmatch("".join(text.split())) if text.isascii() and len(text) <= 100 else None  # noqa: PLR2004
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in (found.groups() if found else ("",) * 5))
    try:
        duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        duration = timedelta.max
    if not timedelta(0) < duration <= LONGEST:
        raise InvalidSchedule(
            _("Interval: %(value)s is not a duration such as 90s, 5m, 2h30m, 1d or 1w.") % {"value": text[:40] or '""'},
            field="interval",
            value=text[:40],
        )
    return duration


def format_duration(duration: timedelta) -> str:
    """Return *duration* (whole seconds) as people write it; weeks only where nothing is left over."""
    seconds = int(duration.total_seconds())
    if seconds % 604_800 == 0 and seconds:
        return f"{seconds // 604_800}w"
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
