"""Wall clocks: when a zone's clock changes, and which instant a wall-clock time is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django_scheduled_tasks.exceptions import InvalidSchedule

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One change of a zone's clock."""

    instant: datetime
    """In UTC; the first with the new offset."""
    before: timedelta
    """The offset from UTC until then."""
    after: timedelta
    """The offset from UTC from then on."""

    @property
    def is_gap(self) -> bool:
        """Whether wall-clock times are skipped; otherwise some come twice."""
        return self.after > self.before

    @property
    def wall_start(self) -> datetime:
        """The first wall-clock time that is skipped or comes twice; naive."""
        return self.instant.replace(tzinfo=None) + min(self.before, self.after)

    @property
    def wall_end(self) -> datetime:
        """The first wall-clock time after those; naive."""
        return self.instant.replace(tzinfo=None) + max(self.before, self.after)


def load_zone(name: str) -> ZoneInfo:
    """Return the zone called *name* in the IANA database.

    Raises:
        InvalidSchedule: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise InvalidSchedule(
            f'There is no time zone "{name[:64]}". Use a name of the IANA database, such as Europe/Berlin or UTC.',
            field="timezone",
            value=name[:64],
        ) from None


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return the zone's offset from UTC at *instant*."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


@lru_cache(maxsize=4096)
def clock_changes(zone: ZoneInfo, year: int) -> tuple[ClockChange, ...]:
    """Return the changes of the zone's clock in *year* (of UTC), in order."""
    day, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    found = []
    before = offset_at(zone, day)
    while day < end:
        following = min(day + timedelta(days=1), end)
        after = offset_at(zone, following)
        if after != before:
            found.append(ClockChange(_bisect(zone, day, following, after), before, after))
            before = after
        day = following
    return tuple(found)


def _bisect(zone: ZoneInfo, low: datetime, high: datetime, after: timedelta) -> datetime:
    """Return the first whole second in (low, high] with the offset *after*."""
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        if offset_at(zone, middle) == after:
            high = middle
        else:
            low = middle
    return high


def next_change(zone: ZoneInfo, after: datetime, until: datetime) -> ClockChange | None:
    """Return the first change of the zone's clock after *after* and not later than *until*; None if there is none."""
    for year in range(after.year, until.year + 1):
        for change in clock_changes(zone, year):
            if change.instant > until:
                return None
            if change.instant > after:
                return change
    return None


def last_change(zone: ZoneInfo, before: datetime, since: datetime) -> ClockChange | None:
    """Return the last change of the zone's clock before *before* and not earlier than *since*; None if none."""
    for year in range(before.year, since.year - 1, -1):
        for change in reversed(clock_changes(zone, year)):
            if change.instant < since:
                return None
            if change.instant < before:
                return change
    return None


def change_of(zone: ZoneInfo, wall: datetime) -> ClockChange | None:
    """Return the change that makes the wall-clock time *wall* (naive) be skipped or come twice, if any does."""
    first, second = wall.replace(tzinfo=zone, fold=0).utcoffset(), wall.replace(tzinfo=zone, fold=1).utcoffset()
    if first == second or first is None or second is None:
        return None
    earliest = (wall - max(first, second)).replace(tzinfo=UTC)
    return next_change(zone, earliest - DAY, earliest + DAY)


def instant_of(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the instant at which a fixed wall-clock time (naive) happens: once, whatever the clock does.

    One that is skipped happens at the first instant after the gap; one that comes twice, the first time.
    """
    change = change_of(zone, wall)
    if change is not None and change.is_gap:
        return change.instant
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def first_wall(zone: ZoneInfo, instant: datetime) -> datetime:
    """Return the first wall-clock time (naive) that happens at *instant* or later, as :func:`instant_of` has it."""
    wall = wall_of(zone, instant)
    change = change_of(zone, wall)
    if change is not None and not change.is_gap and instant >= change.instant:
        return change.wall_end  # the second pass of an overlap: all of it happened in the first
    if (gap := last_change(zone, instant + SECOND, instant)) is not None and gap.is_gap:
        return gap.wall_start  # all that is skipped happens now
    return wall


def wall_of(zone: ZoneInfo, instant: datetime) -> datetime:
    """Return what the zone's clock shows at *instant*; naive."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)
