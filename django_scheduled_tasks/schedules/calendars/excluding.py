"""A schedule under calendars: what falls on an excluded day or into a window is left out, moved, or waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.base import SECOND, Schedule, floor_second
from django_scheduled_tasks.schedules.calendars.calendar import Calendar, Exclusion

SKIP, NEXT_ALLOWED, PREVIOUS_ALLOWED, DELAY = ON_EXCLUDED = ("skip", "next_allowed", "previous_allowed", "delay")
"""What becomes of an excluded occurrence: it is left out; it moves to the next or the previous day on which its wall
time is allowed; it waits until the exclusion ends. Those that land on one instant are one occurrence."""
MOST_MOVED_DAYS = 31
"""What would have to move further is left out."""
MOST_RUNS = 1_000
"""So many exclusions in a row are looked at; a schedule of which all these are excluded has ended."""
MOST_LOOKED_AT = 5_000
"""Occurrences that are looked at to find the next one that has moved; a schedule with none among them has ended."""
_DAY = timedelta(days=1)
SLACK = timedelta(hours=3)
"""Within which the same wall time is a day later or earlier, whatever the clock does."""
_FURTHEST = (MOST_MOVED_DAYS + 1) * _DAY


@dataclass(frozen=True, slots=True)
class Excluded:
    """One occurrence that an exclusion is in the way of."""

    nominal: datetime
    """When it would be due."""
    exclusion: Exclusion
    moved_to: datetime | None
    """When it is due instead; None if it is left out."""


@dataclass(frozen=True, slots=True)
class WithCalendars(Schedule):
    """*schedule* without what *calendars* exclude. It is made of a task's columns, and not stored as a kind of its own.

    Args:
        schedule: When the task would be due.
        calendars: What any of them excludes is excluded.
        on_excluded: One of :data:`ON_EXCLUDED`.
        zone: The task's, whose wall time a moved occurrence keeps.
    """

    kind: ClassVar[str] = ""
    schedule: Schedule
    calendars: tuple[Calendar, ...]
    on_excluded: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Raise NotImplementedError: calendars are not part of an expression."""
        raise NotImplementedError

    @property
    def expression(self) -> str:
        """That of the schedule."""
        return str(self.schedule.expression)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first instant strictly later than *moment* at which it is due."""
        if self.on_excluded == SKIP:
            return self._next_not_left_out(moment)
        if self.on_excluded == DELAY:
            return self._next_delayed(moment)
        return self._next_moved(moment)

    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last instant strictly earlier than *moment* at which it is due."""
        if self.on_excluded == SKIP:
            return self._previous_not_left_out(moment)
        if self.on_excluded == DELAY:
            return self._previous_delayed(moment)
        return self._previous_moved(moment)

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many are later than *after* and not later than *until*, without visiting what is left out."""
        if self.on_excluded != SKIP:
            return Schedule.count(self, after, until)
        number, edge = 0, after
        while edge < until:  # from one exclusion with occurrences in it to the next
            run = self._next_run_of_excluded(edge, until)
            if run is None:
                return number + self.schedule.count(edge, until)
            number += self.schedule.count(edge, run.start - SECOND) if run.start - SECOND > edge else 0
            edge = run.end - SECOND
        return number

    def describe(self) -> str:
        """Return the sentence about the schedule itself."""
        return self.schedule.describe()

    def warnings(self, *, now: datetime) -> list[str]:
        """Return those about the schedule itself."""
        return self.schedule.warnings(now=now)

    def excluded_between(self, after: datetime, until: datetime) -> Iterator[Excluded]:
        """Yield the excluded occurrences later than *after* and not later than *until*, by their nominal instants."""
        nominal = self.schedule.next_after(after)
        while nominal is not None and nominal <= until:
            if (found := self.exclusion_at(nominal)) is not None:
                yield Excluded(nominal, found, self.effective(nominal))
            nominal = self.schedule.next_after(nominal)

    def exclusion_at(self, instant: datetime) -> Exclusion | None:
        """Return what excludes *instant*; of several calendars, the first that does."""
        for calendar in self.calendars:
            if (found := calendar.exclusion_at(instant)) is not None:
                return found
        return None

    # --- what is left out

    def _next_not_left_out(self, moment: datetime) -> datetime | None:
        nominal = self.schedule.next_after(moment)
        for _ in range(MOST_RUNS):
            if nominal is None or (found := self.exclusion_at(nominal)) is None:
                return nominal
            nominal = self.schedule.next_after(max(nominal, self._excluded_until(found) - SECOND))
        return None

    def _excluded_until(self, found: Exclusion) -> datetime:
        """Return until when the calendar of *found* goes on to exclude days: one step in place of one for each."""
        return next(one.excluded_until(found) for one in self.calendars if one.name == found.calendar)

    def _previous_not_left_out(self, moment: datetime) -> datetime | None:
        nominal = self.schedule.previous_before(moment)
        for _ in range(MOST_RUNS):
            if nominal is None or (found := self.exclusion_at(nominal)) is None:
                return nominal
            nominal = self.schedule.previous_before(min(nominal, found.start))
        return None

    def _next_run_of_excluded(self, after: datetime, until: datetime) -> Exclusion | None:
        """Return the first exclusion with an occurrence in it that is later than *after*, not later than *until*."""
        nominal = self.schedule.next_after(after)
        while nominal is not None and nominal <= until:
            if (found := self.exclusion_at(nominal)) is not None:
                return found
            # The rest of this day cannot be judged at once: a window may begin in it.
            nominal = self.schedule.next_after(max(nominal, self._allowed_until(nominal) - SECOND))
        return None

    def _allowed_until(self, instant: datetime) -> datetime:
        """Return an instant until which nothing is excluded, seen from *instant*, which is not."""
        return min(calendar.allowed_until(instant) for calendar in self.calendars)

    # --- what waits until the exclusion ends

    def end_of(self, instant: datetime) -> datetime | None:
        """Return the first instant from *instant* on that is not excluded."""
        for _ in range(MOST_RUNS):
            if (found := self.exclusion_at(instant)) is None:
                return instant
            instant = found.end
        return None

    def start_of(self, instant: datetime) -> datetime | None:
        """Return the start of the exclusions, without a gap between them, that *instant* lies in."""
        for _ in range(MOST_RUNS):
            if (found := self.exclusion_at(instant)) is None:
                return instant + SECOND
            instant = found.start - SECOND
        return None

    def _next_delayed(self, moment: datetime) -> datetime | None:
        moment = floor_second(moment)
        if self.exclusion_at(moment) is not None:
            start, end = self.start_of(moment), self.end_of(moment)
            if start is None or end is None:
                return None
            waiting = self.schedule.next_after(start - SECOND)
            if waiting is not None and waiting <= end:
                return end
            moment = end
        nominal = self.schedule.next_after(moment)
        return None if nominal is None else self.end_of(nominal)

    def _previous_delayed(self, moment: datetime) -> datetime | None:
        nominal = self.schedule.previous_before(moment)
        for _ in range(MOST_RUNS):
            if nominal is None:
                return None
            end = self.end_of(nominal)
            if end is not None and end < moment:
                return end
            start = self.start_of(nominal) if end != nominal else nominal
            if start is None:
                return None
            nominal = self.schedule.previous_before(min(nominal, start))
        return None

    # --- what moves by days

    def effective(self, nominal: datetime) -> datetime | None:
        """Return when an occurrence is due; None if it is left out."""
        if self.exclusion_at(nominal) is None:
            return nominal
        if self.on_excluded == SKIP:
            return None
        if self.on_excluded == DELAY:
            return self.end_of(nominal)
        step = _DAY if self.on_excluded == NEXT_ALLOWED else -_DAY
        local = nominal.astimezone(self.zone).replace(tzinfo=None)
        for _ in range(MOST_MOVED_DAYS):
            local += step
            instant = wall.to_instant(local, self.zone)
            if self.exclusion_at(instant) is None:
                return instant
        return None

    def _next_moved(self, moment: datetime) -> datetime | None:
        """Look at all that may land after *moment*, and return the first of it."""
        is_forward = self.on_excluded == NEXT_ALLOWED
        plain = self.schedule.next_after(moment)
        if plain is not None and self._is_plain(moment, plain, is_forward=is_forward):
            return plain
        nominal = self.schedule.next_after(self.untouched_before(moment)) if is_forward else plain
        best: datetime | None = None
        for _ in range(MOST_LOOKED_AT):
            if nominal is None or (best is not None and self._lands_beyond(nominal, best, is_forward=is_forward)):
                break
            found = self.effective(nominal)
            if found is not None and found > moment and (best is None or found < best):
                best = found
            nominal = self.schedule.next_after(nominal)
        return best

    def _is_plain(self, moment: datetime, nominal: datetime, *, is_forward: bool) -> bool:
        """Whether *nominal* is not excluded, and nothing moves to between *moment* and it.

        What has moved a day or more was excluded a day before, or after, where it landed.
        """
        step = -_DAY if is_forward else _DAY
        return self.exclusion_at(nominal) is None and not self.excludes(moment + step - SLACK, nominal + step + SLACK)

    def excludes(self, start: datetime, end: datetime) -> bool:
        """Whether anything is excluded from *start* to *end*."""
        return any(calendar.excludes_between(start, end) for calendar in self.calendars)

    def _previous_moved(self, moment: datetime) -> datetime | None:
        is_forward = self.on_excluded == NEXT_ALLOWED
        nominal = self.schedule.previous_before(moment if is_forward else self.untouched_after(moment))
        best: datetime | None = None
        for _ in range(MOST_LOOKED_AT):
            if nominal is None or (best is not None and self._lands_before(nominal, best, is_forward=is_forward)):
                break
            found = self.effective(nominal)
            if found is not None and found < moment and (best is None or found > best):
                best = found
            nominal = self.schedule.previous_before(nominal)
        return best

    def _lands_beyond(self, nominal: datetime, best: datetime, *, is_forward: bool) -> bool:
        """Whether neither *nominal* nor what comes after it can land before *best*."""
        if is_forward:
            return nominal >= best
        return nominal >= best + _FURTHEST or (nominal >= best + _DAY and not self.is_touched(nominal))

    def _lands_before(self, nominal: datetime, best: datetime, *, is_forward: bool) -> bool:
        """Whether neither *nominal* nor what comes before it can land after *best*."""
        if not is_forward:
            return nominal <= best
        return nominal <= best - _FURTHEST or (nominal <= best - _DAY and not self.is_touched(nominal))

    def untouched_before(self, moment: datetime) -> datetime:
        """Return an instant before *moment* such that nothing from before it lands after *moment*."""
        edge = moment
        for _ in range(MOST_MOVED_DAYS + 1):
            edge -= _DAY
            if not self.is_touched(edge):
                return edge
        return edge

    def untouched_after(self, moment: datetime) -> datetime:
        """Return an instant after *moment* such that nothing from after it lands before *moment*."""
        edge = moment
        for _ in range(MOST_MOVED_DAYS + 1):
            edge += _DAY
            if not self.is_touched(edge):
                return edge
        return edge

    def is_touched(self, instant: datetime) -> bool:
        """Whether anything is excluded within a day before or after *instant*."""
        return self.excludes(instant - _DAY, instant + _DAY)
