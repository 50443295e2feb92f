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
from django_scheduled_tasks.exceptions import TaskTimedOut
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import PresenceKind, write_alias
from django_scheduled_tasks.runner import batch, timeout, watchdog
from django_scheduled_tasks.runner.attempt import Running, in_process
from django_scheduled_tasks.runner.connections import close
from django_scheduled_tasks.runner.failure import stack_of
from django_scheduled_tasks.runner.overrun import alert
from django_scheduled_tasks.services import messages
from django_scheduled_tasks.services.running import finish
from django_scheduled_tasks.services.running.lease import lease_end, renew
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.scheduling import presence

logger = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between two beats; the database is asked less often."""
RENEWALS_IN_A_LEASE = 3
RECORD_WITHIN = 2.0
"""Seconds in which an end has to be recorded before the process is ended."""


def beat_for_ever(queue: str) -> None:
    pause = threading.Event()
    heart = Heart(queue)
    while True:
        heart.beat()
        pause.wait(TICK)


class Heart:
    """What the thread does.

    Args:
        queue: Which queue this process works for.
    """

    def __init__(self, queue: str = "") -> None:
        self._queue = queue
        self._seen = float("-inf")
        self._is_away = False

    def beat(self) -> None:
        """Do what is due. Nothing is raised: the database may be away, and comes back."""
        for running in in_process():
            stop_in_time(running)
        try:
            for running in in_process():
                tend(running)
            batch.leave_what_waits()
            self._say_present()
        except (DatabaseError, InterfaceError) as exc:
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
        if moment - self._seen >= get_settings().PRESENCE_INTERVAL.total_seconds():
            presence.seen(PresenceKind.WORKER, queue=self._queue)
            self._seen = moment


def tend(running: Running) -> None:
    """Do for *running* what needs the database, as far as it is due; nothing for a run that has just begun.

    Raises:
        DatabaseError: It is away; what was not done is still due.
    """
    if running.lost:
        return
    alert(running)
    lease = get_settings().LEASE
    moment = time.monotonic()
    if moment - running.renewed >= lease.total_seconds() / RENEWALS_IN_A_LEASE:
        if not renew(running.execution, not_after=_last_lease(running)):
            running.lost = True
        running.renewed = moment
    running.look()
    running.write_progress()
    if running.capture is not None:
        running.capture.flush_if_due()


def _last_lease(running: Running) -> datetime | None:
    """Return the end of the lease, if the time limit comes before that of a whole one."""
    now, started_at = running.now(), running.execution.started_at or running.now()
    until = lease_end(running.execution, now=now, started_at=started_at)
    return until if until < now + get_settings().LEASE else None


def stop_in_time(running: Running) -> None:
    """Stop *running* if its time is up, or if it is to be stopped by force; end the process if it does not yield."""
    moment = time.monotonic()
    ends = [at for at in (running.limit_at, running.force_at) if at is not None and at <= moment]
    if not ends:
        return
    if moment >= min(ends) + running.yield_within:
        if len(in_process()) == 1:  # who else runs in this process must not suffer
            end_process(running)
        return
    by_alarm = running.limit_at in ends and running.thread is threading.main_thread()
    if not by_alarm and not running.interrupted:
        running.interrupted = True
        timeout.interrupt(running)


def end_process(running: Running) -> None:
    """Record that *running* did not yield, and end this process."""
    if not running.take_end():
        return  # it has just ended by itself
    watchdog.arm(RECORD_WITHIN)  # the database may be away, or wait for the function's own transaction
    try:
        error = timeout.reason(running)
        frame = sys._current_frames().get(running.thread.ident or 0)
        is_late = isinstance(error, TaskTimedOut)
        failure = Failure(
            outcome=Outcome.TIMED_OUT if is_late else Outcome.CANCELLED,
            code="timed_out" if is_late else "cancelled",
            message=messages.NOT_YIELDED % {"reason": error},
            traceback=stack_of(frame, running.masker) if frame else "",
        )
        logger.error("Execution #%s of %s: %s", running.execution.pk, running.execution.task_name, failure.message)
        if running.capture is not None:
            running.capture.close()
        running.flush()
        finish.fail(running.execution, failure, ended_at=running.now(), **running.last_progress())
    except Exception:
        logger.exception("The end of execution #%s could not be recorded; the scheduler will", running.execution.pk)
    finally:
        os._exit(1)
