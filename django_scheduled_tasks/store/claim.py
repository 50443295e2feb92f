"""The statements with which a worker claims an execution. What may start is said here, once, in :data:`MAY_START`."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from uuid import UUID

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import Instant, RowLoader
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask
from django_scheduled_tasks.store.holds import not_held, not_held_of_row

OVERTIME = timedelta(seconds=5)
"""How long after its time limit an attempt has certainly ended, one way or another."""

# What a worker has no use for before a function has run is not read: half of a row's cost is its width.
_UNREAD_OF_EXECUTION = (
    *("error_code", "error_type", "error_message", "traceback", "completed_at", "result", "result_format"),
    *("progress_current", "progress_total", "progress_message", "cancel_requested_by", "cancel_force_at"),
    *("idempotency_key", "idempotency_fingerprint", "blocked_by", "send_at", "submissions", "occurrences", "replay"),
    "own_params",
)
_UNREAD_OF_TASK = (
    *("name_key", "description", "params", "secret_params", "starts_at", "ends_at", "max_runs"),
    *("run_count", "spread", "enabled"),
    *("declared_release", "declared_at", "pause_code"),
    *("paused_at", "paused_until", "paused_by", "pause_reason", "catch_up", "grace", "expires_after", "keep_last"),
    *("keep_for", "confirm", "origin", "changed_fields", "retired_at", "created_at", "created_by", "updated_at"),
    *("updated_by", "tags", "environments", "stands_since"),
)
_EXECUTION = RowLoader(Execution, without=frozenset(_UNREAD_OF_EXECUTION))
_TASK = RowLoader(ScheduledTask, without=frozenset(_UNREAD_OF_TASK))

MAY_START = """
    COALESCE({e}.status, '') = 'pending'
    AND {e}.cancel_requested_at IS NULL
    AND ({e}.not_before IS NULL OR {e}.not_before <= {now})
    AND ({e}.expires_at IS NULL OR {e}.expires_at > {now})
    AND ({e}.lock_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM {waiting} o
         WHERE o.lock_key = {e}.lock_key AND o.status = 'pending' AND o.task_id = {e}.task_id AND o.id < {e}.id
           AND (o.not_before IS NULL OR o.not_before <= {now})))
    AND {not_held}
"""
"""An execution may start when it is pending, nobody has asked for it to be cancelled, it is due, it has not expired,
no earlier execution of its task waits for the same key, and nothing holds its task. That nobody holds the key is
decided by the unique column ``exclusive_key``, which :data:`CHANGES` sets.

COALESCE, so that no planner takes an index on the status instead of the unique one; the OR, since PostgreSQL would
make a join of a bare NOT EXISTS. With either it would read all pending rows for each claim.
"""
CHANGES = """
    status = 'processing', worker_host = %(host)s, worker_pid = %(pid)s, {release} = %(release)s,
    exclusive_key = {e}.lock_key,
    has_waiting = ({e}.has_waiting OR {e}.lock_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM {waiting} o WHERE o.lock_key = {e}.lock_key AND o.status = 'pending' AND o.id <> {e}.id)),
    error_code = '', error_type = '', error_message = '', traceback = '',
    progress_current = NULL, progress_total = NULL, progress_message = ''
"""
"""What a claim writes besides the instants: it holds the key, it knows whether others wait for it, and what an earlier
attempt left behind is gone.
"""
_COPY = "(SELECT DISTINCT id, task_id, lock_key, status, not_before FROM {table} WHERE lock_key = %(lock_key)s)"


def _release(connection: Connection) -> str:
    return connection.ops.quote_name("release")  # MySQL has a statement of this name


def _waiting(connection: Connection) -> str:
    """Return the table of executions as a subquery of its own ``UPDATE`` may read it."""
    table = connection.ops.quote_name(Execution._meta.db_table)
    if connection.vendor != "mysql":
        return table
    # MySQL reads the table that it writes only if it has to make a copy of what it reads first.
    return _COPY.replace("{table}", table)


CLAIM = Statement(
    """
    UPDATE {executions} AS e
       SET started_at = {now}, lease_until = LEAST({now} + %(lease)s, {now} + t.timeout + %(overtime)s), {changes}
      FROM {tasks} AS t
     WHERE e.tracking_id = %(tracking_id)s AND t.id = e.task_id AND {may_start}
    RETURNING {e.columns}, {t.columns}, {now}
    """,
    returns=(_EXECUTION, _TASK, Instant()),
    executions=Execution,
    tasks=ScheduledTask,
    waiting=Execution,
    holds=Hold,
    e=_EXECUTION,
    t=_TASK,
    release=_release,
    not_held=not_held,
    changes=CHANGES,
    may_start=MAY_START,
)
CLAIM_LOADED = Statement(
    """
    UPDATE {e} SET started_at = %(started_at)s, lease_until = %(lease_until)s, {changes}
     WHERE {e}.tracking_id = %(tracking_id)s AND {e}.attempt = %(attempt)s AND {may_start}
    """,
    e=Execution,
    tasks=ScheduledTask,
    waiting=_waiting,
    release=_release,
    holds=Hold,
    not_held=not_held_of_row,
    changes=CHANGES,
    may_start=MAY_START,
)


def claim(tracking_id: UUID, *, release: str = "") -> Execution | None:
    """Claim the execution for this process, and return it with its task; None if it may not start, or has no task.

    One statement, of PostgreSQL. ``database_now``, when it was claimed, is on it.

    Args:
        tracking_id: Which.
        release: The key of the release of this process.
    Raises:
        IntegrityError: Another execution holds the key.
    """
    found = CLAIM.first(
        tracking_id=tracking_id,
        lease=get_settings().LEASE,
        overtime=OVERTIME,
        host=HOST,
        pid=os.getpid(),
        release=release,
    )
    if found is None:
        return None
    execution: Execution
    execution, execution.task, execution.database_now = found
    return execution


def claim_loaded(execution: Execution, *, started_at: datetime, lease_until: datetime, release: str = "") -> bool:
    """Claim *execution*, as it was loaded, for this process; False if it may not start. One statement, everywhere.

    Raises:
        IntegrityError: Another execution holds the key.
    """
    return bool(
        CLAIM_LOADED.execute(
            tracking_id=execution.tracking_id,
            attempt=execution.attempt,
            lock_key=execution.lock_key,
            started_at=started_at,
            lease_until=lease_until,
            host=HOST,
            pid=os.getpid(),
            release=release,
        )
    )
