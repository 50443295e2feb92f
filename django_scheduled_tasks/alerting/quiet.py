"""Hours of the day in which people are not disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django_scheduled_tasks.schedules.wall import to_instant

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From a time of day until another one, on the next day if that is not the later one.

    A time that the clock skips is the first instant after the gap; of one that it shows twice the first counts.
    """

    begin: time
    end: time
    zone: ZoneInfo

    def over_at(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end in which *now* is; None if it is in none."""
        today = now.astimezone(self.zone).date()
        for day in (today - _DAY, today):
            begin = to_instant(datetime.combine(day, self.begin), self.zone)
            last = day if self.begin < self.end else day + _DAY
            end = to_instant(datetime.combine(last, self.end), self.zone)
            if begin <= now < end:
                return end
        return None
