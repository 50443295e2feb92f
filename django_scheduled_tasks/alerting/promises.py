"""What a task has promised: to succeed every so often, and by a time of its day. When that is broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django_scheduled_tasks.schedules.wall import to_instant

_DAY = timedelta(days=1)


def stale_from(every: timedelta, *, expected_since: datetime, succeeded_at: datetime | None) -> datetime:
    """Return from when on a task has not succeeded for too long, if nothing succeeds before.

    Args:
        every: What ``must_succeed_every`` says.
        expected_since: From when on that counts.
        succeeded_at: When its last success ended; None: it never has succeeded.
    """
    return (max(expected_since, succeeded_at) if succeeded_at is not None else expected_since) + every


@dataclass(frozen=True, slots=True)
class Deadline:
    """One instant by which a task must have finished, and what it is about."""

    at: datetime
    midnight: datetime
    """When its day began."""
    before: datetime
    """The deadline of the day before."""

    def counts_from(self, due: Iterable[datetime]) -> datetime | None:
        """Return from when on an execution counts for this deadline, by when it was due or triggered; None: none must.

        What was due on the day before the deadline counts. Was nothing, it is what was due since the last deadline:
        what is due at 22:00 and must finish by 06:00. Was nothing then either, as for a task that does not run every
        day, there is no deadline this time.

        Args:
            due: When the occurrences of the task were due; those that were skipped are none.
        """
        found = [at for at in due if self.before <= at < self.at]
        if not found:
            return None
        return self.midnight if max(found) >= self.midnight else self.before


def last_deadline(by: time, zone: ZoneInfo, now: datetime) -> Deadline:
    """Return the last deadline that has passed at *now*.

    A time that the clock of the zone skips on a day is the first instant after the gap; of one that it shows twice the
    first counts.

    Args:
        by: What ``must_finish_by`` says.
        zone: That of the task.
        now: The present instant.
    """
    day = now.astimezone(zone).date() + _DAY
    while (at := to_instant(datetime.combine(day, by), zone)) > now:
        day -= _DAY
    midnight = to_instant(datetime.combine(day, time.min), zone)
    return Deadline(at, midnight, to_instant(datetime.combine(day - _DAY, by), zone))
