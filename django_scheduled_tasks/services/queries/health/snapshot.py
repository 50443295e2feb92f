"""How the installation is now, read for a page: two statements, and one more every few seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.engines import get_engine
from django_scheduled_tasks.engines.base import names_queues
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Hold, HoldScope, Presence, PresenceKind
from django_scheduled_tasks.services.installation.condition import STUCK_AFTER, Condition, Facts, Seen, Wait, judge
from django_scheduled_tasks.services.installation.state import Standing, standing
from django_scheduled_tasks.services.queries.health.releases import RunningReleases, releases_of
from django_scheduled_tasks.services.queries.holds import is_for, lasting_or_over_since, over_at
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.store.open import Open, open_executions


@dataclass(frozen=True)
class Snapshot:
    """What was found, and what follows from it."""

    now: datetime
    place: Standing
    """How the database stands to this process."""
    holds: Sequence[Hold]
    """Those that last."""
    ended_holds: Sequence[Hold]
    """Those that ended a few minutes ago."""
    work: Sequence[Open]
    """What runs, and what may start."""
    processes: Sequence[Presence]
    """Schedulers and workers, also those that are gone; web processes that run."""
    releases: RunningReleases
    newest_at: datetime | None = None
    """When the newest execution was written."""

    @property
    def running(self) -> list[Open]:
        """What runs."""
        return [one for one in self.work if one.execution.status == Status.PROCESSING]

    @cached_property
    def waiting(self) -> list[Open]:
        """What waits for a worker, and nothing holds."""
        return [one for one in self._pending if not self._is_held(one)]

    @cached_property
    def held_back(self) -> list[Open]:
        """What waits for the end of a hold."""
        return [one for one in self._pending if self._is_held(one)]

    @property
    def wide_holds(self) -> list[Hold]:
        """The holds of more than one task."""
        return [hold for hold in self.holds if hold.scope != HoldScope.TASK]

    def running_despite(self, hold: Hold) -> int:
        """Return how many executions still run of the tasks that *hold* is for."""
        return sum(is_for(hold, one.task_id, one.queue, one.tags) for one in self.running)

    def of_kind(self, kind: PresenceKind) -> list[Presence]:
        """Return the processes of one kind, seen last first."""
        return [row for row in self.processes if row.kind == kind]

    @cached_property
    def busy_hosts(self) -> Mapping[str, int]:
        """How many executions run on each host."""
        return Counter(one.execution.worker_host for one in self.running)

    @property
    def _pending(self) -> list[Open]:
        return [
            one for one in self.work if one.execution.status == Status.PENDING and self.place.may_start(one.execution)
        ]

    def _is_held(self, one: Open) -> bool:
        return any(is_for(hold, one.task_id, one.queue, one.tags) for hold in self.holds)

    @cached_property
    def condition(self) -> Condition:
        """How the installation is."""
        return judge(
            Facts(
                now=self.now,
                timeout=get_settings().PRESENCE_TIMEOUT,
                schedulers=self._seen(PresenceKind.SCHEDULER),
                workers=self._seen(PresenceKind.WORKER),
                waiting=tuple(map(self._wait, self.waiting)),
                newest_at=self.newest_at,
                is_copy=self.place.is_held,
                is_held=bool(self.wide_holds),
                has_moved=self.place.has_moved,
                releases=len(self.releases.all),
                names_queues=_names_queues(),
            )
        )

    def waits_since(self, one: Open) -> datetime:
        """Return since when *one* waits: what was held waits from the end of the hold on."""
        ends = [over_at(hold) for hold in self.ended_holds if is_for(hold, one.task_id, one.queue, one.tags)]
        return max([one.waits_since, *filter(None, ends)])

    def _wait(self, one: Open) -> Wait:
        return Wait(one.queue, self.waits_since(one), is_sent=one.execution.submissions > 0)

    def _seen(self, kind: PresenceKind) -> tuple[Seen, ...]:
        return tuple(Seen(row.host, row.last_seen_at, row.queue, row.ending_at) for row in self.of_kind(kind))


def take_snapshot() -> Snapshot:
    """Look; two statements, and one every few seconds for the processes."""
    processes, alive, place = live.processes_seen(), live.processes_lately(), standing()
    work = open_executions()
    lasting: list[Hold] = []
    ended: list[Hold] = []
    for hold in lasting_or_over_since(STUCK_AFTER):
        end = over_at(hold)
        (ended if end is not None and end <= hold.database_now else lasting).append(hold)
    return Snapshot(work.now, place, lasting, ended, work.open, processes, releases_of(alive), work.newest_at)


def _names_queues() -> bool:
    try:
        return names_queues(get_engine())
    except ImproperlyConfigured:  # a system check says so; pages must still be drawn
        return True
