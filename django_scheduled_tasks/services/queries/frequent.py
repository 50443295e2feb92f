"""Tasks that are due so often that one would see nothing else: lists and charts say of each how often it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.schedules import Schedule

OFTEN = timedelta(minutes=5)
HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Frequent:
    """A task that is due more often than each five minutes, in the hour from its next due instant on."""

    task: ScheduledTask
    schedule: Schedule
    first: datetime
    """When it is due next."""
    an_hour: int
    """How often it is due in that hour."""

    def count(self, after: datetime, until: datetime) -> int:
        """Return how often it is due from *after* on and before *until*."""
        begin, end = max(self.first, after), until if self.task.ends_at is None else min(until, self.task.ends_at)
        return self.schedule.count(begin - _SECOND, end - _SECOND) if begin < end else 0


def frequent(tasks: Iterable[ScheduledTask]) -> list[Frequent]:
    """Return those of *tasks* that are due often, the most frequent last; nothing is asked of the database."""
    found = [one for task in tasks if task.next_run_at is not None and (one := _of(task, task.next_run_at)) is not None]
    return sorted(found, key=lambda one: (one.an_hour, one.task.name))


def _of(task: ScheduledTask, first: datetime) -> Frequent | None:
    try:
        schedule = task.schedule_with_calendars
    except InvalidSchedule:
        return None
    following = schedule.next_after(first)
    if following is None or following - first >= OFTEN:  # the usual case costs little
        return None
    one = Frequent(task, schedule, first, schedule.count(first - _SECOND, first + HOUR - _SECOND))
    return one if one.an_hour > HOUR // OFTEN else None
