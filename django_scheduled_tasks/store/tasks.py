"""A task read to start an execution of it: locked, or remembered by this process."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from uuid import UUID

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import AsIs, Instant, RowLoader, bare_row
from django_scheduled_tasks.db.statements import Statement, for_update
from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import ScheduledTask, write_alias
from django_scheduled_tasks.models.task import NUL, name_key

_TASK = RowLoader(ScheduledTask)


def _version(connection: Connection) -> str:
    """Return what PostgreSQL changes whenever somebody changes the row; no other database has such a column."""
    return "t.xmin::text" if connection.vendor == "postgresql" else "''"


LOCK = Statement(
    """
    SELECT {t.columns}, {now}, {version} FROM {tasks} t
     WHERE t.name_key = %(name_key)s OR t.id = %(id)s LIMIT 2 {for_update}
    """,
    returns=(_TASK, Instant(), AsIs()),
    tasks=ScheduledTask,
    t=_TASK,
    version=_version,
    for_update=for_update(),
)


@dataclass(frozen=True)
class KnownTask:
    """A task as this process last locked it, with the version that its row had."""

    task: ScheduledTask
    version: str


_known: dict[tuple[str, str], KnownTask] = {}
MOST_KNOWN = 256
"""How many tasks a process remembers: each as wide as its parameters."""


def lock_task(name_or_id: str | UUID, *, remember: bool = False) -> ScheduledTask:
    """Return the task with this name (whatever its case) or id; an id wins. Locked until the transaction ends.

    One statement; ``database_now`` is on the task.

    Args:
        name_or_id: Which.
        remember: Let :func:`known_task` find it by its name from now on. Only of a transaction that has changed
            nothing: two versions of a row that one transaction writes cannot be told apart.
    Raises:
        TaskNotFound: There is none.
    """
    alias, key, identifier = write_alias(), name_key(str(name_or_id)), as_uuid(name_or_id)
    if NUL in key:
        raise TaskNotFound(name_or_id)
    found = LOCK.fetch(name_key=key, id=identifier)
    if not found:
        raise TaskNotFound(name_or_id)
    task: ScheduledTask
    task, now, version = next((one for one in found if one[0].pk == identifier), found[0])
    task.database_now = now
    if remember and version:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[alias, task.name_key] = KnownTask(_copy(task), version)
    return task


def known_task(name: str) -> KnownTask | None:
    """Return the task that had this name when this process last locked it to run it; no statement.

    It may have been changed or deleted since. ``database_now`` is when it was read. Each caller gets a copy.
    """
    known = _known.get((write_alias(), name_key(name)))
    return KnownTask(_copy(known.task), known.version) if known is not None else None


def _copy(task: ScheduledTask) -> ScheduledTask:
    """Return a copy that shares nothing that can be changed."""
    other: ScheduledTask = bare_row(ScheduledTask)
    state = other._state
    other.__dict__.update(task.__dict__)
    other._state, state.adding, state.db = state, False, task._state.db
    for name in ("params", "secret_params", "retry_on", "changed_fields", "tags", "skips"):
        setattr(other, name, copy.deepcopy(getattr(task, name)))
    return other
