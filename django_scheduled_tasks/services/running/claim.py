"""Taking an execution for this process: read and claimed, in one statement where the database can."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connections, transaction

from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.running import mutex
from django_scheduled_tasks.services.running.finish import cancel_pending, expire
from django_scheduled_tasks.services.running.lease import lease_end
from django_scheduled_tasks.services.running.retry import NO_FAILURE
from django_scheduled_tasks.signals import execution_started, send
from django_scheduled_tasks.store.claim import _taker
from django_scheduled_tasks.store.executions import load

_GRAIN = timedelta(milliseconds=20)
"""Two clocks are compared, and SQLite's has milliseconds only."""


def was_taken_here(execution: Execution, *, within: timedelta) -> bool:
    """Whether this process claimed *execution* within this time: it was, and the answer got lost on its way.

    Args:
        execution: As :func:`take` gave it, not claimed; it must not be one that runs in this process.
        within: How long this process has tried to claim it.
    """
    started_at = execution.started_at
    is_here = (execution.worker_host, execution.worker_pid) == (HOST, os.getpid())
    if execution.status != Status.PROCESSING or not is_here or started_at is None:
        return False
    if execution.database_now - started_at > within + _GRAIN:
        return False
    send(execution_started, Execution, execution=execution)
    return True


def take(tracking_id: str) -> tuple[Execution | None, bool]:
    """Return the execution with this tracking id and its task, and whether this process has claimed it.

    One statement on PostgreSQL when nothing stands in the way, else two or more: :func:`loading.load` and
    :func:`attempts.claim`, which decide all that is not plain. ``database_now`` is on the row: when it was claimed.

    Returns:
        ``(None, False)`` if there is no such execution.
    """
    alias = write_alias()
    identifier = as_uuid(tracking_id)
    connection = connections[alias]
    # Within a transaction (an engine that runs in the caller) a key that is held must not break it.
    if identifier and connection.vendor == "postgresql" and not connection.in_atomic_block:
        execution = _taker(alias).take(alias, identifier)
        if execution is not None:
            send(execution_started, Execution, execution=execution)
            return execution, True
    execution = load(tracking_id)
    if execution is None:
        return None, False
    return execution, claim(execution, now=execution.database_now)


def claim(execution: Execution, *, now: datetime) -> bool:
    """Take *execution* for this process; one statement. False if it is not to be run by us, now.

    Args:
        execution: As :func:`load` gave it.
        now: The database's present instant.
    """
    if execution.status != Status.PENDING or (execution.not_before and execution.not_before > now):
        return False  # a second message for it, or one that came early: the row knows better
    if execution.cancel_requested_at is not None:
        return cancel_pending(execution) and False  # whoever asked for it died before it was done
    if execution.expires_at is not None and execution.expires_at <= now:
        return expire(execution) and False
    others = getattr(execution, "oldest_other", None)
    if others is not None and others < execution.pk and mutex.leave_word_with_earlier(execution):
        return False
    changes = {
        "started_at": now,
        "lease_until": lease_end(execution, now=now, started_at=now),
        "worker_host": HOST,
        "worker_pid": os.getpid(),
        "exclusive_key": execution.lock_key,
    }
    if others is not None:
        changes["has_waiting"] = True  # their messages may have been used up by those that ran before
    if execution.attempt > 1:
        changes |= {**NO_FAILURE, "progress_current": None, "progress_total": None, "progress_message": ""}
    try:
        claimed = _swap_to_processing(execution, changes)
    except IntegrityError:
        # Somebody else holds the key; if it has ended in between, there is nobody to leave word with.
        return not mutex.leave_word_with_holder(execution) and claim(execution, now=now)
    if claimed:
        for name, value in changes.items():
            setattr(execution, name, value)
        execution.status = Status.PROCESSING
        send(execution_started, Execution, execution=execution)
    return claimed


def _swap_to_processing(execution: Execution, changes: dict[str, Any]) -> bool:
    # Who asks for a pending execution to be cancelled marks it first: then it does not start any more.
    rows = Execution.objects.using(write_alias())
    only_if = {"cancel_requested_at": None}

    def swap() -> bool:
        return rows.transition(
            execution.tracking_id, Status.PROCESSING, attempt=execution.attempt, only_if=only_if, **changes
        )

    # In a savepoint only where a transaction is open already (an engine that runs in the caller): the key may be
    # taken, and that error must not break the transaction.
    if execution.lock_key is None or not transaction.get_connection(write_alias()).in_atomic_block:
        return swap()
    with transaction.atomic(using=write_alias()):
        return swap()
