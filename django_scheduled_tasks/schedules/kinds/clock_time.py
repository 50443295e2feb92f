"""Times of day in the expressions of schedules."""

from __future__ import annotations

import re
from datetime import time

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.texts import clock
from django_scheduled_tasks.schedules.texts import gettext as _

TIME = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
"""As people write it; for regular expressions."""
_SHOWN = 40


def read_time(given: str | time) -> time:
    """Return a time of day: ``17:00``, ``9:30``, ``23:59:59``.

    Raises:
        InvalidSchedule: It is none, or has a zone or a fraction of a second; ``field`` is ``time``.
    """
    if isinstance(given, str) and re.fullmatch(TIME, given.strip(), re.ASCII):
        text = given.strip()
        return time.fromisoformat(text if text.index(":") > 1 else f"0{text}")
    if isinstance(given, time) and given.tzinfo is None and not given.microsecond:
        return given
    shown = str(given)[:_SHOWN]
    wrong = _('"%(time)s" is no time of day. Write it like 17:00.')
    raise InvalidSchedule(wrong % {"time": shown}, field="time", value=shown)


def time_text(at: time) -> str:
    """Return it as :func:`read_time` reads it."""
    return clock(at)
