"""The heartbeat: a small thread in each worker process.

It records that the worker is there. For each attempt that runs it renews the lease, writes progress and log lines, and
reads whether it is to stop; if its function does not stop, it ends the process. It has a database connection of its
own, so that nothing of this waits for a transaction of the function, or is rolled back with it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.errors import gave_way
from django_scheduled_tasks.db.connections.pools import leave_pool
from django_scheduled_tasks.db.limits import Watch
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
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.lease import lease_end, renew
from django_scheduled_tasks.services.running.logs import log_extra
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.scheduling import presence

if TYPE_CHECKING:
    from django_scheduled_tasks.engines import Cluster

logger = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two beats; not each of them needs the database."""
IDLE_INTERVAL = 1.0
"""The same while nothing runs; what begins meanwhile is tended that much later, once."""
RENEWALS_IN_A_LEASE = 3
RECORD_WITHIN = 2.0
"""Seconds that it may take to record an end before the watchdog ends the process."""


def beat_for_ever(queue: str, cluster: Cluster | None = None) -> None:
    """Beat until the process ends; the target of the thread.

    Args:
        queue: Which queue the process works for.
        cluster: Which it belongs to, as far as that is known.
    """
    alias, settings = write_alias(), get_settings()
    leave_pool(alias)  # the function may hold all of its connections
    limit = min(settings.DATABASE_TIMEOUT, settings.LEASE / RENEWALS_IN_A_LEASE)
    watch = Watch(connections[alias], others=list, limit=limit.total_seconds())
    pause = threading.Event()
    heart = Heart(queue, cluster)
    while True:
        watch.begin()
        heart.beat()
        watch.end()
        pause.wait(INTERVAL if process.attempts else IDLE_INTERVAL)


class Heart:
    """What the heartbeat does, and remembers between two beats.

    Args:
        queue: Which queue this process works for.
        cluster: Which it belongs to, as far as that is known.
    """

    def __init__(self, queue: str = "", cluster: Cluster | None = None) -> None:
        self._queue, self._cluster = queue, cluster
        self._say_at = float("-inf")
        self._is_mine = True
        """Whether this process wrote the row of presence last, as far as it knows."""
        self._is_away = False

    def beat(self) -> None:
        """Do what is due. Nothing is raised: while the database is away, the next beat tries again.

        1. Stop functions whose time limit is over, and set the watchdog for the others; that needs no database.
        2. Renew leases, read signals, write progress and log lines.
        3. Leave executions of a message that wait behind a long one to other workers.
        4. Record that this worker is there; not in a copy of a database, where it takes nothing.
        """
        for attempt in process.attempts:
            stop_in_time(attempt)
        set_watchdog()
        try:
            for attempt in process.attempts:
                tend(attempt)
            hand_back_waiting()
            self._record_presence()
        except (DatabaseError, InterfaceError) as exc:
            if gave_way(exc):
                logger.info(
                    "The heartbeat gave way to another transaction, and tries again: %s",
                    exc,
                    extra={"event": "gave_way"},
                )
                return
            if not self._is_away:
                self._is_away = True
                logger.warning(
                    "The heartbeat does not reach the database, and tries again: %s",
                    exc,
                    extra={"event": "database_unavailable"},
                )
            close(connections[write_alias()])
        except Exception:
            logger.exception("The heartbeat failed, and goes on", extra={"event": "heartbeat_failed"})
        else:
            if self._is_away:
                self._is_away = False
                logger.warning("The heartbeat reaches the database again", extra={"event": "database_available"})

    def _record_presence(self) -> None:
        moment = time.monotonic()
        if is_held():  # asks the database about once a minute
            return
        if moment >= self._say_at:
            self._is_mine = presence.seen(
                PresenceKind.WORKER, queue=self._queue, cluster=self._cluster, look_first=not self._is_mine
            )
            wait = get_settings().PRESENCE_INTERVAL if self._is_mine else presence.look_again_after()
            self._say_at = moment + wait.total_seconds()


def tend(attempt: RunningAttempt) -> None:
    """Renew the lease of *attempt*, read its signals, write progress and log, each if it is due.

    An attempt that has just begun costs no statement.

    Raises:
        DatabaseError: The database is away; what was not done stays due.
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
    """Return when the lease ends if the time limit shortens it; None if it lasts for a whole ``LEASE``."""
    now = attempt.clock.now()
    until = lease_end(attempt.execution, now=now, started_at=attempt.execution.started_at or now)
    return until if until < now + get_settings().LEASE else None


def hand_back_waiting() -> None:
    """Leave executions that wait behind a long one, in the same message, to other workers.

    A scheduler sends them again; the heartbeat sends nothing itself, since a broker that does not answer would keep it
    from renewing leases. Without a scheduler, this worker runs them when the long one has ended.
    """
    for batch in process.batches:
        if batch.waiting and not batch.is_handed_back and batch.takes_long:
            leave_to_schedulers(list(batch.waiting.copy()))
            batch.is_handed_back = True


def stop_in_time(attempt: RunningAttempt) -> None:
    """Stop *attempt* if its time limit is over or force is asked for; end the process if it does not yield."""
    stop_at = attempt.stop.stop_at()
    if stop_at is None:
        return
    if time.monotonic() >= stop_at + attempt.stop.yield_within:
        if len(process.attempts) == 1:  # else other attempts would be lost with it
            end_process(attempt)
        return
    by_alarm = attempt.stop.is_late and attempt.thread.is_main
    if not by_alarm and not attempt.thread.was_interrupted:
        attempt.thread.was_interrupted = True
        timeout.interrupt(attempt)


def set_watchdog() -> None:
    """Set the watchdog to the time limit of what runs; stop it if nothing with a limit runs."""
    process.watchdog.set(min(filter(None, (attempt.stop.kill_at for attempt in process.attempts)), default=None))


def end_process(attempt: RunningAttempt) -> None:
    """Record that *attempt* did not yield, and end this process."""
    if not attempt.claim_end():
        return  # the function has just ended
    # The database may be away, or wait for the function's own transaction.
    process.watchdog.set(time.monotonic() + RECORD_WITHIN)
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
