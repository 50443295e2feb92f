"""An execution read by its tracking id: what a worker and each request for a status need."""

from __future__ import annotations

from uuid import UUID

from django_scheduled_tasks.db.loaders import Instant, RowLoader
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import Execution, ScheduledTask

_EXECUTION, _TASK = RowLoader(Execution), RowLoader(ScheduledTask)

LOAD = Statement(
    """
    SELECT {e.columns}, {t.columns}, {now}
      FROM {executions} e LEFT JOIN {tasks} t ON t.id = e.task_id
     WHERE e.tracking_id = %(tracking_id)s
    """,
    returns=(_EXECUTION, _TASK, Instant()),
    executions=Execution,
    tasks=ScheduledTask,
    e=_EXECUTION,
    t=_TASK,
)
READ = Statement(
    """
    SELECT {e.columns}, {now} FROM {executions} e WHERE e.tracking_id = %(tracking_id)s
    """,
    returns=(_EXECUTION, Instant()),
    executions=Execution,
    e=_EXECUTION,
)


def load(tracking_id: UUID | str) -> Execution | None:
    """Return the execution with its task (None if that was deleted) and ``database_now``. One statement."""
    identifier = as_uuid(tracking_id)
    found = LOAD.first(tracking_id=identifier) if identifier else None
    if found is None:
        return None
    execution: Execution
    execution, execution.task, execution.database_now = found
    return execution


def read(tracking_id: UUID) -> Execution | None:
    """Return the execution without its task, with ``database_now``. One statement."""
    found = READ.first(tracking_id=tracking_id)
    if found is None:
        return None
    execution: Execution
    execution, execution.database_now = found
    return execution
