"""Durations as text (``90s``, ``5m``, ``2h30m``, ``1d``), and the least value of each duration of a task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.texts import gettext as _

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"\s*".join(rf"(?:(?P<{unit}>[0-9]{{1,12}})\s*{unit})?" for unit in _UNITS), re.IGNORECASE)
_MOST = timedelta(days=36_525)
LEAST: Mapping[str, timedelta] = dict.fromkeys(
    (
        *("timeout", "max_runtime", "grace", "expires_after", "min_backoff", "max_backoff", "max_age", "spread"),
        *("keep_for", "must_succeed_every"),
    ),
    timedelta(seconds=1),
)
"""The least value of each duration that a task has, by its name; the same in admin, REST API and code. An absent
duration means "no limit"; one of 0 would mean that nothing ever starts, ends in time or is kept."""
_COMPOUND_FROM = 100
"""A number of this size is written with larger units: 90s, but 1m40s."""
_SHOWN = 30


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    Args:
        text: Numbers with units, larger units first: weeks, days, hours, minutes, seconds as ``w d h m s``.
    Raises:
        InvalidSchedule: It is not such a text, or more than a hundred years; ``field`` is ``interval``.
    """
    cleaned = text.strip()
    match = _DURATION.fullmatch(cleaned) if cleaned else None
    if match is None:
        shown = text[:_SHOWN]
        raise InvalidSchedule(
            _('"%(text)s" is not a duration. Write it like 90s, 5m, 2h30m or 1d.') % {"text": shown},
            field="interval",
            value=shown,
        )
    seconds = sum(int(number) * _UNITS[unit] for unit, number in match.groupdict(default="0").items())
    if seconds > _MOST.total_seconds():
        raise InvalidSchedule(
            _("%(text)s is more than a hundred years.") % {"text": cleaned[:_SHOWN]},
            field="interval",
            value=cleaned[:_SHOWN],
            allowed=(0, int(_MOST.total_seconds())),
        )
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return *duration* as the text that :func:`parse_duration` reads; fractions of a second are dropped.

    One unit where it fits without a large number (``90s``, ``36h``, ``14d``), else several (``2h30m``).
    """
    rest = int(duration.total_seconds())
    if rest < 0:
        return "-" + format_duration(-duration)
    units = {unit: size for unit, size in _UNITS.items() if unit != "w"}
    for unit, size in units.items():
        if rest and rest % size == 0 and (rest // size < _COMPOUND_FROM or unit == "d"):
            return f"{rest // size}{unit}"
    parts = []
    for unit, size in units.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
