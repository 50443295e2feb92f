"""The lease of an attempt that runs: renewed by its worker, which also reads signals and writes progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, database_now, with_now, write_alias
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.store.claim import OVERTIME


def lease_end(execution: Execution, *, now: datetime, started_at: datetime) -> datetime:
    """Return until when an attempt owns *execution* if it renews at *now*.

    A lease does not outlast the time limit by more than :data:`OVERTIME`: a worker that is stuck so badly that it
    cannot even record its end is noticed then.
    """
    until = now + get_settings().LEASE
    timeout = execution.task.timeout if execution.task else None
    return until if timeout is None else min(until, started_at + timeout + OVERTIME)


def renew(execution: Execution, *, not_after: datetime | None = None) -> bool:
    """Extend the lease from now, by the database's clock; False if this attempt no longer owns the execution.

    Args:
        execution: As claimed.
        not_after: The lease ends then at the latest.
    """
    until = database_now() + get_settings().LEASE if not_after is None else not_after
    return bool(_owned(execution).update(lease_until=until))


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Someone has asked for the execution to stop."""

    force_in: timedelta | None
    """How long from now until it is stopped by force; None: never."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the row says to the attempt that runs."""

    is_owned: bool
    """Whether this attempt still owns the execution."""
    cancel: CancelRequest | None = None
    """None: nobody has asked for it to stop."""


def read_signals(execution: Execution) -> Signals:
    """Return what the row says to the attempt that runs; one statement."""
    row = with_now(_owned(execution).only("cancel_requested_at", "cancel_force_at")).first()
    if row is None:
        return Signals(is_owned=False)
    if row.cancel_requested_at is None:
        return Signals(is_owned=True)
    force_in = None if row.cancel_force_at is None else row.cancel_force_at - row.database_now
    return Signals(is_owned=True, cancel=CancelRequest(force_in))


def _owned(execution: Execution) -> ExecutionQuerySet:
    rows = Execution.objects.using(write_alias())
    return rows.filter(pk=execution.pk, status=Status.PROCESSING, attempt=execution.attempt)


def report_progress(execution: Execution, *, current: int | None, total: int | None, message: str) -> bool:
    """Write how far the function is; False if this attempt no longer owns the execution."""
    values = {"progress_current": current, "progress_total": total, "progress_message": message}
    return bool(_owned(execution).update(**values))
