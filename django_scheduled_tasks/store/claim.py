"""The statement with which a worker claims an execution."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.clock import DatabaseNow, as_instant
from django_scheduled_tasks.db.cursor import binding_cursor
from django_scheduled_tasks.db.statements import Reader
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.lifecycle import Status, sources
from django_scheduled_tasks.models import (
    Execution,
    ScheduledTask,
)

OVERTIME = timedelta(seconds=5)
"""How long after its time limit an attempt has certainly ended, one way or another."""

_UNREAD_OF_EXECUTION = frozenset(
    "error_code error_type error_message traceback completed_at result result_format progress_current progress_total"  # noqa: SIM905
    " progress_message cancel_requested_by cancel_force_at idempotency_key idempotency_fingerprint blocked_by send_at"
    " submissions occurrences replay".split()
)
"""What a worker has no use for before a function has run; half of a row's cost is its width."""
_UNREAD_OF_TASK = frozenset(
    "name_key description params starts_at ends_at max_runs run_count spread enabled paused_at paused_until paused_by"  # noqa: SIM905
    " pause_reason catch_up grace expires_after keep_last keep_for confirm origin changed_fields retired_at created_at"
    " created_by updated_at updated_by".split()
)


class _Taker:
    """The statement of PostgreSQL that claims an execution which certainly may start, and returns it with its task.

    It is cautious: whatever is not plain (a further attempt, a cancel, an expiry, a turn that is another's, a task
    that was deleted) it leaves to :func:`attempts.claim`, where the rules are.
    """

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self._execution = Reader(Execution, connection, "e", _UNREAD_OF_EXECUTION)
        self._task = Reader(ScheduledTask, connection, "t", _UNREAD_OF_TASK)
        quote = connection.ops.quote_name
        executions, tasks = quote(Execution._meta.db_table), quote(ScheduledTask._meta.db_table)
        others = f"FROM {executions} o WHERE o.lock_key = e.lock_key AND o.status = '{Status.PENDING}'"
        allowed = ", ".join(f"'{status}'" for status in sorted(sources(Status.PROCESSING, None)))
        # Names of ours only; the values are parameters. The present instant stands between the two halves.
        self._before = (
            f"UPDATE {executions} AS e SET status = '{Status.PROCESSING}', started_at = n.now,"  # noqa: S608
            " lease_until = LEAST(n.now + %s, n.now + t.timeout + %s), worker_host = %s, worker_pid = %s,"
            " exclusive_key = e.lock_key, has_waiting = e.has_waiting"
            f" OR (e.lock_key IS NOT NULL AND EXISTS (SELECT 1 {others} AND o.id > e.id))"
            f" FROM {tasks} AS t, (SELECT "
        )
        self._after = (
            f" AS now) AS n WHERE e.tracking_id = %s AND t.id = e.task_id AND COALESCE(e.status, '') IN ({allowed})"
            " AND e.attempt = 1 AND e.cancel_requested_at IS NULL AND (e.not_before IS NULL OR e.not_before <= n.now)"
            " AND (e.expires_at IS NULL OR e.expires_at > n.now)"
            # Under an OR it stays a look-up: PostgreSQL would make a join of it, and read all that wait for each claim.
            f" AND (e.lock_key IS NULL OR NOT EXISTS (SELECT 1 {others} AND o.id < e.id))"
            f" RETURNING {self._execution.columns}, {self._task.columns}, n.now"
        )
        self._tracking_id = Execution._meta.get_field("tracking_id")

    def take(self, alias: str, tracking_id: UUID) -> Execution | None:
        """Return the execution, claimed; None if it is not plain that it may start."""
        connection = connections[alias]
        now, now_params = DatabaseNow().as_sql(None, connection)
        identifier = self._tracking_id.get_db_prep_value(tracking_id, connection)
        who: list[Any] = [get_settings().LEASE, OVERTIME, HOST, os.getpid()]
        try:
            with binding_cursor(connection) as cursor:
                cursor.execute(f"{self._before}{now}{self._after}", [*who, *now_params, identifier])
                values = cursor.fetchone()
        except IntegrityError:
            return None  # somebody holds the key
        if values is None:
            return None
        width = self._execution.width
        execution: Execution = self._execution.row(values[:width], connection)
        execution.task = self._task.row(values[width:-1], connection)
        execution.database_now = as_instant(values[-1], connection)  # type: ignore[assignment]  # it is never null
        return execution


_taker = lru_cache(_Taker)
