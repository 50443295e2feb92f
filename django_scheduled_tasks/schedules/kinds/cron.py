"""Cron expressions: cronsim walks the calendar, this module decides what a clock change means.

cronsim finds the matching wall-clock times (*walls*). It gets no time zone, so it never meets a clock change. This
module decides which instant a wall means:

* If the hour field starts with ``*``, the schedule follows the real clock: a time that the clock skips does not occur,
  a time that it shows twice occurs twice.
* Otherwise each wall occurs once. One that the clock skips occurs at the first instant after the gap (several in one
  gap are one occurrence); one that the clock shows twice occurs the first time.

Where this differs from cronsim on purpose:

* The hour field alone decides, with any minute field: ``*/30 2 * * *`` does not lose the day of the gap, and
  ``*/30 1 * * *`` does not run four times on the day of the overlap.
* Expressions with seconds obey the same rule; cronsim lets all of them follow the real clock.
* A time in a gap happens at the first instant after it, even where that is not a whole minute.
* Going backwards gives the instants that going forwards gives; in cronsim the two may differ near a clock change.
* What follows the real clock does so exactly, changes of half an hour and those at midnight included; cronsim jumps
  to full local hours and days, and so may jump over a change.
* ``a-a/n`` (``5-5/10``) is the value ``a``, as in crontab(5); to cronsim it is ``a/n``.
* ``L/n`` and ``LW/n`` are refused; cronsim drops the step.
* Aliases (``@daily``) are accepted, and ``&`` before the weekday or the day: both have to fit.
* Letters that only look like names when put in capitals (``frı``) are refused.
* What can never happen because of the weekday (``0 0 */31 * 1#2``) is refused at once; cronsim searches fifty years.

Source:
    crontab(5) for the fields, Debian's cron(8) for days when clocks change, cronsim for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from cronsim import CronSim

from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.base import (
    EARLIEST,
    SECOND,
    Schedule,
    ceil_second,
    floor_second,
    parse_timezone,
    register_schedule_kind,
)
from django_scheduled_tasks.schedules.expression import grammar
from django_scheduled_tasks.schedules.expression.fields import Fields

_UTC = ZoneInfo("UTC")
_NEAR = timedelta(hours=6)
"""No zone sets its clock twice within this time and back to the same offset."""


@register_schedule_kind
@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """A cron expression in a time zone."""

    kind: ClassVar[str] = "cron"
    expression: str
    """As typed, with single spaces between the fields."""
    timezone: ZoneInfo | None = None
    """None: the project's default zone, filled in when the task is stored; UTC until then."""
    fields: Fields = field(init=False, repr=False, compare=False)
    searched: str = field(init=False, repr=False, compare=False)
    """The expression as cronsim reads it."""

    def __post_init__(self) -> None:
        """Check expression and zone; raise InvalidSchedule."""
        fields = grammar.parse(self.expression)
        object.__setattr__(self, "expression", " ".join(self.expression.split()))
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "searched", grammar.for_cronsim(fields))
        if self.timezone is not None:
            object.__setattr__(self, "timezone", parse_timezone(self.timezone))

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Cron:
        """Read an expression; *anchor* is ignored."""
        del anchor
        return cls(expression, timezone)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the expression is read."""
        return self.timezone or _UTC

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due instant strictly later than *moment*; see :class:`Schedule`."""
        start = floor_second(moment)
        if self.zone.key == "UTC":
            found = self._wall_after(start.replace(tzinfo=None))
            return found and found.replace(tzinfo=UTC)
        if self.fields.hour_moves:
            return self._moving_after(start)
        found = self._wall_after(wall.last_wall_until(self.zone, start))
        return found and wall.to_instant(found, self.zone)

    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last due instant strictly earlier than *moment*; see :class:`Schedule`."""
        end = ceil_second(moment)
        if end <= EARLIEST:
            return None
        if self.zone.key == "UTC":
            found = self._wall_before(end.replace(tzinfo=None))
            return found and found.replace(tzinfo=UTC)
        if self.fields.hour_moves:
            return self._moving_before(end)
        found = self._wall_before(wall.first_wall_from(self.zone, end))
        return found and wall.to_instant(found, self.zone)

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due instants are later than *after* and not later than *until*, without making them."""
        after, until = floor_second(after), floor_second(until)
        if until <= after:
            return 0
        if not self.fields.hour_moves:
            return wall.count_meant_once(self.zone, after, until, self.fields.count)
        number, offset = 0, wall.offset_at(self.zone, after)
        for change in wall.transitions_between(self.zone, after, until):
            number += self._count_at(after, change.at - SECOND, offset)
            after, offset = change.at - SECOND, change.after
        return number + self._count_at(after, until, offset)

    def walls_meant_once(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the walls from *low* on and before *high* that a clock change does not take away or double."""
        found = None if self.fields.hour_moves else self._wall_after(low - SECOND)
        while found is not None and found < high:
            yield found
            found = self._wall_after(found)

    def _count_at(self, after: datetime, until: datetime, offset: timedelta) -> int:
        return self.fields.count((after + offset).replace(tzinfo=None), (until + offset).replace(tzinfo=None))

    def _wall_after(self, moment: datetime) -> datetime | None:
        return self._search(moment, reverse=False)

    def _wall_before(self, moment: datetime) -> datetime | None:
        return self._search(moment, reverse=True)

    def _search(self, moment: datetime, *, reverse: bool) -> datetime | None:
        try:
            walk = CronSim(self.searched, moment, reverse=reverse)
            walk.day_and |= self.fields.says_both
            found: datetime = next(walk)
        except (StopIteration, OverflowError, ValueError):  # the end of Python's calendar
            return None
        return found if reverse or found.year < wall.LAST_YEAR else None

    def _moving_after(self, start: datetime) -> datetime | None:
        offset = wall.offset_at(self.zone, start)
        searched = (start + offset).replace(tzinfo=None)
        match = self._wall_after(searched)
        if match is None:
            return None
        found = (match - offset).replace(tzinfo=UTC)
        if found - start <= _NEAR and wall.offset_at(self.zone, found) == offset:
            return found
        year = start.year
        while year <= found.year:
            for change in wall.transitions_in(self.zone, year):
                if change.at <= start:
                    continue
                if found < change.at:
                    return found
                # Nothing matches between the wall searched from and the match: search anew only outside of that.
                begin = change.wall_after - SECOND
                if not searched <= begin < match:
                    searched, match = begin, self._wall_after(begin)
                    if match is None:
                        return None
                found = (match - change.after).replace(tzinfo=UTC)
            year += 1
        return found

    def _moving_before(self, end: datetime) -> datetime | None:
        last = end - SECOND
        offset = wall.offset_at(self.zone, last)
        searched = (end + offset).replace(tzinfo=None)
        match = self._wall_before(searched)
        if match is None:
            return None
        found = (match - offset).replace(tzinfo=UTC)
        if end - found <= _NEAR and wall.offset_at(self.zone, found) == offset:
            return found
        year = last.year
        while year >= found.year:
            for change in reversed(wall.transitions_in(self.zone, year)):
                if change.at > last:
                    continue
                if found >= change.at:
                    return found
                finish = change.wall_before
                if not match < finish <= searched:
                    searched, match = finish, self._wall_before(finish)
                    if match is None:
                        return None
                found = (match - change.before).replace(tzinfo=UTC)
            year -= 1
        return found


def cron(expression: str, *, timezone: str | ZoneInfo | None = None) -> Cron:
    """Return the schedule of a cron expression: ``cron("0 3 * * *", timezone="Europe/Berlin")``.

    Args:
        expression: Five fields, six with seconds first, or an alias such as ``@daily``. If day and weekday are both
            given, either has to fit, as in crontab(5); with ``&`` before the weekday both: ``0 0 13 * &FRI``.
        timezone: An IANA name; None: the project's default.
    Raises:
        InvalidSchedule: The expression or the zone is not valid.
    """
    return Cron(expression, None if timezone is None else parse_timezone(timezone))
