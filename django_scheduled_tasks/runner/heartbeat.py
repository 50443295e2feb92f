"""One small thread a worker process.

It says that the worker is there, renews the lease of what runs, writes its progress and its log, notices that it is to
be stopped, and ends the process if it does not stop. It has a database connection of its own, so that nothing of this
waits for, or is undone with, a transaction of the function.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connections
from uuid_utils.compat import uuid7

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import TaskTimedOut
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution, PresenceKind, write_alias
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.runner import handed, limits, watchdog
from django_scheduled_tasks.runner.cleaning import close
from django_scheduled_tasks.runner.errors import stack_of
from django_scheduled_tasks.runner.running import Running, WorkerProcess, current, in_process
from django_scheduled_tasks.services import attempts, leases, presence, recorded
from django_scheduled_tasks.services.attempts import Failure
from django_scheduled_tasks.services.taking import take
from django_scheduled_tasks.signals import execution_overran, send

logger = logging.getLogger("django_scheduled_tasks")

TICK = 0.5
"""Seconds between two beats; the database is asked less often."""
RENEWALS_IN_A_LEASE = 3
RECORD_WITHIN = 2.0
"""Seconds in which an end has to be recorded before the process is ended."""


def start(queue: str = "", take: Callable[[int | None], Sequence[str]] | None = None) -> None:
    """Start the thread of this process, once; the process counts as a worker from now on.

    Args:
        queue: Which queue it works for; empty for the default one.
        take: Takes further messages; see :class:`django_scheduled_tasks.runner.handed.Broker`.
    """
    if not WorkerProcess.is_here():
        handed.Broker.take = take
        thread = threading.Thread(target=_beat_for_ever, args=(queue,), name="scheduled-tasks-heartbeat", daemon=True)
        WorkerProcess.heartbeat = thread
        thread.start()
        _warm_up()
        # What is there by now stays: the garbage collector need not look at all of Django while a function runs.
        gc.freeze()


def _warm_up() -> None:
    """Do what the first execution would else wait for: imports, the connection, texts of statements, parameters."""
    import_module("django_scheduled_tasks.runner.execute")
    try:
        for function in registry.functions().values():
            _ = function.parameters
        nobody = Execution(tracking_id=uuid7())
        take(str(nobody.tracking_id))  # these two find no row
        attempts.succeed(nobody, completed_at=datetime.now(UTC), result=None, result_format="")
    except (DatabaseError, InterfaceError, ImproperlyConfigured) as exc:
        logger.info("Not warmed up, the first execution will take longer: %s", exc)


def _beat_for_ever(queue: str) -> None:
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
            handed.leave_what_waits()
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
        if not leases.renew(running.execution, not_after=_last_lease(running)):
            running.lost = True
        running.renewed = moment
    running.look()
    running.write_progress()
    if running.capture is not None:
        running.capture.flush_if_due()


def _last_lease(running: Running) -> datetime | None:
    """Return the end of the lease, if the time limit comes before that of a whole one."""
    now, started_at = running.now(), running.execution.started_at or running.now()
    until = leases.lease_end(running.execution, now=now, started_at=started_at)
    return until if until < now + get_settings().LEASE else None


def alert(running: Running) -> None:
    """Say once that *running* runs longer than its task's ``max_runtime``; it goes on."""
    task = running.execution.task
    if (
        task is None
        or task.max_runtime is None
        or running.overran
        or running.elapsed < task.max_runtime.total_seconds()
    ):
        return
    running.overran = True
    message = f"Execution #{running.execution.pk} of {running.execution.task_name} runs longer than {task.max_runtime}."
    logger.warning("%s", message)
    if running.capture is not None and current() is not running:  # else it is among its lines already
        running.capture.add("WARNING", logger.name, message)
    send(execution_overran, Execution, execution=running.execution)


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
        limits.interrupt(running)


def end_process(running: Running) -> None:
    """Record that *running* did not yield, and end this process."""
    if not running.take_end():
        return  # it has just ended by itself
    watchdog.arm(RECORD_WITHIN)  # the database may be away, or wait for the function's own transaction
    try:
        error = limits.reason(running)
        frame = sys._current_frames().get(running.thread.ident or 0)
        is_late = isinstance(error, TaskTimedOut)
        failure = Failure(
            outcome=Outcome.TIMED_OUT if is_late else Outcome.CANCELLED,
            code="timed_out" if is_late else "cancelled",
            message=recorded.NOT_YIELDED % {"reason": error},
            traceback=stack_of(frame, running.masker) if frame else "",
        )
        logger.error("Execution #%s of %s: %s", running.execution.pk, running.execution.task_name, failure.message)
        if running.capture is not None:
            running.capture.close()
        running.flush()
        attempts.fail(running.execution, failure, ended_at=running.now(), **running.last_progress())
    except Exception:
        logger.exception("The end of execution #%s could not be recorded; the scheduler will", running.execution.pk)
    finally:
        os._exit(1)
