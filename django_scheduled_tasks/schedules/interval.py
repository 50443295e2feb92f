"""Every so often, counted from an anchor, so that a restart never shifts it and it never drifts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.base import Schedule, check_length, in_utc, register_schedule_kind
from django_scheduled_tasks.schedules.durations import LONGEST, format_duration, parse_duration
from django_scheduled_tasks.schedules.zones import SECOND, instant_of, load_zone, wall_of

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC = ZoneInfo("UTC")


@register_schedule_kind
@dataclass(frozen=True)
class Interval(Schedule):
    """Every so often.

    Whole days and weeks keep the wall clock (and then obey the rules of a fixed hour); anything else elapses.

    Args:
        every: At least a second; whole seconds.
        anchor: Aware; where counting starts, itself an occurrence; fractions of a second are dropped.
            None: 1970-01-01.
        timezone: The zone whose wall clock whole days keep.
    Raises:
        InvalidSchedule: The interval is too short, too long, or not whole seconds.
    """

    every: timedelta
    anchor: datetime | None = None
    timezone: ZoneInfo | None = None
    kind: ClassVar[str] = "interval"

    def __post_init__(self) -> None:
        if not SECOND <= self.every <= LONGEST or self.every % SECOND:
            raise InvalidSchedule(
                _("Interval: %(value)s is not a whole number of seconds, from 1 second to 100 years.")
                % {"value": self.every},
                field="interval",
                value=str(self.every),
            )
        if self.anchor is not None:
            object.__setattr__(self, "anchor", in_utc(self.anchor).replace(microsecond=0))

    @property
    def expression(self) -> str:
        """As people write it: ``2h30m``."""
        return format_duration(self.every)

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Read ``2h30m``."""
        check_length(expression)
        return cls(parse_duration(expression), anchor, timezone)

    @property
    def keeps_wall_clock(self) -> bool:
        """Whether it is a whole number of days."""
        return not self.every % DAY

    def anchored_at(self, anchor: datetime) -> Self:
        """Return the same interval counted from *anchor*."""
        return replace(self, anchor=anchor)

    def _instant(self, number: int) -> datetime:
        """Return the occurrence with this number; 0 is the anchor."""
        anchor = self.anchor or EPOCH
        if not self.keeps_wall_clock:
            return anchor + number * self.every
        zone = self.timezone or _UTC
        return instant_of(zone, self._wall_anchor(zone) + number * self.every)

    def _wall_anchor(self, zone: ZoneInfo) -> datetime:
        return wall_of(zone, self.anchor) if self.anchor else EPOCH.replace(tzinfo=None)

    def _elapsed(self, moment: datetime) -> int:
        """Return about how many intervals lie between the anchor and *moment*; one too many or too few at worst."""
        if not self.keeps_wall_clock:
            return (moment - (self.anchor or EPOCH)) // self.every
        zone = self.timezone or _UTC
        return (wall_of(zone, moment) - self._wall_anchor(zone)) // self.every

    def next_after(self, moment: datetime) -> datetime | None:
        """See :meth:`Schedule.next_after`."""
        moment = in_utc(moment)
        try:
            number = max(self._elapsed(moment) - 1, 0)
            while (found := self._instant(number)) <= moment:
                number += 1
        except OverflowError:
            return None
        return found

    def previous_before(self, moment: datetime) -> datetime | None:
        """See :meth:`Schedule.previous_before`; None at the anchor and before it."""
        moment = in_utc(moment)
        try:
            number = self._elapsed(moment) + 1
            while number >= 0 and (found := self._instant(number)) >= moment:
                number -= 1
        except OverflowError:
            return None
        return found if number >= 0 else None

    def count_between(self, start: datetime, end: datetime) -> int:
        """See :meth:`Schedule.count_between`; computed."""
        numbers = []
        for moment in (in_utc(start), in_utc(end)):
            number = max(self._elapsed(moment) - 1, 0)
            while self._instant(number) < moment:
                number += 1
            numbers.append(number)
        return max(numbers[1] - numbers[0], 0)


def every(interval: str | timedelta, *, timezone: str | ZoneInfo | None = None) -> Interval:
    """Return the schedule of an interval: ``every("15m")``; it counts from the task's start or creation.

    Args:
        interval: ``90s``, ``5m``, ``2h30m``, ``1d``, ``1w``, or a ``timedelta``.
        timezone: An IANA name, whose wall clock whole days keep; None: the project's.
    Raises:
        InvalidSchedule: The interval or the zone is not valid.
    """
    zone = load_zone(timezone) if isinstance(timezone, str) else timezone
    return Interval(parse_duration(interval) if isinstance(interval, str) else interval, None, zone)
