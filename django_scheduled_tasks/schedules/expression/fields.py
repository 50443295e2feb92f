"""Which days and times of day the fields of a cron expression match, without a time zone."""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

_DAYS_A_WEEK, _FRIDAY = 7, 4
_ALL_DAYS, _ALL_MONTHS = 31, 12


@dataclass(frozen=True, slots=True)
class Fields:
    """What the six fields of an expression match."""

    texts: tuple[str, ...]
    """The six fields as text, in capitals, seconds first, as cronsim reads them."""
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    last_day: bool
    last_working_day: bool
    months: tuple[int, ...]
    weekdays: frozenset[int]
    """0 to 6; 0 is Sunday."""
    last_weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    both_days: bool
    """Whether day *and* weekday have to match: if one of the two fields starts with ``*``, or says so by ``&``."""
    says_both: bool
    """Whether it says so by ``&``."""
    hour_moves: bool
    """Whether the hour field starts with ``*``: then the schedule follows the real clock when clocks change."""

    @property
    def any_day(self) -> bool:
        """Whether the day field allows every day."""
        return len(self.days) == _ALL_DAYS

    @property
    def any_weekday(self) -> bool:
        """Whether the weekday field allows every day."""
        return len(self.weekdays) == _DAYS_A_WEEK

    @property
    def times_a_day(self) -> int:
        """How many times of day match."""
        return len(self.seconds) * len(self.minutes) * len(self.hours)

    @property
    def every_day(self) -> bool:
        """Whether every day matches."""
        return len(self.months) == _ALL_MONTHS and self.any_day and self.any_weekday

    def days_of(self, first_weekday: int, length: int) -> tuple[int, ...]:
        """Return the days that match in a month of *length* days that begins on *first_weekday* (0 is Monday)."""
        return _days_of(self, first_weekday, length)

    def days_between(self, first: date, end: date) -> Iterator[date]:
        """Yield the days that match, from *first* on and before *end*."""
        month = first.replace(day=1)
        while month < end:
            if month.month in self.months:
                for day in self.days_of(*monthrange(month.year, month.month)):
                    found = month.replace(day=day)
                    if first <= found < end:
                        yield found
            month = (month + timedelta(days=31)).replace(day=1)

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many matching walls are later than *after* and not later than *until* (which is not before it)."""
        after, until = after + timedelta(seconds=1), until + timedelta(seconds=1)
        return self._before(until) - self._before(after) + self._whole_days(after.date(), until.date())

    def _before(self, wall: datetime) -> int:
        """Return how many walls match from midnight on and before *wall*."""
        day = wall.date()
        return self._times_before(wall.time()) if any(self.days_between(day, day + timedelta(days=1))) else 0

    def _times_before(self, moment: time) -> int:
        hour, minute, second = moment.hour, moment.minute, moment.second
        number = bisect_left(self.hours, hour) * len(self.minutes) * len(self.seconds)
        if hour in self.hours:
            number += bisect_left(self.minutes, minute) * len(self.seconds)
            if minute in self.minutes:
                number += bisect_left(self.seconds, second)
        return number

    def _whole_days(self, first: date, end: date) -> int:
        days = (end - first).days if self.every_day else sum(1 for _day in self.days_between(first, end))
        return days * self.times_a_day


@lru_cache(maxsize=4096)
def _days_of(fields: Fields, first_weekday: int, length: int) -> tuple[int, ...]:
    found = []
    for day in range(1, length + 1):
        weekday = (first_weekday + day) % _DAYS_A_WEEK  # Monday, 0, is cron's 1
        by_day = (
            day in fields.days
            or (fields.last_day and day == length)
            or (fields.last_working_day and day == _last_working_day(first_weekday, length))
        )
        by_weekday = (
            weekday in fields.weekdays
            or (weekday in fields.last_weekdays and day + _DAYS_A_WEEK > length)
            or (weekday, (day - 1) // _DAYS_A_WEEK + 1) in fields.nth_weekdays
        )
        if (by_day and by_weekday) if fields.both_days else (by_day or by_weekday):
            found.append(day)
    return tuple(found)


def _last_working_day(first_weekday: int, length: int) -> int:
    """Return the last day that is not a Saturday or Sunday."""
    weekday = (first_weekday + length - 1) % _DAYS_A_WEEK
    return length - max(0, weekday - _FRIDAY)
