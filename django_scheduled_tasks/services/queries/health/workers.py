"""Workers, schedulers and queues for people: who is there, what each runs, what waits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Attempt, Execution, Presence, PresenceKind, ScheduledTask, database_now
from django_scheduled_tasks.services.queries.health.snapshot import Snapshot
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.store.open import Open

GONE_WITHIN = timedelta(days=1)
"""Who was seen within this time, and is gone, is listed."""
LOOKED_BACK, MOST_STARTED = timedelta(hours=1), 2_000
"""Of the executions that were triggered within this time so many are looked at, the newest."""
MOST_ATTEMPTS = 2_000
"""Of the attempts that did not succeed so many are looked at, the newest, for what became of lost executions."""
CLOCKS_APART = timedelta(seconds=2)
"""A host's clock that differs by more is named."""
MOST_FUNCTIONS = 5
"""Of the functions that only one release knows so many are named."""


@dataclass(slots=True)
class Worker:
    """The workers of one cluster, or of a host where clusters have no numbers; or one scheduler process."""

    host: str
    release: str
    """Its key; empty: an older version of this package."""
    started_at: datetime
    seen_at: datetime
    pid: int | None = None
    """Of a scheduler, or of the process that has started the workers."""
    processes: int | None = None
    """How many workers there are, if the engine says so."""
    ending_at: datetime | None = None
    """When it was asked to end."""
    ended_at: datetime | None = None
    """When it ended in good order; None: it is there, or nobody knows why it is not."""
    clock_behind: timedelta = timedelta(0)
    """By how much the clock of its host is behind the database's; negative: ahead."""
    queues: list[str] = field(default_factory=list)
    work: list[Open] = field(default_factory=list)
    """What runs there."""
    lost: Counter[str] = field(default_factory=Counter)
    """Of one that is gone: how many executions it lost, by the host that has them now; empty: none has."""

    @property
    def free(self) -> int:
        """How many of its processes run nothing."""
        return max((self.processes or 0) - len(self.work), 0)


@dataclass(slots=True)
class QueueState:
    """One queue."""

    name: str
    """Empty: the default one."""
    waiting: int = 0
    since: datetime | None = None
    """Since when the oldest waits."""
    held: int = 0
    """How many wait for the end of a hold."""
    running: int = 0
    hosts: Sequence[str] = ()
    """Whose workers take from it."""
    processes: int | None = 0
    """How many workers take from it; None: the engine does not say so."""
    there: int | None = 0
    """How many there are, with those that take nothing new."""
    is_used: bool = False
    """Whether a task names it."""
    started: int = 0
    """How many of those that were triggered within the last hour have started."""
    longest_wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """How the clocks of hosts differ from the database's."""

    apart: Sequence[tuple[str, timedelta]]
    """Hosts whose clock differs by more than :data:`CLOCKS_APART`, and by how much it is behind; negative: ahead."""
    most: timedelta | None
    """The largest difference; None: nobody has said what its clock shows."""


@dataclass(frozen=True, slots=True)
class OnlyThere:
    """What one of several releases knows, and none of the others."""

    release: str
    functions: Sequence[tuple[str, int]]
    """Each with the number of tasks that use it."""
    more: int = 0
    """How many are not named."""


def are_there(found: Snapshot, kind: PresenceKind) -> list[Worker]:
    """Return the schedulers or workers that answer; those of the newest release first."""
    order = {release.key: -number for number, release in enumerate(found.releases.all)}
    rows = _joined(found.of_kind(kind), is_alive=True)
    if kind == PresenceKind.WORKER:
        for one in found.running:
            execution = one.execution
            there = [row for row in rows if (row.host, row.release) == (execution.worker_host, execution.release)]
            # Which of several clusters of a host it is, nobody records but by the queue.
            there.sort(key=lambda row: (one.queue not in row.queues, not row.free))
            if there:
                there[0].work.append(one)
    return sorted(rows, key=lambda row: (order.get(row.release, 1), row.host, row.pid or 0))


def processes_of(rows: Iterable[Presence], queue: str | None = None) -> int | None:
    """Return how many worker processes take something new, from *queue* or from any.

    Args:
        rows: What has been seen, of any kind.
        queue: Its name; None: all queues.
    Returns:
        None if the engine does not say so.
    """
    there = _joined((row for row in rows if row.kind == PresenceKind.WORKER), is_alive=True)
    taking = [row for row in there if row.ending_at is None and (queue is None or queue in row.queues)]
    found: int | None = 0
    for row in taking:
        found = _sum(found, row.processes)
    return found


def are_gone(found: Snapshot) -> list[tuple[str, Worker]]:
    """Return the kinds and the schedulers and workers that went within a day, last first."""
    rows = [
        (kind, row)
        for kind in (PresenceKind.SCHEDULER, PresenceKind.WORKER)
        for row in _joined(found.of_kind(kind), is_alive=False)
        if found.now - row.seen_at <= GONE_WITHIN
    ]
    _add_lost([row for _kind, row in rows])
    return sorted(rows, key=lambda pair: pair[1].ended_at or pair[1].seen_at, reverse=True)


def _add_lost(gone: Sequence[Worker]) -> None:
    """Add to workers that are gone what became of what they ran; one statement, and none if all ended in good order."""
    abrupt = {(row.host, row.release): row for row in sorted(gone, key=lambda row: row.seen_at) if not row.ended_at}
    if not abrupt:
        return
    columns = (
        "worker_host",
        "release",
        "started_at",
        "outcome",
        "execution__worker_host",
        "execution__attempt",
        "number",
    )
    for host, release, started_at, outcome, now_on, attempt, number in Attempt.objects.order_by("-pk").values_list(
        *columns
    )[:MOST_ATTEMPTS]:
        row = abrupt.get((host, release))
        if row is not None and outcome == Outcome.WORKER_LOST and started_at and started_at >= row.started_at:
            row.lost[now_on if attempt > number else ""] += 1


def clocks(found: Snapshot) -> Clocks:
    """Return how the clocks of hosts on which schedulers and workers answer differ from the database's."""
    timeout = get_settings().PRESENCE_TIMEOUT
    rows = [row for row in found.processes if row.last_seen_at >= row.database_now - timeout and row.host_time]
    apart = {row.host: row.clock_behind for row in rows if abs(row.clock_behind) > CLOCKS_APART}
    return Clocks(sorted(apart.items()), max((abs(row.clock_behind) for row in rows), default=None))


def strays(found: Snapshot) -> list[Open]:
    """Return what runs, as its row says, on workers that do not answer."""
    places = {(row.host, row.release) for row in _joined(found.of_kind(PresenceKind.WORKER), is_alive=True)}
    return [one for one in found.running if (one.execution.worker_host, one.execution.release) not in places]


def _joined(rows: Iterable[Presence], *, is_alive: bool) -> list[Worker]:
    """Return one for each host, release and process, whatever the number of its queues."""
    joined: dict[tuple[str, str, int | None], Worker] = {}
    for row in rows:
        if (row.last_seen_at >= row.database_now - get_settings().PRESENCE_TIMEOUT) != is_alive:
            continue
        first = Worker(
            row.host,
            row.release,
            row.started_at,
            row.last_seen_at,
            row.pid,
            row.processes,
            row.ending_at,
            clock_behind=row.clock_behind,
        )
        one = joined.setdefault((row.host, row.release, row.pid), first)
        one.ended_at = row.ended_at if row.ended_well else None
        one.started_at, one.seen_at = min(one.started_at, row.started_at), max(one.seen_at, row.last_seen_at)
        one.queues.append(row.queue)
    for one in joined.values():
        one.queues.sort()
    return list(joined.values())


def queues_of(found: Snapshot) -> list[QueueState]:
    """Return the queues that tasks name, that workers take from or in which something is open; two statements."""
    queues: dict[str, QueueState] = {}

    def state(name: str) -> QueueState:
        return queues.setdefault(name, QueueState(name))

    for name in ScheduledTask.objects.order_by().values_list("queue", flat=True).distinct():
        state(name).is_used = True
    for row in _joined(found.of_kind(PresenceKind.WORKER), is_alive=True):
        for place in map(state, row.queues):
            place.there = _sum(place.there, row.processes)
            if row.ending_at is None:
                place.hosts = sorted({*place.hosts, row.host})
                place.processes = _sum(place.processes, row.processes)
    for one in found.running:
        state(one.queue).running += 1
    for one in found.held_back:
        state(one.queue).held += 1
    for queue in found.condition.queues:
        state(queue.name).waiting, state(queue.name).since = queue.waiting, queue.since
    for name, waits in _waits_lately().items():
        state(name).started, state(name).longest_wait = len(waits), max(waits)
    return sorted(queues.values(), key=lambda queue: queue.name)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _waits_lately() -> dict[str, list[timedelta]]:
    """Return, by queue, how long those have waited that were triggered within the last hour; one statement."""
    rows = Execution.objects.filter(triggered_at__gte=database_now() - LOOKED_BACK).order_by("-triggered_at")
    found: dict[str, list[timedelta]] = defaultdict(list)
    columns = ("task__queue", "triggered_at", "not_before", "started_at")
    for queue, triggered_at, not_before, started_at in rows.values_list(*columns)[:MOST_STARTED]:
        if started_at is not None:
            since = max(triggered_at, not_before) if not_before else triggered_at
            found[queue or ""].append(max(started_at - since, timedelta(0)))
    return found


def only_there(found: Snapshot) -> list[OnlyThere]:
    """Return what only one of the releases that run knows; at most one statement, and none if only one runs."""
    if not found.releases.are_mixed:
        return []
    names = {release.key: release.name for release in found.releases.all}
    known = {key: set(release.functions) for key, release in live.releases(sorted(names)).items()}
    only = {
        key: sorted(functions.difference(*(known[other] for other in known if other != key)))
        for key, functions in known.items()
    }
    every = [name for functions in only.values() for name in functions]
    used = dict(
        ScheduledTask.objects.filter(function__in=every).order_by().values_list("function").annotate(Count("pk"))
        if every
        else ()
    )
    return [
        OnlyThere(
            names[key],
            [
                (name, used.get(name, 0))
                for name in sorted(functions, key=lambda name: name not in used)[:MOST_FUNCTIONS]
            ],
            max(len(functions) - MOST_FUNCTIONS, 0),
        )
        for key in reversed(names)
        if (functions := only[key])
    ]
