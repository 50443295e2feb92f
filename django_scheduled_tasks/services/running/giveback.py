"""An execution that this worker cannot run, since it is of another release, is left to others."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidParameters
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.running.finish import cancel_pending
from django_scheduled_tasks.services.running.mutex import start_waiters

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=60)
"""How long it waits until it is sent to workers again; each wait is twice the one before."""
LONGEST_WAIT_IF_KNOWN = timedelta(seconds=5)
"""The longest such wait while a process that knows it runs: its workers need only be quicker with the message. Each is
between half of it and all of it, by chance: workers ask a broker at fixed intervals, so that messages at fixed
intervals could meet the same worker for ever.
"""
UNKNOWN_FOR = timedelta(minutes=10)
"""For so long no process that runs may know it; then the execution ends."""
_MOST_DOUBLINGS = 6
_MOST_COUNTED = 30_000
"""The largest count that is stored, since the column is a SMALLINT."""


def wait_for_others(execution: Execution, error: BaseException) -> timedelta | None:
    """Return how long to leave *execution*, which this process has claimed and cannot call, to other releases.

    A function that is not known here is waited for until nobody has known it for :data:`UNKNOWN_FOR`. Parameters are
    only if another release has another signature into which they fit: they were checked when they were given.

    Args:
        execution: As claimed.
        error: What was raised before its function was called.
    Returns:
        None if nobody may be able to run it.
    """
    wait = _wait(execution.given_back)
    if isinstance(error, FunctionNotRegistered):
        if live.seen_within(UNKNOWN_FOR).knows_function(execution.function):
            return _about(min(wait, LONGEST_WAIT_IF_KNOWN))
        return wait if _waited(execution.given_back) < UNKNOWN_FOR else None
    if isinstance(error, InvalidParameters):
        is_taken = live.seen_within(UNKNOWN_FOR).takes(execution.function, execution.params)
        return _about(min(wait, LONGEST_WAIT_IF_KNOWN)) if is_taken else None
    return None


def give_back(execution: Execution, error: BaseException, *, again_at: datetime) -> None:
    """Make *execution* pending again, as if this process had never claimed it; it counts as no attempt.

    The attempt's number stays the same, so the number of times that it was given back is the fence here: a second try
    of this write, whose first answer was lost, finds another number, and takes the execution from nobody.

    Args:
        execution: As claimed.
        error: Why this process cannot run it.
        again_at: When it is sent to workers again.
    """
    rows = Execution.objects.using(write_alias())
    is_back = rows.transition(
        execution.tracking_id,
        Status.PENDING,
        attempt=execution.attempt,
        counts=False,
        only_if={"given_back": execution.given_back, "worker_host": execution.worker_host},
        given_back=min(execution.given_back + 1, _MOST_COUNTED),
        not_before=again_at,
        send_at=again_at if execution.expires_at is None else min(again_at, execution.expires_at),
        submissions=0,
        has_waiting=False,
        worker_host="",
        worker_pid=None,
        release="",
    )
    if not is_back:
        return
    extra = {"tracking_id": str(execution.tracking_id), "task": execution.task_name, "event": "given_back"}
    wake_schedulers()
    logger.warning("Execution #%s of %s is left to others: %s", execution.pk, execution.task_name, error, extra=extra)
    start_waiters(execution.lock_key or "")
    cancelled = rows.filter(pk=execution.pk, status=Status.PENDING, cancel_requested_at__isnull=False).first()
    if cancelled is not None:  # somebody has asked for it while it was claimed
        cancel_pending(cancelled)


def _about(wait: timedelta) -> timedelta:
    """Return between half of *wait* and all of it, by chance."""
    return wait * random.uniform(0.5, 1.0)  # noqa: S311  # nosec B311


def _wait(given_back: int) -> timedelta:
    """Return how long an execution waits that was given back so often before."""
    wait: timedelta = FIRST_WAIT * 2 ** min(given_back, _MOST_DOUBLINGS)
    return min(wait, LONGEST_WAIT)


def _waited(given_back: int) -> timedelta:
    """Return for how long it has waited by then, all in all."""
    seconds = sum(_wait(number).total_seconds() for number in range(min(given_back, 100)))
    return timedelta(seconds=seconds)
