"""The words of alerts: kinds, rules, and the steps of an alert from its opening to its close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django_scheduled_tasks.alerting.quiet import QuietHours
from django_scheduled_tasks.lifecycle import Outcome


class Kind(StrEnum):
    """What is wrong. Of a task, or of a queue, or of the installation, at most one alert of a kind is open."""

    FAILING = "failing"
    """As many executions in a row as a rule says have failed for good; retries that succeed do not count."""
    MISSED = "missed"
    """An occurrence was recorded as missed."""
    LATE = "late"
    """It is due, or may start, and has not started."""
    TOO_LONG = "too_long"
    """An execution runs for longer than the task says, or than it usually does."""
    STALE = "stale"
    """It has not succeeded for as long as ``must_succeed_every`` says, whatever the reason."""
    DEADLINE = "deadline"
    """It has not succeeded by ``must_finish_by``, and was not failing already."""
    PAUSED_BY_SYSTEM = "paused_by_system"
    """The scheduler has paused the task."""
    BROKEN = "broken"
    """No process that runs knows the task's function, or can read its schedule."""
    NO_SCHEDULER = "no_scheduler"
    """No scheduler answers."""
    NO_WORKER = "no_worker"
    """No worker takes from a queue."""
    STUCK = "stuck"
    """What waits in a queue is not taken, although a worker takes from it."""
    HELD_COPY = "held_copy"
    """The database is a copy, so that nothing runs by schedule."""
    TWO_RELEASES = "two_releases"
    """Two releases have been running for longer than a deploy takes."""


OF_ENDS = frozenset({Kind.FAILING, Kind.MISSED})
"""Those that follow from how executions ended, one after the other; the others hold, or do not hold, at an instant."""
OF_TASK = OF_ENDS | {
    *(Kind.LATE, Kind.TOO_LONG, Kind.STALE, Kind.DEADLINE, Kind.PAUSED_BY_SYSTEM, Kind.BROKEN),
}
"""Those that are about a task."""
OF_INSTALLATION = frozenset(Kind) - OF_TASK
"""Those that are about the installation, or one of its queues."""
RED = frozenset({Kind.FAILING, Kind.BROKEN, Kind.NO_SCHEDULER, Kind.NO_WORKER, Kind.STUCK, Kind.HELD_COPY})
"""Those that do not go away by themselves."""


class Event(StrEnum):
    """What happens to an alert."""

    OPENED = "opened"
    COUNTED = "counted"
    """It was open, and has happened once more. Nobody is told, unless a rule waits for so many."""
    REMINDER = "reminder"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Terms:
    """When alerts open and close: what all rules together ask."""

    after: int = 1
    """After so many failures in a row ``failing`` opens."""
    closes_after: int = 1
    """After so many successes in a row it closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which kinds are told to which channels, and when."""

    kinds: frozenset[Kind]
    channels: frozenset[int]
    terms: Terms = Terms()
    remind_every: timedelta | None = None
    """While it is open and nobody has acknowledged it; None: never."""
    margin: timedelta | None = None
    """How late a task has to be to be ``late``; None: as late as usual."""
    quiet: QuietHours | None = None
    """When nobody is told, until their end."""
    at_once: frozenset[Kind] = frozenset()
    """Kinds that are told in quiet hours as well."""

    def quiet_until(self, kind: Kind, now: datetime) -> datetime | None:
        """Return until when this rule tells nobody of an alert of *kind*; None: it tells at once."""
        return self.quiet.over_at(now) if self.quiet is not None and kind not in self.at_once else None


@dataclass(frozen=True, slots=True)
class End:
    """How an execution ended."""

    at: datetime
    number: int
    outcome: Outcome

    @property
    def place(self) -> tuple[datetime, int]:
        """Where it stands among others."""
        return self.at, self.number


@dataclass(frozen=True, slots=True)
class Opened:
    """An alert that is open, as far as what follows depends on it."""

    count: int
    """How often it has happened."""
    latest: tuple[datetime, int]
    """The place of the last end that was counted."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to an alert at an instant."""

    event: Event
    at: datetime
    count: int = 1
    """How often it has happened by then."""
    first: int | None = None
    """Of what opened: the first execution that counts."""
    latest: int | None = None
    """The execution that this step follows from."""
