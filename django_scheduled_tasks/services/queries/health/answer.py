"""Whether the installation does what it should: a scheduler is there, nothing is overdue, nothing is stuck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import HeldCopy
from django_scheduled_tasks.lifecycle import LATE_AFTER, Status
from django_scheduled_tasks.models import (
    Execution,
    Presence,
    PresenceKind,
    ScheduledTask,
    database_now,
    read_now,
    with_now,
    write_alias,
)
from django_scheduled_tasks.services.installation.condition import STUCK_AFTER, UNSENT_AFTER, clock_behind
from django_scheduled_tasks.services.installation.state import standing
from django_scheduled_tasks.services.installation.words import clock_text, why
from django_scheduled_tasks.services.queries.health.releases import RunningReleases, releases_of
from django_scheduled_tasks.store.holds import held_tasks
from django_scheduled_tasks.store.open import newest_at

MIXED_FOR = timedelta(minutes=30)
"""A deploy is over by then: that two releases still run is a problem."""
MOST_NAMED = 10
"""The most tasks or executions that a problem names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    code: str
    """``held_copy``, ``no_scheduler``, ``overdue_tasks``, ``engine_unavailable``, ``stuck_executions``,
    ``two_releases`` or ``clock_behind``."""
    message: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Health:
    """How the installation is."""

    schedulers: int
    """How many have been seen lately."""
    worker_hosts: int
    """On how many hosts workers have been seen lately."""
    scheduler_seen_at: datetime | None
    worker_seen_at: datetime | None
    problems: tuple[Problem, ...]
    releases: RunningReleases = field(default_factory=RunningReleases)
    """Which releases run."""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def examine() -> Health:
    """Look; five statements that each read the end of an index, however large the tables are.

    Of a copy of a database only that is said: nothing else is to be expected of it.
    """
    limit = get_settings().PRESENCE_TIMEOUT
    seen = list(with_now(Presence.objects.using(write_alias()).order_by("-last_seen_at"))[:1_000])
    alive = [row for row in seen if row.last_seen_at >= row.database_now - limit]
    schedulers = [row for row in alive if row.kind == PresenceKind.SCHEDULER]
    workers = {row.host for row in alive if row.kind == PresenceKind.WORKER}
    releases = releases_of(alive)
    return Health(
        schedulers=len(schedulers),
        worker_hosts=len(workers),
        scheduler_seen_at=_latest(seen, PresenceKind.SCHEDULER),
        worker_seen_at=_latest(seen, PresenceKind.WORKER),
        problems=tuple(_held_copy() or [*_clock(seen), *_problems(schedulers, workers, releases)]),
        releases=releases,
    )


def _held_copy() -> list[Problem]:
    found = standing()
    if found.cause is None or found.installation is None:
        return []
    details = {"cause": str(found.cause), "environment": found.installation.environment}
    return [Problem("held_copy", HeldCopy(why(found)).message, details)]


def _clock(seen: list[Presence]) -> Iterator[Problem]:
    recorded = [newest_at(), *(row.last_seen_at for row in seen)]
    behind = clock_behind(seen[0].database_now if seen else read_now(), recorded)
    if behind:
        yield Problem("clock_behind", clock_text(behind), {"seconds": behind.total_seconds()})


def _problems(schedulers: list[Presence], workers: set[str], releases: RunningReleases) -> Iterator[Problem]:
    if (problem := _no_scheduler(schedulers)) is not None:
        yield problem
    if (problem := _overdue()) is not None:
        yield problem
    yield from _waiting(workers)
    if (problem := _mixed(releases)) is not None:
        yield problem


def _latest(seen: list[Presence], kind: PresenceKind) -> datetime | None:
    return next((row.last_seen_at for row in seen if row.kind == kind), None)


def _no_scheduler(alive: list[Presence]) -> Problem | None:
    if alive:
        return None
    return Problem("no_scheduler", _("No scheduler has been seen lately. Start one: manage.py runscheduler."), {})


def _mixed(releases: RunningReleases) -> Problem | None:
    if not releases.are_mixed or releases.mixed_for < MIXED_FOR:
        return None
    return Problem("two_releases", releases.sentence, {"releases": [one.name for one in releases.all]})


def _overdue() -> Problem | None:
    rows = (
        ScheduledTask.objects.using(write_alias())
        .filter(next_run_at__lt=database_now() - LATE_AFTER)
        .exclude(pk__in=held_tasks())
        .order_by("next_run_at")
    )
    names = list(rows.values_list("name", flat=True)[:MOST_NAMED])
    if not names:
        return None
    message = _("Tasks are overdue: %(names)s.") % {"names": ", ".join(names)}
    return Problem("overdue_tasks", message, {"scheduled_task_names": names})


def _waiting(workers: set[str]) -> Iterator[Problem]:
    """Yield what is wrong with executions that wait, or whose lease ran out long ago; two statements."""
    rows = Execution.objects.using(write_alias())
    held = rows.filter(exclusive_key=OuterRef("lock_key"))
    ready = rows.ready().filter(~Exists(held)).exclude(task__in=held_tasks())
    ready = ready.exclude(not_before__gt=database_now() - UNSENT_AFTER)
    unsent, unclaimed = Q(submissions=0), Q(triggered_at__lt=database_now() - STUCK_AFTER)
    unclaimed &= Q(not_before=None) | Q(not_before__lt=database_now() - STUCK_AFTER)
    waiting = ready.filter(unsent | unclaimed, triggered_at__lt=database_now() - UNSENT_AFTER).annotate(
        is_sent=Case(When(unsent, then=Value(False)), default=Value(True))
    )
    found = list(waiting.order_by("is_sent", "id").values_list("tracking_id", "is_sent")[: 2 * MOST_NAMED])
    if lost := [tracking_id for tracking_id, is_sent in found if not is_sent]:
        message = _("Executions cannot be sent to workers: the broker does not take them.")
        yield Problem("engine_unavailable", message, _named(lost))
    expired = rows.filter(status=Status.PROCESSING, lease_until__lt=database_now() - 2 * get_settings().LEASE)
    stuck = [tracking_id for tracking_id, is_sent in found if is_sent]
    stuck += expired.order_by("lease_until").values_list("tracking_id", flat=True)[:MOST_NAMED]
    if stuck:
        message = (
            _("Executions are stuck.") if workers else _("Executions are stuck, and no worker has been seen lately.")
        )
        yield Problem("stuck_executions", message, _named(stuck))


def _named(found: list[UUID]) -> dict[str, Any]:
    return {"tracking_ids": [str(item) for item in found[:MOST_NAMED]]}
