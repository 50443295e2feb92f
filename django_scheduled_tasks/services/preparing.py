"""Occurrences prepared shortly before they are due, so that the due instant costs one statement and a message.

Nothing of it is written before the instant: what is prepared is the plan, the row and its values, in memory. The
statement writes them only if the task's row is still, to the byte, the one that was planned: whoever paused, edited or
deleted it in between, and whichever other scheduler was there first, has changed it. What was not written is left to
:func:`occurrences.record_due`, where all the rules are.

PostgreSQL only: other databases have no system column that tells one version of a row from the next, nor a statement
that changes one table and fills another.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections, transaction

from django_scheduled_tasks.lifecycle import OPEN, Overlap
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.models.clock import DatabaseNow, as_instant
from django_scheduled_tasks.models.cursors import binding_cursor
from django_scheduled_tasks.models.swap import Reader, columns_of, values_of
from django_scheduled_tasks.planner import DecisionKind, TaskState, plan
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.dispatch import after_commit
from django_scheduled_tasks.services.loading import task_with_now
from django_scheduled_tasks.services.occurrences import row_of

logger = logging.getLogger("django_scheduled_tasks")
MOST = 8
"""How many tasks are prepared for one instant; of more, the others come with the pass that follows."""


@dataclass(frozen=True)
class _Ready:
    """One task, planned."""

    execution: Execution
    version: str
    changes: tuple[datetime | None, int]
    """The new ``next_run_at`` and ``run_count``."""
    is_exclusive: bool
    """Whether the occurrence may start only if no execution of the task is open."""


@dataclass(frozen=True)
class Prepared:
    """What is ready for one instant."""

    ready: Sequence[_Ready] = ()
    is_all: bool = False
    """Whether it is all that is due then."""
    moment: float | None = None
    """When the instant is on this process's monotonic clock."""


def prepare(at: datetime) -> Prepared:
    """Plan what is due at *at*, the database's instant; one statement. Nothing is locked or written."""
    alias = write_alias()
    if connections[alias].vendor != "postgresql":
        return Prepared()
    before = time.monotonic()
    found = _writer(alias).read(alias, at)
    after = time.monotonic()
    if not found:
        return Prepared(is_all=True)
    # The database read its clock between the two.
    moment = (before + after) / 2 + (at - found[0][0].database_now).total_seconds()
    ready = [one for task, version in found[:MOST] if (one := _plan(task, version)) is not None]
    return Prepared(ready, is_all=len(ready) == len(found), moment=moment)


def _plan(task: ScheduledTask, version: str) -> _Ready | None:
    """Return *task* planned as for the instant at which it is due; None if that is not a plain start."""
    due = task.next_run_at
    if due is None or task.paused_at is not None or task.overlap == Overlap.CANCEL_RUNNING:
        return None
    try:
        registry.get(task.function)
        planned = plan(task.policy, TaskState(next_run_at=due, run_count=task.run_count, open=()), now=due)
        (decision,) = planned.decisions
    except Exception as exc:  # noqa: BLE001  (the pass that follows finds the same, and says it)
        logger.debug("The task %s is not prepared: %s", task.name, exc)
        return None
    if decision.kind != DecisionKind.START or decision.not_before is not None:
        return None
    return _Ready(
        row_of(task, decision, now=due),
        version,
        (planned.next_run_at, planned.run_count),
        is_exclusive=task.overlap != Overlap.ALLOW,
    )


def record(prepared: Prepared) -> list[Execution]:
    """Write and send what was prepared and is as it was, now that it is due; return that."""
    alias = write_alias()
    written = []
    for one in prepared.ready:
        # Who triggers a task holds its row until the execution is written: what is open is looked for after that.
        with transaction.atomic(using=alias) if one.is_exclusive else nullcontext():
            if _writer(alias).write(alias, one):
                after_commit([one.execution])
                written.append(one.execution)
    return written


class _Writer:
    """The statements, for one database."""

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        quote = connection.ops.quote_name
        self._task = Reader(ScheduledTask, connection, "t")
        self._id = ScheduledTask._meta.get_field("id")
        self._due = ScheduledTask._meta.get_field("next_run_at")
        tasks, executions = quote(ScheduledTask._meta.db_table), quote(Execution._meta.db_table)
        # Names and words of ours only; the values are parameters.
        self._read = (
            f"SELECT {self._task.columns}, {{now}}, t.xmin::text FROM {tasks} t WHERE t.next_run_at <= %s"  # noqa: S608
            f" ORDER BY t.next_run_at LIMIT {MOST + 1}"
        )
        as_it_was = "t.id = %s AND t.xmin::text = %s"
        self._lock = f"SELECT 1 FROM {tasks} t WHERE {as_it_was} FOR NO KEY UPDATE SKIP LOCKED"  # noqa: S608
        is_open = ", ".join(f"'{status}'" for status in sorted(OPEN))
        nothing_open = (
            f" AND NOT EXISTS (SELECT 1 FROM {executions} o WHERE o.task_id = t.id AND o.status IN ({is_open}))"  # noqa: S608
        )
        names = columns_of(Execution)
        self._instant = names.index("triggered_at")
        self._write = (
            f"WITH moved AS (UPDATE {tasks} AS t SET next_run_at = %s, run_count = %s WHERE {as_it_was}"  # noqa: S608
            " AND t.next_run_at <= {now}{condition} RETURNING t.id)"
            f" INSERT INTO {executions} ({', '.join(map(quote, names))})"
            f" SELECT {', '.join('{now}' if name == 'triggered_at' else '%s' for name in names)} FROM moved"
            " ON CONFLICT DO NOTHING RETURNING id, triggered_at"
        )
        self._conditions = {True: nothing_open, False: ""}

    def read(self, alias: str, at: datetime) -> list[tuple[ScheduledTask, str]]:
        """Return what is due at *at*, at most one more than is prepared, and the version of each row."""
        connection = connections[alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        with binding_cursor(connection) as cursor:
            cursor.execute(self._read.replace("{now}", now), [*now_params, self._due.get_db_prep_value(at, connection)])
            rows = cursor.fetchall()
        return [(task_with_now(self._task, values[:-1], connection), values[-1]) for values in rows]

    def write(self, alias: str, one: _Ready) -> bool:
        """Write one occurrence; False if its task is not what it was, or something stands in the way."""
        connection, execution = connections[alias], one.execution
        now, now_params = DatabaseNow().as_sql(None, connection)
        next_run_at, run_count = one.changes
        who = [self._id.get_db_prep_value(execution.task_id, connection), one.version]
        values: list[Any] = values_of(execution, connection)
        values[self._instant : self._instant + 1] = now_params
        moved = [self._due.get_db_prep_value(next_run_at, connection), run_count, *who, *now_params]
        sql = self._write.replace("{condition}", self._conditions[one.is_exclusive]).replace("{now}", now)
        with binding_cursor(connection) as cursor:
            if one.is_exclusive:
                cursor.execute(self._lock, who)
                if cursor.fetchone() is None:
                    return False
            cursor.execute(sql, [*moved, *values])
            row = cursor.fetchone()
        if row is None:
            return False
        execution.pk, execution.triggered_at = row[0], as_instant(row[1], connection)
        execution._state.adding, execution._state.db = False, alias
        return True


_writer = lru_cache(_Writer)
