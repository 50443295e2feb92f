"""Whether anything may be wrong, in one statement; and which of many tasks have succeeded since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import AsIs, Instant, MaybeInstant
from django_scheduled_tasks.db.statements import Each, Statement
from django_scheduled_tasks.lifecycle import BAD_OUTCOMES
from django_scheduled_tasks.models import Alert, Execution, Hold, Notice, Presence, ScheduledTask
from django_scheduled_tasks.store.holds import not_held

MOST_TASKS = 200
"""So many tasks are asked about in one statement."""
_BAD = ", ".join(f"'{outcome}'" for outcome in BAD_OUTCOMES)
"""As in the condition of the index, so that the database sees that it answers."""


def _oldest_ready(connection: Connection) -> str:
    """Return the hole with the trigger of the oldest execution that may start and does not run.

    As in ``store/open.py``, PostgreSQL must not take the status for a proof that it may walk the primary key.
    """
    status = "status = ANY(ARRAY['pending'])" if connection.vendor == "postgresql" else "status = 'pending'"
    return (
        f"(SELECT triggered_at FROM {{executions}} WHERE {status}"  # noqa: S608  (texts of ours)
        " AND (not_before IS NULL OR not_before <= {now}) ORDER BY status, id LIMIT 1)"
    )


def _by_end(connection: Connection) -> str:
    """Return the hole that names the index of bad ends, where else all of them would be read, by their outcome."""
    hints = {"sqlite": "INDEXED BY dst_exec_bad_end", "mysql": "FORCE INDEX (dst_exec_bad_end)"}
    return hints.get(connection.vendor, "")


SIGNS = Statement(
    """
    SELECT {now},
           (SELECT t.next_run_at FROM {tasks} t
             WHERE t.next_run_at IS NOT NULL AND {not_held} ORDER BY t.next_run_at LIMIT 1),
           {oldest_ready},
           (SELECT MIN(started_at) FROM {executions} WHERE status = 'processing'),
           (SELECT MAX(last_seen_at) FROM {presences} WHERE kind = 'worker'),
           (SELECT COUNT(*) FROM {alerts} WHERE open_key IS NOT NULL),
           (SELECT MIN(next_try_at) FROM {notices} WHERE next_try_at IS NOT NULL),
           (SELECT MAX(id) FROM {executions}),
           b.id, b.task_id, b.completed_at
      FROM (SELECT 1 AS one) always LEFT JOIN (
        SELECT id, task_id, completed_at FROM {executions} {by_end}
         WHERE outcome IN ({bad}) AND completed_at >= %(since)s ORDER BY completed_at LIMIT %(limit)s
      ) b ON 1 = 1
    """,
    returns=(
        *(Instant(), MaybeInstant(), MaybeInstant(), MaybeInstant(), MaybeInstant(), AsIs(), MaybeInstant(), AsIs()),
        *(AsIs(), AsIs(), MaybeInstant()),
    ),
    tasks=ScheduledTask,
    executions=Execution,
    presences=Presence,
    alerts=Alert,
    notices=Notice,
    holds=Hold,
    not_held=not_held,
    oldest_ready=_oldest_ready,
    bad=_BAD,
    by_end=_by_end,
)


def _of_task(connection: Connection) -> str:
    return "e.task_id = ANY(ARRAY[%(task_id#)s])" if connection.vendor == "postgresql" else "e.task_id = %(task_id#)s"


LAST_SUCCESS = Statement(
    "{parts}",
    returns=(AsIs(), MaybeInstant()),
    executions=Execution,
    of_task=_of_task,
    parts=Each(
        "SELECT s#.* FROM (SELECT # AS number, e.completed_at FROM {executions} e WHERE {of_task}"
        " AND e.status = 'completed' ORDER BY e.task_id, e.status, e.id DESC LIMIT 1) s#",
        between=" UNION ALL ",
    ),
)


@dataclass(frozen=True, slots=True)
class BadEnd:
    """An execution that failed, or an occurrence that was missed."""

    number: int
    task_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Signs:
    """What one look says."""

    now: datetime
    due_at: datetime | None
    """When the next task that nothing holds is due, or was."""
    ready_since: datetime | None
    """When the oldest execution was triggered that may start and does not run."""
    runs_since: datetime | None
    """When the oldest that runs was started."""
    worker_seen_at: datetime | None
    open_alerts: int
    notice_at: datetime | None
    """When the next notice is to be sent."""
    newest_id: int
    """The greatest id of an execution; 0 if there is none."""
    bad_ends: Sequence[BadEnd]
    """The first ones since the instant that was asked about."""


def read_signs(since: datetime, *, limit: int) -> Signs:
    """Look; one statement, each part answered by the end of an index.

    Args:
        since: Of bad ends, those from this instant on.
        limit: At most so many, the oldest.
    """
    found = SIGNS.fetch(since=since, limit=limit)
    ends = [
        BadEnd(number, UUID(str(task)) if task is not None else None, at)
        for *_signs, number, task, at in found
        if number is not None
    ]
    now, due_at, ready_since, runs_since, worker_seen_at, open_alerts, notice_at, newest_id, *_end = found[0]
    return Signs(now, due_at, ready_since, runs_since, worker_seen_at, open_alerts, notice_at, newest_id or 0, ends)


def last_successes(task_ids: Sequence[UUID]) -> Mapping[UUID, datetime]:
    """Return when the newest execution that succeeded ended, of each task that has one; a statement for each 200."""
    successes: dict[UUID, datetime] = {}
    for first in range(0, len(task_ids), MOST_TASKS):
        some = task_ids[first : first + MOST_TASKS]
        found = LAST_SUCCESS.fetch([{"task_id": task_id} for task_id in some])
        successes |= {some[number]: at for number, at in found if at is not None}
    return successes
