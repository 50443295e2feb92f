"""The rules of calendars once more, slow and obvious: every occurrence of a long time is judged by itself.

It shares with the product only the schedule itself, which has a model of its own, and the holidays.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
MARGIN = timedelta(days=40)


class Excludes:
    """What one calendar excludes: sets of weekdays and dates, and windows as (weekday, minute) pairs."""

    def __init__(self, zone: str, weekdays: set[int], dates: set[date], windows: list[tuple[int, int]]) -> None:
        self.zone, self.weekdays, self.dates, self.windows = ZoneInfo(zone), weekdays, dates, windows

    def excludes(self, instant: datetime) -> bool:
        local = instant.astimezone(self.zone)
        if local.weekday() not in self.weekdays or local.date() in self.dates:
            return True
        return any(self.is_in(instant, window) for window in self.windows)

    def is_in(self, instant: datetime, window: tuple[int, int]) -> bool:
        """Whether it lies in a window of this week or the one before, each begun and ended by the clock."""
        first, last = window
        local = instant.astimezone(self.zone).date()
        for weeks in (0, 1):
            monday = local - timedelta(days=local.weekday() + 7 * weeks)
            begins = clock(self.zone, datetime.combine(monday, datetime.min.time()) + timedelta(minutes=first))
            length = last if last > first else last + 7 * 1440
            ends = clock(self.zone, datetime.combine(monday, datetime.min.time()) + timedelta(minutes=length))
            if begins <= instant < ends:
                return True
        return False


def clock(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the first instant at which the clock shows *wall*, or has gone past it: found by looking."""
    guess = wall.replace(tzinfo=zone).astimezone(UTC)
    if guess.astimezone(zone).replace(tzinfo=None) == wall:
        return guess
    at = guess - timedelta(hours=3)
    step = timedelta(minutes=1)
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += step
    return at


def due(nominals: list[datetime], calendars: list[Excludes], how: str, zone: ZoneInfo) -> list[datetime]:
    """Return when it is due, of nominal instants that reach far beyond what is compared."""

    def is_free(instant: datetime) -> bool:
        return not any(calendar.excludes(instant) for calendar in calendars)

    found = set()
    for nominal in nominals:
        if is_free(nominal):
            found.add(nominal)
        elif how == "delay":
            at = nominal
            while not is_free(at):
                at += timedelta(minutes=1)  # exclusions begin and end with a minute
                at = at.replace(second=0)
            found.add(at)
        elif how != "skip":
            wall = nominal.astimezone(zone).replace(tzinfo=None)
            for number in range(1, 32):
                at = clock(zone, wall + number * (DAY if how == "next_allowed" else -DAY))
                if is_free(at):
                    found.add(at)
                    break
    return sorted(found)
