"""End an attempt: it succeeded, failed, is tried again, expired or was cancelled. Fenced by the attempt's number."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import transaction

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.logs import are_events_wanted, event
from django_scheduled_tasks.models import Attempt, Execution, write_alias, write_transaction
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.delivery.notify import wake_schedulers_for
from django_scheduled_tasks.services.running.mutex import start_waiters
from django_scheduled_tasks.services.running.retry import Failure, next_attempt_at
from django_scheduled_tasks.services.tasks.autopause import pause_if_it_keeps_failing
from django_scheduled_tasks.signals import execution_finished, send

logger = logging.getLogger(__name__)


def succeed(execution: Execution, *, completed_at: datetime, result: Any, result_format: str, **last: Any) -> bool:
    """End *execution* as succeeded. One statement, if no other execution waits for its key.

    Args:
        execution: As claimed.
        completed_at: The database's instant.
        result: JSON.
        result_format: How *result* is to be read: ``json``, ``repr`` or ``cut``.
        last: Columns of the last progress.
    Returns:
        False if this attempt no longer owns the execution; nothing was written then.
    """
    return _end(
        execution,
        Status.COMPLETED,
        Outcome.SUCCEEDED,
        completed_at=completed_at,
        result=result,
        result_format=result_format,
        **last,
    )


def fail(
    execution: Execution,
    failure: Failure,
    *,
    ended_at: datetime,
    only_if_lease_before: datetime | None = None,
    **last: Any,
) -> bool:
    """Record that an attempt did not succeed: retry it if the task says so, else end the execution.

    Args:
        execution: As claimed, its task with it.
        failure: How it ended.
        ended_at: The database's instant.
        only_if_lease_before: Write only if the lease ran out before this instant; for the scheduler, which ends what
            another process ran.
        last: Columns of the last progress.
    Returns:
        False if this attempt no longer owns the execution; nothing was written then.
    """
    rows = Execution.objects.using(write_alias())
    if only_if_lease_before is not None:
        rows = rows.filter(lease_until__lt=only_if_lease_before)
    again_at = _again_at(execution, failure, ended_at)
    with write_transaction():
        retried = again_at is not None and _put_back(execution, failure, rows, again_at)
        if retried:
            wake_schedulers_for(again_at, now=ended_at)
        # It cannot be retried if it was cancelled meanwhile; then it ends, if this attempt still owns it.
        written = retried or _end(
            execution, Status.ERRORS, failure.outcome, rows, completed_at=ended_at, **failure.columns(), **last
        )
        if written:
            _keep_attempt(execution, failure, ended_at=ended_at)
    if retried:
        fields = {"outcome": str(failure.outcome)} | execution.log_fields
        event("retried", "Execution #%s of %s is tried again", execution.pk, execution.task_name, **fields)
        start_waiters(execution.lock_key or "")
    elif written:
        # Only once the end is committed: a trigger locks the task before its executions, and the order must be one.
        transaction.on_commit(lambda: pause_if_it_keeps_failing(execution), using=write_alias(), robust=True)
    return written


def _again_at(execution: Execution, failure: Failure, ended_at: datetime) -> datetime | None:
    try:
        return next_attempt_at(execution, failure, now=ended_at)
    except OverflowError:  # the wait leads beyond the calendar; the end must be recorded all the same
        logger.exception(
            "Execution #%s is not tried again: its next attempt has no date",
            execution.pk,
            extra={"event": "not_retried", **execution.log_fields},
        )
        return None


def _put_back(execution: Execution, failure: Failure, rows: ExecutionQuerySet, again_at: datetime) -> bool:
    """Make *execution* pending until its next attempt, unless its cancellation was requested."""
    return rows.filter(cancel_requested_at=None).transition(
        execution.tracking_id,
        Status.PENDING,
        attempt=execution.attempt,
        **failure.columns(),
        not_before=again_at,
        send_at=again_at,
        expires_at=None,  # its first attempt started in time
        submissions=0,
        has_waiting=False,
    )


def has_ended(execution: Execution, completed_at: datetime) -> bool:
    """Whether the row says that *execution* ended at this instant: only the answer to the write was lost."""
    rows = Execution.objects.using(write_alias())
    return rows.ended().filter(pk=execution.pk, attempt=execution.attempt, completed_at=completed_at).exists()


def expire(execution: Execution) -> bool:
    """End *execution* as expired: it waited longer than ``expires_after`` and never starts."""
    return _end(
        execution,
        Status.ERRORS,
        Outcome.EXPIRED,
        others_wait=True,
        error_code="expired",
        error_message=messages.EXPIRED,
    )


def cancel_pending(execution: Execution, **who: Any) -> bool:
    """End *execution* as cancelled before it started; False if it is not pending.

    Args:
        execution: Which.
        who: Columns that say who asked, and when.
    """
    return _end(
        execution,
        Status.ERRORS,
        Outcome.CANCELLED,
        Execution.objects.using(write_alias()).filter(status=Status.PENDING),
        others_wait=True,
        error_code="cancelled",
        error_message=messages.NEVER_STARTED,
        **who,
    )


def _end(
    execution: Execution,
    status: Status,
    outcome: Outcome,
    rows: ExecutionQuerySet | None = None,
    *,
    others_wait: bool = False,
    **changes: Any,
) -> bool:
    """End *execution*, if it is among *rows*, and start the waiters for its key.

    1. If no waiter has set ``has_waiting``, which is the rule, one statement ends it.
    2. Otherwise a second one ends it, and the waiters are started once that is committed. An execution that never ran
       may have been the first in the queue, so waiters are looked for in any case (*others_wait*).
    3. The signal is sent once the end is committed.
    """
    if rows is None:
        rows = Execution.objects.using(write_alias())
    lock_key = execution.lock_key or ""
    arguments: dict[str, Any] = {"attempt": execution.attempt, "outcome": outcome, **changes}
    is_alone = {"has_waiting": False}
    if others_wait or not rows.transition(execution.tracking_id, status, only_if=is_alone, **arguments):
        if not rows.transition(execution.tracking_id, status, **arguments):
            return False
        transaction.on_commit(lambda: start_waiters(lock_key), using=write_alias(), robust=True)
    execution.status, execution.outcome = status, outcome
    transaction.on_commit(lambda: _announce(execution, changes.get("completed_at")), using=write_alias(), robust=True)
    return True


def _announce(execution: Execution, completed_at: datetime | None) -> None:
    """Say that *execution* has ended."""
    if are_events_wanted():
        fields = {"status": str(execution.status), "outcome": str(execution.outcome)} | execution.log_fields
        if completed_at is not None and execution.started_at is not None:
            fields["seconds"] = round((completed_at - execution.started_at).total_seconds(), 3)
        event("ended", "Execution #%s of %s: %s", execution.pk, execution.task_name, execution.outcome, **fields)
    send(execution_finished, Execution, execution=execution)


def _keep_attempt(execution: Execution, failure: Failure, *, ended_at: datetime) -> None:
    Attempt.objects.using(write_alias()).create(
        execution=execution,
        number=execution.attempt,
        started_at=execution.started_at,
        ended_at=ended_at,
        worker_host=execution.worker_host,
        worker_pid=execution.worker_pid,
        release=execution.release,
        outcome=failure.outcome,
        **failure.columns(),
    )
