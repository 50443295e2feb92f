"""Cancelling executions: at once while they wait, by request while they run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django_scheduled_tasks.exceptions import NotCancellable
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Deed, Execution, ScheduledTask, database_now, write_alias
from django_scheduled_tasks.services.queries.lookup import get_execution
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.tasks.changes.record import record_deed
from django_scheduled_tasks.users import User


def cancel(
    tracking_id: UUID | str,
    *,
    user: User | None = None,
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
        name = {"field": "execution", "old": None, "new": f"#{execution.pk}"}
        record_deed(Deed.CANCELLED, task=execution.task, about=execution.task_name, fields=[name], user=user)
        return execution
    raise NotCancellable(tracking_id=execution.tracking_id, outcome=execution.outcome)


def request_cancel(execution: Execution, *, user: User | None = None, force_after: timedelta | None = None) -> None:
    """End *execution* if it is pending, ask it to stop if it is running, do nothing if it has ended.

    Whatever happens in between: once it is marked it neither starts nor goes back to wait for a retry, so after that
    it can only be running, or pending for good.
    """
    who: dict[str, Any] = {"cancel_requested_at": database_now(), "cancel_requested_by": user}
    if execution.status == Status.PENDING and finish.cancel_pending(execution, **who):
        return
    if force_after is not None:
        who["cancel_force_at"] = database_now() + force_after
    rows = Execution.objects.using(write_alias()).filter(pk=execution.pk)
    if not rows.open().update(**who):
        return
    present = rows.only("tracking_id", "status", "attempt", "lock_key").first()
    if present is not None and present.status == Status.PENDING:
        finish.cancel_pending(present)


def cancel_open(task: ScheduledTask) -> None:
    """Ask every open execution of *task* to stop."""
    for execution in Execution.objects.using(write_alias()).filter(task=task).open():
        request_cancel(execution)
