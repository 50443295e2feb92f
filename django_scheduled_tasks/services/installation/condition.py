"""How the installation is: scheduler, workers, queues and broker, each with its own facts, and what to note. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

STUCK_AFTER = timedelta(minutes=5)
"""An execution that may start but has not been claimed for this long is stuck."""
UNSENT_AFTER = timedelta(seconds=15)
"""An execution that may start but could not be sent for this long says that the engine does not work."""


BEHIND_AFTER = timedelta(seconds=5)
"""If something was recorded by so much later than now, the database's clock was set back."""


class Note(StrEnum):
    """What people have to know, the worst first."""

    COPY = "copy"
    """The database is a copy, or waits to be adopted."""
    HELD = "held"
    """Somebody holds everything, a queue or a tag."""
    CLOCK = "clock"
    """The database's clock was set back, so that what is due waits for longer."""
    NOT_STARTED = "not_started"
    """Neither a scheduler nor a worker has ever been seen."""
    SCHEDULER = "scheduler"
    """No scheduler answers."""
    BROKER = "broker"
    """What a scheduler sends does not get to the workers' queues."""
    WORKER = "worker"
    """No worker answers."""
    QUEUE = "queue"
    """What waits in a queue is not taken."""
    MOVED = "moved"
    """The database has moved, and was taken as the same one; nobody has said yet that it is."""
    RELEASES = "releases"
    """More than one release runs."""
    ALERTS = "alerts"
    """Alerts are open that nobody has acknowledged; never among what is judged here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A scheduler process, or the workers of one cluster, queue and release."""

    host: str
    seen_at: datetime
    queue: str = ""
    ending_at: datetime | None = None
    """When it was asked to end: it finishes what it runs, and takes nothing new."""


@dataclass(frozen=True, slots=True)
class Wait:
    """An execution that may start, that nothing holds, and that waits for a worker."""

    queue: str
    since: datetime
    is_sent: bool = True
    """Whether the engine took its message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found."""

    now: datetime
    timeout: timedelta
    """Who was not seen for longer is gone."""
    schedulers: Sequence[Seen] = ()
    """All that are known, also those that are gone."""
    workers: Sequence[Seen] = ()
    waiting: Sequence[Wait] = ()
    newest_at: datetime | None = None
    """When the newest execution was written."""
    is_copy: bool = False
    is_held: bool = False
    has_moved: bool = False
    releases: int = 1
    """How many run."""
    names_queues: bool = True
    """Whether workers say that they are there before they run something, and for which queue."""


@dataclass(frozen=True, slots=True)
class Part:
    """The schedulers, or the workers."""

    alive: tuple[Seen, ...] = ()
    last: Seen | None = None
    """The one that was seen last; None: never."""
    is_known: bool = True
    """Whether it can be told that there is none."""

    @property
    def hosts(self) -> int:
        """On how many hosts one answers."""
        return len({one.host for one in self.alive})

    @property
    def is_well(self) -> bool:
        """Whether one answers, as far as that is known."""
        return bool(self.alive) or not self.is_known


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits in one queue."""

    name: str
    """Empty: the default one."""
    waiting: int
    since: datetime
    """Since when the oldest waits."""
    takers: tuple[str, ...]
    """The hosts whose workers take from it."""
    is_slow: bool
    """Whether the oldest waits for longer than :data:`STUCK_AFTER`."""
    has_taker: bool = True
    """Whether a worker takes from it, as far as that is known."""
    ending: tuple[Seen, ...] = ()
    """The workers of this queue that were asked to end."""

    @property
    def is_well(self) -> bool:
        """Whether what waits will start soon."""
        return self.has_taker and not self.is_slow


@dataclass(frozen=True, slots=True)
class Condition:
    """How the installation is."""

    now: datetime
    scheduler: Part
    workers: Part
    queues: tuple[Queue, ...] = ()
    """Those in which something waits, the worst first."""
    unsent: int = 0
    """How many executions the engine did not take, for longer than :data:`UNSENT_AFTER`."""
    unsent_since: datetime | None = None
    behind: timedelta = timedelta(0)
    """By how much the database's clock is behind at least, if more than :data:`BEHIND_AFTER`."""
    is_copy: bool = False
    notes: tuple[Note, ...] = ()
    """What people have to know, the worst first."""

    @property
    def note(self) -> Note | None:
        """The worst of them: one is shown at a time."""
        return self.notes[0] if self.notes else None

    @property
    def waiting(self) -> int:
        """How many executions wait."""
        return sum(queue.waiting for queue in self.queues)

    @property
    def waiting_since(self) -> datetime | None:
        """Since when the oldest of them waits."""
        return min((queue.since for queue in self.queues), default=None)

    @property
    def broker_is_well(self) -> bool:
        """Whether messages get to workers. Without a scheduler nobody sends again, so that nothing is known of it."""
        return self.unsent == 0 or not self.scheduler.alive

    @property
    def worst_queue(self) -> Queue | None:
        """The queue of which a note is; None if all are well. Without any worker it is the workers, not the queue."""
        first = self.queues[0] if self.queues else None
        return first if first is not None and not first.is_well and self.workers.alive else None


def judge(facts: Facts) -> Condition:
    """Say how the installation is. One fact never stands for two: each part is judged by what belongs to it alone.

    In a copy of a database schedulers and workers do not say that they are there, so that nothing is missed there.
    """
    unsent = [one for one in facts.waiting if not one.is_sent and facts.now - one.since > UNSENT_AFTER]
    oldest = max((facts.now - one.since for one in facts.waiting), default=timedelta(0))
    seen = (*facts.schedulers, *facts.workers)
    workers = _part(facts.workers, facts)
    if not facts.names_queues and oldest <= UNSENT_AFTER:
        workers = Part(workers.alive, workers.last, is_known=False)
    found = Condition(
        now=facts.now,
        scheduler=_part(facts.schedulers, facts),
        workers=workers,
        queues=tuple(sorted(_queues(facts, workers), key=_badness)),
        unsent=len(unsent),
        unsent_since=min((one.since for one in unsent), default=None),
        behind=clock_behind(facts.now, [facts.newest_at, *(one.seen_at for one in seen)]),
        is_copy=facts.is_copy,
    )
    return replace(found, notes=tuple(_notes(found, facts)))


def clock_behind(now: datetime, recorded: Iterable[datetime | None]) -> timedelta:
    """Return by how much the database's clock is behind what it has shown before, as far as that is seen.

    Args:
        now: What it shows.
        recorded: Instants that it has shown.
    Returns:
        0 if it is no more than :data:`BEHIND_AFTER`.
    """
    behind = max((instant - now for instant in recorded if instant is not None), default=timedelta(0))
    return behind if behind > BEHIND_AFTER else timedelta(0)


def _part(seen: Iterable[Seen], facts: Facts) -> Part:
    newest = sorted(seen, key=lambda one: one.seen_at, reverse=True)
    alive = tuple(one for one in newest if facts.now - one.seen_at <= facts.timeout)
    return Part(alive, newest[0] if newest else None, is_known=not facts.is_copy)


def _queues(facts: Facts, workers: Part) -> Iterator[Queue]:
    for name in sorted({one.queue for one in facts.waiting}):
        own = [one.since for one in facts.waiting if one.queue == name]
        there = [one for one in workers.alive if one.queue == name]
        takers = sorted({one.host for one in there if one.ending_at is None})
        is_silent = facts.is_copy or not facts.names_queues
        yield Queue(
            name,
            waiting=len(own),
            since=min(own),
            takers=tuple(takers),
            is_slow=facts.now - min(own) > STUCK_AFTER,
            has_taker=bool(takers) or is_silent,
            ending=tuple(one for one in there if one.ending_at is not None),
        )


def _badness(queue: Queue) -> tuple[bool, bool, datetime]:
    return queue.has_taker, not queue.is_slow, queue.since


def _notes(found: Condition, facts: Facts) -> Iterator[Note]:
    if facts.is_copy:
        yield Note.COPY
    if facts.is_held:
        yield Note.HELD
    if found.behind:
        yield Note.CLOCK
    never = found.scheduler.last is None and found.workers.last is None
    if never and found.scheduler.is_known:
        yield Note.NOT_STARTED
    elif not found.scheduler.is_well:
        yield Note.SCHEDULER
    if not found.broker_is_well:
        yield Note.BROKER
    if not never and not found.workers.is_well:
        yield Note.WORKER
    if found.worst_queue is not None:
        yield Note.QUEUE
    if facts.has_moved:
        yield Note.MOVED
    if facts.releases > 1:
        yield Note.RELEASES
