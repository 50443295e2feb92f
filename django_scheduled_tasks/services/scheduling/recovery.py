"""What the scheduler does about failures: send again, expire, and end executions that lost their lease."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import BooleanField, Case, Exists, OuterRef, Value, When
from django.db.models.expressions import Combinable

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import (
    Execution,
    database_now,
    for_update,
    with_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.delivery.dispatch import schedule_sending, submit, when_idle
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.store.holds import held_tasks

logger = logging.getLogger(__name__)

CLAIM_TIME = timedelta(seconds=2)
"""How long it may take from the moment a worker takes a message off the broker until it claims the execution."""


def send_pending(*, limit: int) -> int:
    """Send pending executions whose time has come, again if need be; expire those that waited too long.

    What a hold keeps from starting is not sent: the end of the hold makes it due.

    Returns:
        How many were looked at.
    """
    using = write_alias()
    with write_transaction():
        rows = Execution.objects.filter(status=Status.PENDING, send_at__lte=database_now()).select_related("task")
        held = When(task__in=held_tasks(), then=Value(True))
        rows = rows.annotate(is_held=Case(held, default=Value(False), output_field=BooleanField()))
        due: list[Any] = list(for_update(with_now(rows.order_by("send_at")), skip_locked=True)[:limit])
        if not due:
            return 0
        now = due[0].database_now
        waiting, held_back = [], []
        for execution in due:
            if execution.expires_at is not None and execution.expires_at <= now:
                finish.expire(execution)
            elif execution.is_held:
                execution.send_at = now + get_settings().RESEND_AFTER_MAX
                if execution.expires_at is not None:
                    execution.send_at = min(execution.send_at, execution.expires_at)
                held_back.append(execution)
            else:
                schedule_sending(execution, now=now)
                waiting.append(execution)
        if waiting or held_back:
            Execution.objects.using(using).bulk_update(
                waiting + held_back, ["send_at", "submissions"], batch_size=limit
            )
            transaction.on_commit(lambda: submit(waiting), using=using, robust=True)
    return len(due)


def send_lost(*, limit: int) -> int:
    """Send pending executions again whose messages are lost: the broker's queues are empty.

    Only those triggered more than :data:`CLAIM_TIME` ago, since a worker may be about to claim the others.

    Returns:
        How many were sent; 0 if the engine is asked by a thread of its own, and it is done when that has its answer.
    """
    found = _waiting(triggered_before=database_now() - CLAIM_TIME)
    asked = list(found.values_list("task__queue", database_now())[:limit])
    if not asked:
        return 0
    queues = sorted({queue or "" for queue, _now in asked})
    before = asked[0][1] - CLAIM_TIME
    return when_idle(queues, lambda: _send_waiting(triggered_before=before, limit=limit))


def _send_waiting(*, triggered_before: datetime, limit: int) -> int:
    lost = list(_waiting(triggered_before=triggered_before).select_related("task").order_by("id")[:limit])
    submit(lost)
    return len(lost)


def _waiting(*, triggered_before: Combinable | datetime) -> ExecutionQuerySet:
    """Return executions that may start, and that wait for a message, not for a mutex or the end of a hold."""
    rows = Execution.objects.using(write_alias())
    held = rows.filter(exclusive_key=OuterRef("lock_key"))
    rows = rows.ready().exclude(task__in=held_tasks())
    return rows.filter(~Exists(held), submissions__gte=1, triggered_at__lt=triggered_before)


def end_lost(*, limit: int) -> int:
    """End executions whose worker has not renewed its lease; they are tried again if their task says so.

    Returns:
        How many were ended.
    """
    using = write_alias()
    rows = Execution.objects.using(using).filter(status=Status.PROCESSING, lease_until__lt=database_now())
    lost = list(with_now(rows.select_related("task").order_by("lease_until"))[:limit])
    return sum(_end_one(execution) for execution in lost)


def _end_one(execution: Execution) -> bool:
    now = execution.database_now
    failure = _lost_failure(execution, now)
    try:
        # The lease is part of the condition: a worker that renewed it in between keeps its execution.
        ended = finish.fail(execution, failure, ended_at=now, only_if_lease_before=now)
    except (DatabaseError, InterfaceError):
        raise
    except Exception:  # the others are ended all the same
        logger.exception(
            "Execution #%s of %s cannot be ended",
            execution.pk,
            execution.task_name,
            extra={"event": "end_not_recorded", **execution.log_fields},
        )
        return False
    if ended:
        logger.warning(
            "Execution #%s of %s: %s",
            execution.pk,
            execution.task_name,
            failure.message,
            extra={"event": "lost", **execution.log_fields},
        )
    return ended


def _lost_failure(execution: Execution, now: datetime) -> Failure:
    where = messages.WORKER % {"host": execution.worker_host, "number": execution.worker_pid}
    timeout = execution.task.timeout if execution.task else None
    if timeout is not None and execution.started_at is not None and execution.started_at + timeout <= now:
        return Failure(
            outcome=Outcome.TIMED_OUT,
            code="timed_out",
            message=messages.WORKER_ENDED % {"worker": where},
        )
    return Failure(outcome=Outcome.WORKER_LOST, code="worker_lost", message=messages.WORKER_LOST % {"worker": where})
