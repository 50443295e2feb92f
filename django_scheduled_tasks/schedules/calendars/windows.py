"""Weekly windows, such as maintenance from Friday 18:00 to Monday 06:00."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.texts import gettext as _

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = timedelta(days=7)
_POINT = r"(?P<{0}_day>mon|tue|wed|thu|fri|sat|sun)[a-z]*\s+(?P<{0}_hour>[01]?\d|2[0-4]):(?P<{0}_minute>[0-5]\d)"
_WINDOW = re.compile(rf"{_POINT.format('from')}\s*(?:-|–|to)\s*{_POINT.format('to')}", re.IGNORECASE)
_SHOWN = 40
_DAY_MINUTES, _WEEK_MINUTES = 1_440, 10_080
_SLACK = 24 * 60
"""Minutes: no clock change is larger than a day, which islands have left out."""


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """A part of each week, by the wall clock of the calendar's zone; it may reach over the end of the week."""

    start: timedelta
    """Since Monday 00:00, inclusive."""
    end: timedelta
    """Since Monday 00:00, exclusive; if it is not after the start, in the week after."""

    @classmethod
    def parse(cls, text: str) -> WeeklyWindow:
        """Read ``Fri 18:00 – Mon 06:00``.

        Raises:
            InvalidSchedule: It is not such a text, or is empty; ``field`` is ``windows``.
        """
        match = _WINDOW.fullmatch(text.strip())
        found = cls(_offset(match, "from"), _offset(match, "to")) if match else None
        if found is None or found.start == found.end:
            raise InvalidSchedule(
                _('"%(text)s" is no weekly window. Write it like "Fri 18:00 – Mon 06:00".') % {"text": text[:_SHOWN]},
                field="windows",
                value=text[:_SHOWN],
            )
        return found

    def __str__(self) -> str:
        """Return it as :meth:`parse` reads it."""
        return f"{_text(self.start)} – {_text(self.end)}"

    def may_hold(self, local: datetime) -> bool:
        """Whether a wall time could lie in it, however the clock was put: a quick answer, mostly no."""
        minutes = local.weekday() * _DAY_MINUTES + local.hour * 60 + local.minute
        first = int(self.start.total_seconds()) // 60 - _SLACK
        length = int(((self.end - self.start) % _WEEK).total_seconds()) // 60 + 2 * _SLACK
        return (minutes - first) % _WEEK_MINUTES <= length

    def around(self, instant: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """Return start and end, in UTC, of the window that *instant* lies in; None if it lies in none."""
        local = instant.astimezone(zone).replace(tzinfo=None)
        monday = datetime.combine(local.date() - timedelta(days=local.weekday()), time())
        for week in (monday, monday - _WEEK):
            until = week + self.end + (_WEEK if self.end <= self.start else timedelta(0))
            start, end = wall.to_instant(week + self.start, zone), wall.to_instant(until, zone)
            if start <= instant < end:
                return start, end
        return None

    def next_start(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """Return when it begins next, in UTC, after *instant*."""
        local = instant.astimezone(zone).replace(tzinfo=None)
        monday = datetime.combine(local.date() - timedelta(days=local.weekday()), time())
        starts = (wall.to_instant(week + self.start, zone) for week in (monday, monday + _WEEK, monday + 2 * _WEEK))
        return next(start for start in starts if start > instant)


def _offset(match: re.Match[str], which: str) -> timedelta:
    day = _DAYS.index(match[f"{which}_day"].capitalize())
    return timedelta(days=day, hours=int(match[f"{which}_hour"]), minutes=int(match[f"{which}_minute"])) % _WEEK


def _text(offset: timedelta) -> str:
    hours, minutes = divmod(offset.seconds // 60, 60)
    return f"{_DAYS[offset.days]} {hours:02}:{minutes:02}"
