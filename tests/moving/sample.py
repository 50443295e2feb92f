"""Which due times of a schedule are compared: the first, those around clock changes, and some of each fortnight."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

BEGIN, END = datetime(2027, 1, 1, 0, 0, 30, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
LOCAL = "Europe/Berlin"
"""The zone of a schedule that names none, where the library takes that of the machine or the project."""


def moments(zone: ZoneInfo) -> list[tuple[datetime, int]]:
    """Return from when on to look, and at how many."""
    found = [(BEGIN, 300)]
    day, offset = BEGIN, BEGIN.astimezone(zone).utcoffset()
    while day < END:
        following = day + timedelta(hours=1)
        if following.astimezone(zone).utcoffset() != offset:
            offset = following.astimezone(zone).utcoffset()
            found.append((day - timedelta(hours=3), 100))
        if following.day == 15 and following.hour == 12:
            found.append((following, 5))
        day = following
    return found


def digest(after: Callable[[datetime], Iterator[datetime]], zone: ZoneInfo) -> list[object]:
    """Return how many due times there are in the sample, and their hash."""
    seen: list[str] = []
    for moment, number in moments(zone):
        instants = takewhile(lambda one: one < END, after(moment))
        last = None
        for instant in islice(instants, number):
            if instant != last:  # APScheduler gives some twice where the clock changes
                seen.append(f"{instant.astimezone(UTC):%Y%m%dT%H%M%S}")
            last = instant
    return [len(seen), hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]]
