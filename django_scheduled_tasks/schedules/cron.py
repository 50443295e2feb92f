"""Cron expressions, on cronsim; the rules for days on which a clock changes are here.

cronsim does the calendar: it is only ever asked about wall-clock times without a zone. What an instant is, is decided
here, so that a task with a fixed hour never loses a day and never runs twice for one wall-clock time. These are the
shapes in which we differ from what cronsim 2.8 does when it is given a zone, all of them on purpose:

1. ``*/30 2 * * *`` and other expressions whose minute field starts with ``*`` and whose hour field does not:
   cronsim (like Debian's cron) lets them follow the real clock, so they lose the whole day of a spring gap and run
   twice as often on the day of an autumn overlap. Here the hour field alone decides: they are jobs of a fixed hour.
2. ``0 30 2 * * *`` and other expressions with seconds and a fixed hour: cronsim lets all of them follow the real
   clock. Here they obey the same rule as those with five fields.
3. ``0,30 2 * * *`` in a gap: cronsim yields one instant for each skipped time, and may yield the same one twice.
   Here they collapse into one, at the first instant after the gap.
4. In a gap that is not a whole number of hours long, and in zones whose clock changes by other amounts, cronsim's
   steps of whole hours and days can jump over a match or land beside it (Lord Howe, Troll, Casablanca). Here each
   stretch between two changes is computed with the offset that holds in it.
5. ``0 0 31 4 *`` and other expressions that can never be due are refused when they are made, with a sentence.
6. ``L/2``, ``LW/2``, ``MON#2/3``: a step on something that is one day; cronsim ignores it, here it is refused on
   weekdays and ignored on days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import fields
from django_scheduled_tasks.schedules.base import Schedule, check_length, in_utc, register_schedule_kind
from django_scheduled_tasks.schedules.zones import (
    SECOND,
    change_of,
    first_wall,
    instant_of,
    last_change,
    load_zone,
    next_change,
    offset_at,
    wall_of,
)

_UTC = ZoneInfo("UTC")
CRON_MAX_LENGTH = 500


@register_schedule_kind
@dataclass(frozen=True)
class Cron(Schedule):
    """A cron expression.

    Args:
        text: Five fields, or six with seconds first, or an alias such as ``@daily``; kept as typed.
        timezone: The zone whose wall clock counts.
    Raises:
        InvalidSchedule: With the field, the value and the range that is allowed.
    Source:
        crontab(5) for the fields; Debian's cron(8) for days when clocks change, with the changes listed above.
    """

    text: str
    timezone: ZoneInfo | None = None
    kind: ClassVar[str] = "cron"

    def __post_init__(self) -> None:
        check_length(self.text)
        text = " ".join(self.text.split())
        if len(text) > CRON_MAX_LENGTH:
            raise InvalidSchedule(f"A cron expression has at most {CRON_MAX_LENGTH} characters.", field="expression")
        object.__setattr__(self, "text", text)
        parts = fields.split(text)
        fields.check(parts)
        object.__setattr__(self, "_spec", " ".join(parts))
        object.__setattr__(self, "_moving", parts[2].startswith("*"))
        try:
            CronSim(self.spec, datetime(2000, 1, 1))  # noqa: DTZ001  (a wall-clock time)
        except CronSimError as exc:
            raise InvalidSchedule(f"This cron expression cannot be read: {exc}.", field="expression") from exc

    @property
    def spec(self) -> str:
        """Six fields in capitals, seconds first."""
        return self._spec  # type: ignore[attr-defined,no-any-return]  # set when it was checked

    @property
    def moving(self) -> bool:
        """Whether it follows the real clock (its hour field starts with ``*``), or has fixed hours."""
        return self._moving  # type: ignore[attr-defined,no-any-return]  # as above

    @property
    def expression(self) -> str:
        """As typed, with single spaces."""
        return self.text

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Read an expression; the anchor does not matter."""
        return cls(expression, timezone)

    def next_after(self, moment: datetime) -> datetime | None:
        """See :meth:`Schedule.next_after`."""
        moment = in_utc(moment)
        try:
            return self._next_moving(moment) if self.moving else self._next_fixed(moment)
        except (StopIteration, OverflowError):
            return None

    def previous_before(self, moment: datetime) -> datetime | None:
        """See :meth:`Schedule.previous_before`."""
        moment = in_utc(moment)
        try:
            return self._previous_moving(moment) if self.moving else self._previous_fixed(moment)
        except (StopIteration, OverflowError):
            return None

    def _wall_after(self, wall: datetime) -> datetime:
        return next(CronSim(self.spec, wall))

    def _wall_before(self, wall: datetime) -> datetime:
        return next(CronSim(self.spec, wall, reverse=True))

    def _next_fixed(self, moment: datetime) -> datetime:
        """Step through the wall-clock times that match, until one happens after *moment*."""
        zone = self.timezone or _UTC
        wall = wall_of(zone, moment)
        while True:
            if change := change_of(zone, wall):
                wall = change.wall_end - SECOND if moment >= change.instant else wall
            wall = self._wall_after(wall)
            found = instant_of(zone, wall)
            if found > moment:
                return found

    def _previous_fixed(self, moment: datetime) -> datetime:
        """Step back through the wall-clock times that match, until one happens before *moment*."""
        zone = self.timezone or _UTC
        wall = first_wall(zone, moment)
        while True:
            wall = self._wall_before(wall)
            found = instant_of(zone, wall)
            if found < moment:
                return found

    def _next_moving(self, moment: datetime) -> datetime:
        """Look in the stretch of constant offset that *moment* is in, then in the ones after it."""
        zone = self.timezone or _UTC
        offset = offset_at(zone, moment)
        while True:
            found = (self._wall_after(moment.replace(tzinfo=None) + offset) - offset).replace(tzinfo=UTC)
            change = next_change(zone, moment, found)
            if change is None:
                return found
            # From just before the change on, so that its own instant counts; that second is seen with the new offset.
            moment, offset = change.instant - SECOND, change.after
            found = (self._wall_after(moment.replace(tzinfo=None) + offset) - offset).replace(tzinfo=UTC)
            if found == change.instant:
                return found
            moment = change.instant

    def _previous_moving(self, moment: datetime) -> datetime:
        """Look in the stretch of constant offset that ends at *moment*, then in the ones before it."""
        zone = self.timezone or _UTC
        offset = offset_at(zone, moment - timedelta(microseconds=1))
        while True:
            found = (self._wall_before(moment.replace(tzinfo=None) + offset) - offset).replace(tzinfo=UTC)
            change = last_change(zone, moment, found + SECOND)
            if change is None:
                return found
            moment, offset = change.instant, change.before

    def count_between(self, start: datetime, end: datetime) -> int:
        """See :meth:`Schedule.count_between`; walks over days, not over occurrences."""
        start, end = in_utc(start), in_utc(end)
        zone = self.timezone or _UTC
        if not self.moving:
            return self._count_fixed(zone, start, end)
        count = 0
        while start < end:
            change = next_change(zone, start, end)
            stop = change.instant if change else end
            offset = offset_at(zone, start)
            count += self._count_walls(start.replace(tzinfo=None) + offset, stop.replace(tzinfo=None) + offset)
            start = stop
        return count

    def _count_fixed(self, zone: ZoneInfo, start: datetime, end: datetime) -> int:
        """Count wall-clock times; those that a gap skips are one."""
        first, last = first_wall(zone, start), first_wall(zone, end)
        count = self._count_walls(first, last)
        moment = start - SECOND
        while change := next_change(zone, moment, end):
            moment = change.instant
            if change.is_gap and first <= change.wall_start < last:
                count -= max(self._count_walls(change.wall_start, change.wall_end + SECOND) - 1, 0)
        return count

    def _count_walls(self, first: datetime, last: datetime) -> int:
        """Count the wall-clock times that match from *first*, inclusive, to *last*, exclusive."""
        if first >= last:
            return 0
        dates = CronSim(" ".join(["0 0 0", *self.spec.split()[3:]]), first.replace(hour=0, minute=0, second=0) - SECOND)
        count = 0
        for date in dates:
            if date >= last:
                break
            count += self._count_until(last - date) - self._count_until(first - date)
        return count

    def _count_until(self, time: timedelta) -> int:
        """Count the matching times of a day that are earlier than *time* after midnight."""
        seconds, minutes, hours = self._times
        whole = min(max(-(-time // SECOND), 0), 86_400)
        hour, minute, second = whole // 3_600, whole // 60 % 60, whole % 60
        count = sum(1 for item in hours if item < hour) * len(minutes) * len(seconds)
        if hour in hours:
            count += sum(1 for item in minutes if item < minute) * len(seconds)
            if minute in minutes:
                count += sum(1 for item in seconds if item < second)
        return count

    @property
    def _times(self) -> tuple[set[int], ...]:
        return tuple(fields.values_of(fields.FIELDS[i], part) for i, part in enumerate(self.spec.split()[:3]))


def cron(expression: str, *, timezone: str | ZoneInfo | None = None) -> Cron:
    """Return the schedule of a cron expression: ``cron("0 3 * * 1-5", timezone="Europe/Berlin")``.

    Args:
        expression: Five fields, or six with seconds first, or an alias such as ``@daily``.
        timezone: An IANA name; None: the project's.
    Raises:
        InvalidSchedule: The expression or the zone is not valid.
    """
    return Cron(expression, load_zone(timezone) if isinstance(timezone, str) else timezone)
