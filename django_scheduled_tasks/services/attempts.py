"""What a worker writes: claim, renew, finish, retry; each is a compare-and-swap fenced by the attempt's number."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from django_scheduled_tasks.backoff import retry_wait
from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Attempt, Execution, database_now, write_alias
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.services.dispatch import submit
from django_scheduled_tasks.signals import execution_finished, execution_started, send

logger = logging.getLogger("django_scheduled_tasks")
HOST = socket.gethostname()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt ended that did not succeed."""

    outcome: Outcome
    code: str
    message: str
    type: str = ""
    traceback: str = ""
    kinds: tuple[str, ...] = field(default=())
    """Names of the exception's type and its base types, for ``retry_on``."""

    def columns(self) -> dict[str, str]:
        """Return the columns that keep it."""
        return {
            "error_code": self.code,
            "error_type": self.type,
            "error_message": self.message,
            "traceback": self.traceback,
        }


def load(tracking_id: str) -> Execution | None:
    """Return the execution with its task, and ``database_now`` on it. One statement."""
    rows = Execution.objects.using(write_alias()).select_related("task").annotate(database_now=database_now())
    return rows.filter(tracking_id=tracking_id).first()


def claim(execution: Execution, *, now: datetime) -> bool:
    """Take *execution* for this process; one statement. False if it is not to be run by us, now.

    Args:
        execution: As :func:`load` gave it.
        now: The database's present instant.
    """
    if execution.status != Status.PENDING or (execution.not_before and execution.not_before > now):
        return False  # a second message for it, or one that came early: the row knows better
    if execution.expires_at is not None and execution.expires_at <= now:
        expire(execution)
        return False
    changes = {
        "started_at": now,
        "lease_until": now + get_settings().LEASE,
        "worker_host": HOST,
        "worker_pid": os.getpid(),
        "exclusive_key": execution.lock_key,
    }
    try:
        # In a transaction only where one is open already (an engine that runs in the caller): a failed insert of
        # the key must not break it.
        claimed = _in_savepoint_if_needed(execution, changes)
    except IntegrityError:
        return _wait_for_turn(execution, now=now)
    if claimed:
        for name, value in changes.items():
            setattr(execution, name, value)
        execution.status = Status.PROCESSING
        send(execution_started, Execution, execution=execution)
    return claimed


def _in_savepoint_if_needed(execution: Execution, changes: dict[str, Any]) -> bool:
    rows = Execution.objects.using(write_alias())

    def swap() -> bool:
        return rows.transition(execution.tracking_id, Status.PROCESSING, attempt=execution.attempt, **changes)

    if not transaction.get_connection(write_alias()).in_atomic_block or execution.lock_key is None:
        return swap()
    with transaction.atomic(using=write_alias()):
        return swap()


def _wait_for_turn(execution: Execution, *, now: datetime) -> bool:
    """Somebody else holds the key: leave word, so that its end starts us."""
    holder = Execution.objects.filter(exclusive_key=execution.lock_key)
    if not holder.update(has_waiting=True):
        return claim(execution, now=now)  # it ended in between
    return False


def succeed(execution: Execution, *, completed_at: datetime, result: Any, result_format: str, **last: Any) -> bool:
    """Record that the function returned. One statement, if nobody waits for its end.

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
    """Record that an attempt did not succeed: it is tried again if the task says so, else the execution ends.

    Args:
        execution: As claimed, its task with it.
        failure: How it ended.
        ended_at: The database's instant.
        only_if_lease_before: Write only if the lease ran out before this instant; for those who end what others run.
        last: Columns of the last progress.
    Returns:
        False if this attempt no longer owns the execution; nothing was written then.
    """
    rows = Execution.objects.using(write_alias())
    if only_if_lease_before is not None:
        rows = rows.filter(lease_until__lt=only_if_lease_before)
    again_at = next_attempt_at(execution, failure, now=ended_at)
    with transaction.atomic(using=write_alias()):
        if again_at is not None:
            written = rows.transition(
                execution.tracking_id,
                Status.PENDING,
                attempt=execution.attempt,
                **failure.columns(),
                not_before=again_at,
                send_at=again_at,
                submissions=0,
            )
        else:
            written = _end(
                execution, Status.ERRORS, failure.outcome, rows, completed_at=ended_at, **failure.columns(), **last
            )
        if written:
            _keep_attempt(execution, failure, ended_at=ended_at)
    if written and again_at is not None:
        start_waiting(execution.lock_key or "")
    return written


def expire(execution: Execution) -> bool:
    """Record that *execution* waited longer than it may; it never starts."""
    return _end(
        execution,
        Status.ERRORS,
        Outcome.EXPIRED,
        error_code="expired",
        error_message="It waited for a worker longer than its task allows.",
    )


def _end(
    execution: Execution, status: Status, outcome: Outcome, rows: ExecutionQuerySet | None = None, **changes: Any
) -> bool:
    if rows is None:
        rows = Execution.objects.using(write_alias())
    lock_key = execution.lock_key or ""
    arguments: dict[str, Any] = {"attempt": execution.attempt, "outcome": outcome, **changes}
    # Nobody waits, as a rule: then this is the one statement. Whoever comes later finds no holder and starts itself.
    if not rows.filter(has_waiting=False).transition(execution.tracking_id, status, **arguments):
        if not rows.transition(execution.tracking_id, status, **arguments):
            return False
        transaction.on_commit(lambda: start_waiting(lock_key), using=write_alias(), robust=True)
    execution.status, execution.outcome = status, outcome
    transaction.on_commit(
        lambda: send(execution_finished, Execution, execution=execution), using=write_alias(), robust=True
    )
    return True


def start_waiting(lock_key: str) -> None:
    """Send the execution that has waited longest for *lock_key* to the engine, unless another holds it."""
    if not lock_key:
        return
    rows = Execution.objects.using(write_alias())
    following = rows.ready().filter(lock_key=lock_key).select_related("task").order_by("id").first()
    if following is not None:
        submit([following])


def next_attempt_at(execution: Execution, failure: Failure, *, now: datetime) -> datetime | None:
    """Return when the next attempt starts, or None if there is none.

    Source:
        The waits are those of Google Cloud Scheduler's retry settings; the stop rules those of Amazon EventBridge
        Scheduler (attempts and age), and a retry never runs into the next occurrence.
    """
    task = execution.task
    if task is None or failure.outcome == Outcome.CANCELLED or execution.attempt >= task.max_attempts:
        return None
    if failure.outcome == Outcome.WORKER_LOST and task.on_worker_lost != "retry":
        return None
    if failure.outcome == Outcome.FAILED and task.retry_on and not set(task.retry_on) & set(failure.kinds):
        return None
    if failure.code in {"function_not_registered", "invalid_parameters"}:
        return None  # trying again changes nothing
    wait = retry_wait(
        execution.attempt, least=task.min_backoff, most=task.max_backoff, doublings=task.max_doublings
    )
    again_at = now + wait
    if task.max_age is not None and again_at - execution.triggered_at > task.max_age:
        return None
    if execution.trigger == "schedule" and task.next_run_at is not None and again_at >= task.next_run_at > now:
        return None
    return again_at


def _keep_attempt(execution: Execution, failure: Failure, *, ended_at: datetime) -> None:
    Attempt.objects.using(write_alias()).create(
        execution=execution,
        number=execution.attempt,
        started_at=execution.started_at,
        ended_at=ended_at,
        worker_host=execution.worker_host,
        worker_pid=execution.worker_pid,
        outcome=failure.outcome,
        **failure.columns(),
    )


def renew(execution: Execution, *, lease: timedelta | None = None) -> bool:
    """Extend the lease from now, by the database's clock; False if this attempt no longer owns the execution."""
    return bool(
        Execution.objects.using(write_alias())
        .filter(pk=execution.pk, status=Status.PROCESSING, attempt=execution.attempt)
        .update(lease_until=database_now() + (lease or get_settings().LEASE))
    )


def report_progress(execution: Execution, *, current: int | None, total: int | None, message: str) -> bool:
    """Write how far the function is; False if this attempt no longer owns the execution."""
    return bool(
        Execution.objects.using(write_alias())
        .filter(pk=execution.pk, status=Status.PROCESSING, attempt=execution.attempt)
        .update(progress_current=current, progress_total=total, progress_message=message)
    )
