"""Cancelling executions: at once while they wait, by request while they run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser

from django_scheduled_tasks.exceptions import NotCancellable
from django_scheduled_tasks.lifecycle import OPEN, Outcome, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, database_now
from django_scheduled_tasks.services.attempts import start_waiting
from django_scheduled_tasks.services.lookup import get_execution
from django_scheduled_tasks.signals import execution_finished, send


def cancel(
    tracking_id: UUID | str,
    *,
    user: AbstractBaseUser | None = None,
    force_after: timedelta | None = None,
    authorize: Callable[[Execution], None] | None = None,
) -> Execution:
    """Cancel an execution: a pending one ends at once, a running one is asked to stop.

    Args:
        tracking_id: Which.
        user: Who asked; recorded.
        force_after: End the worker if the function has not stopped this long after; None: never.
        authorize: Called with the execution first; raises if the caller may not cancel it.
    Returns:
        The execution as it is afterwards.
    Raises:
        ExecutionNotFound: There is none.
        NotCancellable: It has ended already.
    """
    execution = get_execution(tracking_id)
    if authorize is not None:
        authorize(execution)
    request_cancel(execution, user=user, force_after=force_after)
    execution = get_execution(tracking_id)
    if execution.is_open or execution.outcome == Outcome.CANCELLED:
        return execution
    raise NotCancellable(tracking_id=execution.tracking_id, outcome=execution.outcome)


def request_cancel(
    execution: Execution, *, user: AbstractBaseUser | None = None, force_after: timedelta | None = None
) -> None:
    """End *execution* if it is pending, ask it to stop if it is running, do nothing if it has ended."""
    who = {"cancel_requested_by": user}
    # Whatever happens in between, one of the two statements finds it: a pending one can only become processing,
    # and one that goes back to pending for a retry sees the request and ends instead.
    if execution.status == Status.PENDING and Execution.objects.transition(
        execution.tracking_id,
        Status.ERRORS,
        attempt=execution.attempt,
        outcome=Outcome.CANCELLED,
        cancel_requested_at=database_now(),
        error_code="cancelled",
        error_message="It was cancelled before it started.",
        **who,
    ):
        execution.refresh_from_db()
        send(execution_finished, Execution, execution=execution)
        start_waiting(execution.lock_key or "")
        return
    asked: dict[str, object] = {"cancel_requested_at": database_now(), **who}
    if force_after is not None:
        asked["cancel_force_at"] = database_now() + force_after
    Execution.objects.filter(pk=execution.pk, status__in=OPEN).update(**asked)


def cancel_open(task: ScheduledTask) -> None:
    """Ask every open execution of *task* to stop."""
    for execution in task.executions.filter(status__in=OPEN).select_related("task"):
        request_cancel(execution)
