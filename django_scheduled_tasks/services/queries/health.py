"""Whether the installation does what it should: a scheduler is there, nothing is overdue, nothing is stuck."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import LATE_AFTER, Status
from django_scheduled_tasks.models import Execution, Presence, PresenceKind, ScheduledTask, database_now, with_now

STUCK_AFTER = timedelta(minutes=5)
"""An execution that may start but has not been claimed for this long is stuck."""
MOST_NAMED = 10
"""The most tasks or executions that a problem names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    code: str
    """``no_scheduler``, ``overdue_tasks``, ``stuck_executions``."""
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

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def examine() -> Health:
    """Look; four statements that each read the end of an index, however large the tables are."""
    limit = get_settings().PRESENCE_TIMEOUT
    seen = list(with_now(Presence.objects.order_by("-last_seen_at"))[:1_000])
    alive = [row for row in seen if row.last_seen_at >= row.database_now - limit]
    schedulers = [row for row in alive if row.kind == PresenceKind.SCHEDULER]
    workers = {row.host for row in alive if row.kind == PresenceKind.WORKER}
    return Health(
        schedulers=len(schedulers),
        worker_hosts=len(workers),
        scheduler_seen_at=_latest(seen, PresenceKind.SCHEDULER),
        worker_seen_at=_latest(seen, PresenceKind.WORKER),
        problems=tuple(
            problem for problem in (_no_scheduler(schedulers), _overdue(), _stuck(workers)) if problem is not None
        ),
    )


def _latest(seen: list[Presence], kind: PresenceKind) -> datetime | None:
    return next((row.last_seen_at for row in seen if row.kind == kind), None)


def _no_scheduler(alive: list[Presence]) -> Problem | None:
    if alive:
        return None
    return Problem("no_scheduler", _("No scheduler has been seen lately. Start one: manage.py runscheduler."), {})


def _overdue() -> Problem | None:
    rows = ScheduledTask.objects.filter(next_run_at__lt=database_now() - LATE_AFTER).order_by("next_run_at")
    names = list(rows.values_list("name", flat=True)[:MOST_NAMED])
    if not names:
        return None
    message = _("Tasks are overdue: %(names)s.") % {"names": ", ".join(names)}
    return Problem("overdue_tasks", message, {"scheduledTaskNames": names})


def _stuck(workers: set[str]) -> Problem | None:
    """Executions that nobody claims though they may start, or whose lease ran out long ago."""
    held = Execution.objects.filter(exclusive_key=OuterRef("lock_key"))
    before = database_now() - STUCK_AFTER
    waiting = Execution.objects.ready().filter(~Exists(held), triggered_at__lt=before).exclude(not_before__gt=before)
    lost = Execution.objects.filter(status=Status.PROCESSING, lease_until__lt=database_now() - 2 * get_settings().LEASE)
    found = [
        *waiting.order_by("id").values_list("tracking_id", flat=True)[:MOST_NAMED],
        *lost.order_by("lease_until").values_list("tracking_id", flat=True)[:MOST_NAMED],
    ]
    if not found:
        return None
    message = _("Executions are stuck.") if workers else _("Executions are stuck, and no worker has been seen lately.")
    return Problem("stuck_executions", message, {"trackingIds": [str(item) for item in found[:MOST_NAMED]]})
