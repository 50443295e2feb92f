"""New executions: their rows, and how they get to the engine once those are committed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import QuerySet

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.rows import blank
from django_scheduled_tasks.engines import Submission, get_engine
from django_scheduled_tasks.exceptions import EngineUnavailable
from django_scheduled_tasks.json_checks import same_json
from django_scheduled_tasks.lifecycle import EXCLUDED, SKIPPED_BY_HAND, Outcome, Overlap, Status, Trigger
from django_scheduled_tasks.logs import event
from django_scheduled_tasks.models import Execution, ScheduledTask, database_now, write_alias
from django_scheduled_tasks.planner import STARTS, Decision, DecisionKind
from django_scheduled_tasks.services.delivery.notify import wake_schedulers, wake_schedulers_for
from django_scheduled_tasks.services.delivery.outbox import close_outbox, outbox
from django_scheduled_tasks.services.installation.state import standing
from django_scheduled_tasks.services.secrets import tree_of
from django_scheduled_tasks.signals import execution_queued, send
from django_scheduled_tasks.tracing import traceparent

logger = logging.getLogger(__name__)

MOST_DOUBLINGS = 15
"""How often the interval between two messages for an execution doubles at most: 30 s become 11 days."""
MOST_SUBMISSIONS = 30_000
"""The largest count that is stored, since the column is a SMALLINT."""
ENGINE_RETRY = timedelta(seconds=1)
"""When the scheduler tries again after the engine did not take a message."""
_OUTCOMES = {
    DecisionKind.SKIP: Outcome.SKIPPED,
    DecisionKind.SKIP_BY_HAND: Outcome.SKIPPED,
    DecisionKind.EXCLUDE: Outcome.SKIPPED,
    DecisionKind.MISS: Outcome.MISSED,
    DecisionKind.MISS_SUMMARY: Outcome.MISSED,
}
_CODES = {DecisionKind.SKIP_BY_HAND: SKIPPED_BY_HAND, DecisionKind.EXCLUDE: EXCLUDED}
"""What ``error_code`` says of what was decided by somebody, or by a calendar; else it is the outcome."""


def new_row(
    task: ScheduledTask,
    *,
    trigger: Trigger,
    params: Mapping[str, Any],
    now: datetime,
    rerun_of: Execution | None = None,
) -> Execution:
    """Return a pending execution of *task*, triggered at *now*; :func:`let_start` says when it starts."""
    execution: Execution = blank(Execution)
    execution.task = task
    execution.task_name = task.name
    execution.function = task.function
    execution.trigger = trigger
    execution.params = params
    execution.secret_params = tree_of(task.function, params, (rerun_of or task).secret_params)
    if params is not task.params:
        own = {name: True for name in params if not same_json(params[name], task.params.get(name, ...))}
        execution.own_params = own or None
    execution.triggered_at = now
    execution.traceparent = traceparent()
    return execution


def let_start(
    execution: Execution, task: ScheduledTask, *, not_before: datetime | None, overlap: Overlap, now: datetime
) -> None:
    """Set what decides when *execution* starts: its key, from when and until when it may, and when it is sent."""
    execution.lock_key = task.lock_key_for(overlap)
    execution.not_before = not_before
    if task.expires_after:
        execution.expires_at = (not_before or now) + task.expires_after
    schedule_sending(execution, now=now)


def row_of(
    task: ScheduledTask,
    decision: Decision,
    *,
    now: datetime,
    trigger: Trigger = Trigger.SCHEDULE,
    overlap: Overlap | None = None,
) -> Execution:
    """Return the row that records *decision* about *task*, under its overlap policy or another one."""
    execution = new_row(task, trigger=trigger, params=task.params, now=now)
    execution.scheduled_for, execution.occurrences = decision.scheduled_for, decision.count
    if decision.kind in STARTS:
        is_later = decision.not_before is not None and decision.not_before > now
        not_before = decision.not_before if is_later else None
        let_start(execution, task, not_before=not_before, overlap=Overlap(overlap or task.overlap), now=now)
        execution.reason = decision.moved
        return execution
    execution.status, execution.outcome = Status.ERRORS, _OUTCOMES[decision.kind]
    execution.completed_at = now
    execution.error_code = _CODES.get(decision.kind) or str(execution.outcome)
    execution.error_message = decision.reason
    execution.blocked_by_id = decision.blocked_by
    return execution


def schedule_sending(execution: Execution, *, now: datetime) -> None:
    """Set when the scheduler looks at a pending *execution*; if it may start now, it counts as sent by the caller.

    Args:
        execution: Not saved here.
        now: The database's present instant.
    """
    ready = execution.not_before is None or execution.not_before <= now
    if ready:
        settings = get_settings()
        wait = min(settings.RESEND_AFTER * 2 ** min(execution.submissions, MOST_DOUBLINGS), settings.RESEND_AFTER_MAX)
        execution.send_at = now + wait
        execution.submissions = min(execution.submissions + 1, MOST_SUBMISSIONS)
    else:
        execution.send_at = execution.not_before
    if execution.expires_at is not None and execution.send_at is not None:
        execution.send_at = min(execution.send_at, execution.expires_at)


def after_commit(executions: Sequence[Execution], *, may_share: bool = False) -> None:
    """Announce *executions* and send those that may start to the engine, once the present transaction commits.

    Schedulers are told of those that they have to see to before they look again by themselves. What they record
    themselves they know.

    Args:
        executions: As written.
        may_share: Whether several may share a message; their order does not matter then.
    """
    due = [item for item in executions if item.status == Status.PENDING and item.submissions]
    asked_for = [item for item in executions if item.status == Status.PENDING and item.trigger != Trigger.SCHEDULE]
    if asked_for:
        first = min((item.send_at for item in asked_for if item.send_at is not None), default=None)
        wake_schedulers_for(first, now=asked_for[0].triggered_at)

    def announce() -> None:
        for execution in executions:
            send(execution_queued, Execution, execution=execution)
        submit(due, may_share=may_share)

    transaction.on_commit(announce, using=write_alias(), robust=True)


def submit(executions: Iterable[Execution], *, may_share: bool = False) -> bool:
    """Send *executions* to the engine now; False if the engine did not take them all.

    In a scheduler whose engine may not answer they are sent by a thread of their own, and True only means that.
    In a copy of a database only what was started by hand in it is sent. If the engine fails, the rows are marked as not
    sent, and the scheduler sends them after :data:`ENGINE_RETRY`.

    Args:
        executions: With their tasks, which are not read again.
        may_share: Whether several may share a message.
    """
    place = standing()
    submissions = [submission_of(row, may_share=may_share) for row in executions if place.may_start(row)]
    if not submissions:
        return True
    if (box := outbox()) is not None:
        box.put(submissions, failed=_mark_unsent)
        return True
    try:
        get_engine().submit(submissions)
    except EngineUnavailable as exc:
        logger.warning("The engine is not available; the scheduler sends again: %s", exc, extra={"event": "not_sent"})
        _mark_unsent(submissions[exc.details.get("sent", 0) :])
        return False
    event("sent", "%s executions were sent to the engine", len(submissions), count=len(submissions))
    return True


def _mark_unsent(submissions: Sequence[Submission]) -> None:
    # Not due at once, so that a scheduler whose engine is away has time for everything else.
    waiting = _pending(str(one.tracking_id) for one in submissions)
    if waiting.update(send_at=database_now() + ENGINE_RETRY, submissions=0) and outbox() is None:  # else it is one
        wake_schedulers()


def when_idle(queues: Sequence[str], act: Callable[[], int]) -> int:
    """Do *act* if nothing waits in any of *queues*; return what it returns, or 0 if it is not done here and now."""
    if (box := outbox()) is not None:
        box.ask_idle(queues, then=act)
        return 0
    return act() if get_engine().is_idle(queues) else 0


def settle() -> None:
    """Do what follows from what the engine said to the thread that sends; a scheduler does it in each pass."""
    if (box := outbox()) is not None:
        box.settle()


def stop_sending() -> None:
    """Send what still waits to be sent, but not for long; mark the rest, for other schedulers."""
    _mark_unsent(close_outbox(get_settings().ENGINE_TIMEOUT.total_seconds()))


def send_again(tracking_ids: Iterable[str]) -> None:
    """Send those of *tracking_ids* that are still pending to the engine, one message each."""
    submit(_pending(tracking_ids).select_related("task").order_by("pk"))


def leave_to_schedulers(tracking_ids: Iterable[str]) -> None:
    """Let a scheduler send those of *tracking_ids* that are still pending with its next pass; no engine is asked."""
    if _pending(tracking_ids).update(send_at=database_now(), submissions=0):
        wake_schedulers()


def _pending(tracking_ids: Iterable[str]) -> QuerySet[Execution]:
    return Execution.objects.using(write_alias()).filter(tracking_id__in=list(tracking_ids), status=Status.PENDING)


def submission_of(execution: Execution, *, may_share: bool = False) -> Submission:
    """Return what the engine is told about *execution*."""
    task = execution.task
    return Submission(
        tracking_id=execution.tracking_id,
        queue=task.queue if task else "",
        timeout=task.timeout if task else None,
        may_share=may_share,
    )


def prepare_engine() -> None:
    """Create the engine of the settings, so that it can hook into the start of its workers."""
    try:
        get_engine()
    except ImproperlyConfigured:
        logger.exception(
            "The engine cannot be made", extra={"event": "engine_missing"}
        )  # a system check says so as well; commands must still work
