"""What is held, decided by one condition: :func:`not_held`. Statements that look for something to start contain it."""

from __future__ import annotations

from uuid import UUID

from django.db.models.expressions import RawSQL

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import AsIs, Instant
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask

LASTS = "h.ended_at IS NULL AND h.starts_at <= {now} AND (h.until IS NULL OR h.until > {now})"
"""Whether the hold ``h`` lasts."""
_HAS_TAG = {
    "postgresql": "STRPOS(t.tags, ',' || h.tag || ',') > 0",
    "mysql": "INSTR(t.tags, CONCAT(',', h.tag, ',')) > 0",
    "sqlite": "INSTR(t.tags, ',' || h.tag || ',') > 0",
}
"""Not LIKE, for which an underscore in a tag would stand for any character."""


def concerns(connection: Connection) -> str:
    """Return the hole that is true if the hold ``h`` is for the task ``t``."""
    return (
        "(h.scope = 'all' OR h.scope = 'task' AND h.task_id = t.id OR h.scope = 'queue' AND h.queue = t.queue"
        f" OR h.scope = 'tag' AND {_HAS_TAG[connection.vendor]})"
    )


def not_held(connection: Connection) -> str:
    """Return the hole that is true if nothing holds the task ``t``; it needs the hole ``holds`` before it."""
    return _none("{holds} h", connection)


def not_held_of_row(connection: Connection) -> str:
    """Return the same for an execution ``e`` whose task is not in the statement; it needs ``holds`` and ``tasks``.

    If its task was deleted, only a hold of everything holds it.
    """
    return _none("{holds} h LEFT JOIN {tasks} t ON t.id = {e}.task_id", connection)


def _none(tables: str, connection: Connection) -> str:
    # Not NOT EXISTS, of which PostgreSQL would make a join. S608: a text of ours, without values.
    found = f"SELECT 1 FROM {tables} WHERE {LASTS} AND {concerns(connection)} LIMIT 1"  # noqa: S608
    return f"COALESCE(({found}), 0) = 0"


HELD = Statement(
    """
    SELECT 1 FROM {executions} e WHERE e.tracking_id = %(tracking_id)s AND NOT ({not_held})
    """,
    returns=(AsIs(),),
    executions=Execution,
    holds=Hold,
    tasks=ScheduledTask,
    e="e",
    not_held=not_held_of_row,
)
# First whether there is a hold at all, which is asked once: else each task would be asked about.
HELD_TASKS = Statement(
    "SELECT t.id FROM {tasks} t WHERE (SELECT COUNT(*) FROM {holds} h WHERE {lasts}) > 0 AND NOT ({not_held})",
    lasts=LASTS,
    returns=(AsIs(),),
    tasks=ScheduledTask,
    holds=Hold,
    not_held=not_held,
)
RELEASE = Statement(
    """
    UPDATE {executions} SET send_at = {now}, submissions = 0
     WHERE status = 'pending' AND (not_before IS NULL OR not_before <= {now})
       AND task_id IN (SELECT t.id FROM {tasks} t JOIN {holds} h ON {concerns} WHERE h.id = %(id)s)
    """,
    executions=Execution,
    tasks=ScheduledTask,
    holds=Hold,
    concerns=concerns,
)
RUNNING = Statement(
    """
    SELECT e.id, e.task_name, e.worker_host, e.started_at FROM {executions} e LEFT JOIN {tasks} t ON t.id = e.task_id
     WHERE e.status = 'processing' AND EXISTS (SELECT 1 FROM {holds} h WHERE h.id = %(id)s AND {concerns})
     ORDER BY e.id LIMIT %(limit)s
    """,
    returns=(AsIs(), AsIs(), AsIs(), Instant()),
    executions=Execution,
    tasks=ScheduledTask,
    holds=Hold,
    concerns=concerns,
)


def is_held(tracking_id: UUID) -> bool:
    """Whether a hold keeps the execution from starting now; one statement."""
    return HELD.first(tracking_id=tracking_id) is not None


def held_tasks() -> RawSQL:
    """Return the subquery of the tasks that are held now, for conditions of the ORM: ``task__in=held_tasks()``."""
    return HELD_TASKS.as_subquery()


def make_due(hold: Hold) -> int:
    """Let a scheduler send what is pending of the tasks that *hold* is for, with its next pass; one statement."""
    return RELEASE.execute(id=hold.pk)
