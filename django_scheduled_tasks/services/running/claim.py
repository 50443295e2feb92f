"""Claim an execution for this process: what a worker does first with each message."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, connections, transaction

from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.logs import are_events_wanted, event
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.installation.state import is_held as is_copy_held
from django_scheduled_tasks.services.installation.state import standing
from django_scheduled_tasks.services.releases.own import own_key
from django_scheduled_tasks.services.running import mutex
from django_scheduled_tasks.services.running.finish import cancel_pending, expire
from django_scheduled_tasks.services.running.lateness import late_seconds
from django_scheduled_tasks.services.running.lease import lease_end
from django_scheduled_tasks.services.running.retry import NO_FAILURE
from django_scheduled_tasks.signals import execution_started, send
from django_scheduled_tasks.store import claim as statements
from django_scheduled_tasks.store.executions import load
from django_scheduled_tasks.store.holds import is_held

_GRAIN = timedelta(milliseconds=20)
"""Two clocks are compared, and SQLite's has milliseconds only."""


def take(tracking_id: str) -> tuple[Execution | None, bool]:
    """Return the execution with this tracking id and its task, and whether this process has claimed it.

    0. In a copy of a database only what was started by hand in it may start; of the rest nothing is changed.
    1. On PostgreSQL one statement claims and reads it, if it may start.
    2. Otherwise it is read, and claimed by a second statement with the same condition.
    3. If it may not start, what follows from the reason is done.

    ``database_now`` is on the row: when it was claimed or read.

    Returns:
        ``(None, False)`` if there is no such execution.
    """
    identifier = as_uuid(tracking_id)
    if identifier is None:
        return None, False
    if is_copy_held() and not _may_start_in_copy(identifier):
        return load(identifier), False
    connection = connections[write_alias()]
    # Not within a transaction (an engine that runs in the caller), which a key that is held would break.
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        try:
            execution = statements.claim(identifier, release=own_key())
        except IntegrityError as exc:
            _only_if_held(exc)
        else:
            if execution is not None:
                _announce(execution)
                return execution, True
    execution = load(identifier)
    if execution is None:
        return None, False
    return execution, claim(execution, now=execution.database_now)


def _may_start_in_copy(identifier: UUID) -> bool:
    found = Execution.objects.using(write_alias()).filter(tracking_id=identifier).only("pk", "trigger").first()
    return found is not None and standing().may_start(found)


def claim(execution: Execution, *, now: datetime) -> bool:
    """Claim *execution* for this process; one statement. False if it may not start.

    Args:
        execution: As it was loaded.
        now: The database's present instant.
    """
    while True:
        try:
            is_ours = _claim(execution, now)
            is_to_wait = not is_ours and _is_refused(execution, now)
        except IntegrityError as exc:
            _only_if_held(exc)
            is_ours, is_to_wait = False, mutex.wait_for_holder(execution)
        if is_ours or is_to_wait:
            return is_ours
        # The execution before it has ended in between, or somebody has changed this one.
        fresh = load(execution.tracking_id)
        if fresh is None:
            return False
        execution.__dict__.update(fresh.__dict__)
        now = fresh.database_now


def _claim(execution: Execution, now: datetime) -> bool:
    alias = write_alias()
    lease_until, release = lease_end(execution, now=now, started_at=now), own_key()
    # A key that is held must not break a transaction that is open already.
    savepoint = execution.lock_key is not None and connections[alias].in_atomic_block
    with transaction.atomic(using=alias) if savepoint else nullcontext():
        if not statements.claim_loaded(execution, started_at=now, lease_until=lease_until, release=release):
            return False
    claimed = {"status": Status.PROCESSING, "started_at": now, "lease_until": lease_until}
    claimed |= {"worker_host": HOST, "worker_pid": os.getpid(), "exclusive_key": execution.lock_key}
    claimed["release"] = release
    for name, value in (claimed | NO_FAILURE).items():
        setattr(execution, name, value)
    _announce(execution)
    return True


def _is_refused(execution: Execution, now: datetime) -> bool:
    """Find out why *execution* may not start, and do what follows; False if no reason is left."""
    if execution.status != Status.PENDING:
        return True  # a second message for it
    if execution.cancel_requested_at is not None:
        cancel_pending(execution)  # the process that asked for it died before it was done
        return True
    if execution.expires_at is not None and execution.expires_at <= now:
        expire(execution)
        return True
    if execution.not_before is not None and execution.not_before > now:
        return True  # the message came early
    if execution.lock_key is not None and mutex.wait_for_earlier(execution):
        return True
    return is_held(execution.tracking_id)  # the end of the hold makes it due


def _announce(execution: Execution) -> None:
    """Say that *execution* starts; not of one whose function this process does not know, which it gives back."""
    if registry.knows(execution.function):
        if are_events_wanted():
            fields = {"late_seconds": late_seconds(execution), "release": execution.release} | execution.log_fields
            fields["trigger"] = execution.trigger
            event("claimed", "Execution #%s of %s starts", execution.pk, execution.task_name, **fields)
        send(execution_started, Execution, execution=execution)


def _only_if_held(error: IntegrityError) -> None:
    """Raise *error* again if it says something else than that another execution holds the key."""
    if violated_constraint(error, Execution) != "dst_exec_exclusive":
        raise error


def was_taken_here(execution: Execution, *, within: timedelta) -> bool:
    """Whether this process claimed *execution* within this time, and the answer got lost on its way.

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
    _announce(execution)
    return True
