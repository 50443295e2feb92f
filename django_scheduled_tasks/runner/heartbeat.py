"""One small thread a worker process.

It says that the worker is there, renews the lease of what runs, writes its progress and its log, notices that it is to
be stopped, and ends the process if it does not stop. It has a database connection of its own, so that nothing of this
waits for, or is undone with, a transaction of the function.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.errors import gave_way
from django_scheduled_tasks.db.limits import Watch
from django_scheduled_tasks.db.pools import leave_pool
from django_scheduled_tasks.exceptions import TaskTimedOut
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import PresenceKind, write_alias
from django_scheduled_tasks.runner import timeout
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.ending import close
from django_scheduled_tasks.runner.failure import stack_of
from django_scheduled_tasks.runner.process import process
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.delivery.dispatch import leave_to_schedulers
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.lease import lease_end, renew
from django_scheduled_tasks.services.running.logs import log_extra
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.scheduling import presence

logger = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two beats; the database is asked less often."""
RENEWALS_IN_A_LEASE = 3
RECORD_WITHIN = 2.0
"""Seconds in which an end has to be recorded before the process is ended."""


def beat_for_ever(queue: str) -> None:
    """Run the heartbeat of this process; what its thread does.

    Args:
        queue: Which queue the process works for.
    """
    alias, settings = write_alias(), get_settings()
    leave_pool(alias)  # the function may hold all of its connections
    limit = min(settings.DATABASE_TIMEOUT, settings.LEASE / RENEWALS_IN_A_LEASE)
    watch = Watch(connections[alias], others=list, limit=limit.total_seconds())
    pause = threading.Event()
    heart = Heart(queue)
    while True:
        watch.begin()
        heart.beat()
        watch.end()
        pause.wait(INTERVAL)


class Heart:
    """What the thread does, beat by beat.

    Args:
        queue: Which queue this process works for.
    """

    def __init__(self, queue: str = "") -> None:
        self._queue = queue
        self._present_at = float("-inf")
        self._is_away = False

    def beat(self) -> None:
        """Do what is due. Nothing is raised: the database may be away, and comes back.

        1. Stop functions whose time is up, and set the watchdog for the others; that needs no database.
        2. Renew leases, read signals, and write progress and log lines of what runs.
        3. Hand back executions of a message that wait behind a long one.
        4. Say that this worker is there.
        """
        for attempt in process.attempts:
            stop_in_time(attempt)
        set_watchdog()
        try:
            for attempt in process.attempts:
                tend(attempt)
            hand_back_waiting()
            self._say_present()
        except (DatabaseError, InterfaceError) as exc:
            if gave_way(exc):
                logger.info("The heartbeat gave way to another transaction, and tries again: %s", exc)
                return
            if not self._is_away:
                self._is_away = True
                logger.warning("The heartbeat does not reach the database, and tries again: %s", exc)
            close(connections[write_alias()])
        except Exception:
            logger.exception("The heartbeat failed, and goes on")
        else:
            if self._is_away:
                self._is_away = False
                logger.warning("The heartbeat reaches the database again")

    def _say_present(self) -> None:
        moment = time.monotonic()
        if moment - self._present_at >= get_settings().PRESENCE_INTERVAL.total_seconds():
            presence.seen(PresenceKind.WORKER, queue=self._queue)
            self._present_at = moment


def tend(attempt: RunningAttempt) -> None:
    """Do for *attempt* what needs the database, as far as it is due; nothing for one that has just begun.

    Raises:
        DatabaseError: It is away; what was not done is still due.
    """
    if attempt.stop.lost:
        return
    timeout.alert_if_overrun(attempt)
    moment = time.monotonic()
    if moment - attempt.clock.renewed_at >= get_settings().LEASE.total_seconds() / RENEWALS_IN_A_LEASE:
        attempt.stop.lost |= not renew(attempt.execution, not_after=_last_lease(attempt))
        attempt.clock.renewed_at = moment
    attempt.read_signals()
    attempt.write_progress()
    attempt.log.flush_if_due()


def _last_lease(attempt: RunningAttempt) -> datetime | None:
    """Return the end of the lease, if the time limit comes before that of a whole one."""
    now = attempt.clock.now()
    until = lease_end(attempt.execution, now=now, started_at=attempt.execution.started_at or now)
    return until if until < now + get_settings().LEASE else None


def hand_back_waiting() -> None:
    """Leave what waits behind an execution that takes its time to other workers.

    No message is sent here: a broker that does not answer would keep the heartbeat from renewing leases. A scheduler
    sends one; without a scheduler this worker runs them when that execution has ended.
    """
    for batch in process.batches:
        if batch.waiting and not batch.is_handed_back and batch.takes_long:
            leave_to_schedulers(list(batch.waiting.copy()))
            batch.is_handed_back = True


def stop_in_time(attempt: RunningAttempt) -> None:
    """Stop *attempt* if its time is up, or if it is to be stopped by force; end the process if it does not yield."""
    stop_at = attempt.stop.stop_at()
    if stop_at is None:
        return
    if time.monotonic() >= stop_at + attempt.stop.yield_within:
        if len(process.attempts) == 1:  # others that run in this process must not suffer
            end_process(attempt)
        return
    by_alarm = attempt.stop.is_late and attempt.thread.is_main
    if not by_alarm and not attempt.thread.was_interrupted:
        attempt.thread.was_interrupted = True
        timeout.interrupt(attempt)


def set_watchdog() -> None:
    """Let the watchdog end this process if nothing else can; not if nothing runs."""
    process.watchdog.set(min(filter(None, (attempt.stop.kill_at for attempt in process.attempts)), default=None))


def end_process(attempt: RunningAttempt) -> None:
    """Record that *attempt* did not yield, and end this process."""
    if not attempt.claim_end():
        return  # it has just ended by itself
    process.watchdog.set(
        time.monotonic() + RECORD_WITHIN
    )  # the database may be away, or wait for the function's own transaction
    execution = attempt.execution
    try:
        failure = _failure_of(attempt)
        extra = log_extra(execution, "did_not_yield")
        logger.error("Execution #%s of %s: %s", execution.pk, execution.task_name, failure.message, extra=extra)
        attempt.log.close()
        attempt.log.flush()
        finish.fail(execution, failure, ended_at=attempt.clock.now(), **attempt.last_progress())
    except Exception:
        extra = log_extra(execution, "end_not_recorded")
        logger.exception(
            "The end of execution #%s could not be recorded; the scheduler will", execution.pk, extra=extra
        )
    finally:
        os._exit(1)


def _failure_of(attempt: RunningAttempt) -> Failure:
    error = attempt.reason_to_end()
    frame = sys._current_frames().get(attempt.thread.identity)
    is_late = isinstance(error, TaskTimedOut)
    return Failure(
        outcome=Outcome.TIMED_OUT if is_late else Outcome.CANCELLED,
        code="timed_out" if is_late else "cancelled",
        message=messages.NOT_YIELDED % {"reason": error},
        traceback=stack_of(frame, attempt.masker) if frame else "",
    )
