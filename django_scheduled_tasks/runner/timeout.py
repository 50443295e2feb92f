"""Ending a function at its time limit: first by an exception in its thread, then by ending its worker.

The steps after an attempt's time limit, each for a function that did not yield to the one before:

====== ================================================================================================
+ 0 s  an exception is raised in the function's thread; an async function is cancelled at its next await
+ 3 s  the heartbeat thread records the end and ends the process
+ 4 s  a watchdog in C ends the process; it works while a C loop keeps every Python thread from running
+ 5 s  the lease is over: the scheduler records the end, if the worker has not
====== ================================================================================================

Where the limit is django-q2's own, the second and third step come after 1.5 and 2.5 s: it ends the process after 3.
"""

from __future__ import annotations

import ctypes
import logging
import math
import signal
import threading
from types import FrameType
from typing import Any

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.attempt import RunningAttempt
from django_scheduled_tasks.runner.process import TOLERANCE, process
from django_scheduled_tasks.services.running.logs import log_extra
from django_scheduled_tasks.signals import execution_overran, send

logger = logging.getLogger(__name__)

YIELD_WITHIN_OUTER = 1.5
"""Seconds in which it has to end if the limit is django-q2's, which ends the process 3 s after it without a record."""
WATCHDOG_LATER = 1.0
"""Seconds after that until the watchdog ends the process."""
COROUTINE_GRACE = 1.0
"""Seconds in which an async function has to reach an await; then the exception is raised wherever it is."""


class enforced:  # noqa: N801  (reads as a statement: ``with enforced(attempt):``)
    """End the function by an exception in its thread, when its time limit is over or it is stopped by force.

    It uses ``SIGALRM``, as django-q2 does. In a worker, an alarm that is set already is django-q2's ``timeout``, and
    becomes the limit of tasks that have none, or a longer one. In any other process it belongs to the project, and is
    put back when the function has ended.
    """

    def __init__(self, attempt: RunningAttempt) -> None:
        self._attempt = attempt
        self._is_active = False
        self._coroutine_asked = False
        self._previous: Any = None
        self._outer = 0.0
        self._is_worker = process.is_worker
        task = attempt.execution.task
        self._limit = task.timeout.total_seconds() if task is not None and task.timeout is not None else None
        self._has_alarm = attempt.thread.is_main and (self._is_worker or self._limit is not None)

    def __enter__(self) -> None:
        attempt = self._attempt
        if self._has_alarm:
            self._previous = signal.signal(signal.SIGALRM, self._raise)
            self._outer = signal.getitimer(signal.ITIMER_REAL)[0]
            if self._is_worker and self._outer and (self._limit is None or self._outer < self._limit):
                self._limit, attempt.stop.yield_within = self._outer, YIELD_WITHIN_OUTER
        if self._limit is not None:
            attempt.stop.limit_at = attempt.clock.started_at + self._limit
        if self._has_alarm and self._is_worker:
            if attempt.stop.limit_at is not None:
                attempt.stop.kill_at = attempt.stop.limit_at + attempt.stop.yield_within + WATCHDOG_LATER
            process.watchdog.set(attempt.stop.kill_at, tolerance=TOLERANCE)
        if self._has_alarm and self._limit is not None:
            signal.setitimer(signal.ITIMER_REAL, self._limit)
        self._is_active = True

    def __exit__(self, *_exc: object) -> None:
        self._is_active = False
        if self._attempt.is_inherited:
            return  # a child that the function has forked, which has neither the alarm nor the watchdog
        with self._attempt.thread.interrupting:
            self._attempt.thread.has_ended = True
        if not self._has_alarm:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._is_worker:
            # The handler stays: a late signal, which it ignores from now on, would otherwise end the process.
            if self._attempt.stop.is_late:  # else the heartbeat does it in time
                process.watchdog.set(None)
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL if self._previous is None else self._previous)
        if self._outer:
            # Even if it would have come by now: the project waits for it.
            signal.setitimer(signal.ITIMER_REAL, max(self._outer - self._attempt.clock.elapsed, 0.001))

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_active:
            return
        if self._attempt.thread.coroutine is not None and not self._coroutine_asked:
            self._coroutine_asked = True
            self._attempt.thread.cancel_coroutine()
            signal.setitimer(signal.ITIMER_REAL, COROUTINE_GRACE)
            return
        raise self._attempt.reason_to_end()


class Alarm:
    """The alarm that the engine has set for a message. Each execution of the message clears it when it ends."""

    def __init__(self) -> None:
        is_here = threading.current_thread() is threading.main_thread()
        left = signal.getitimer(signal.ITIMER_REAL)[0] if is_here else 0
        self.seconds = math.ceil(left) if left else None
        """What it was set to, if it was set a moment ago; None if it is not set."""

    def set_again(self) -> None:
        """Set it anew: each execution has the whole time."""
        if self.seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, self.seconds)


def interrupt(attempt: RunningAttempt) -> None:
    """End the function by an exception in its thread; called from another thread."""
    thread = attempt.thread
    with thread.interrupting:
        if thread.has_ended:
            return
        if thread.is_main:
            signal.pthread_kill(thread.identity, signal.SIGALRM)
        else:
            # Raised at the next Python instruction; only in the main thread a system call is interrupted.
            kind = ctypes.py_object(type(attempt.reason_to_end()))
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.identity), kind)


def alert_if_overrun(attempt: RunningAttempt) -> None:
    """Log and signal, once, that *attempt* runs longer than its task's ``max_runtime``; it goes on."""
    task = attempt.execution.task
    if task is None or task.max_runtime is None or attempt.has_overrun or attempt.is_inherited:
        return
    if attempt.clock.elapsed < task.max_runtime.total_seconds():
        return
    attempt.has_overrun = True
    message = f"Execution #{attempt.execution.pk} of {attempt.execution.task_name} runs longer than {task.max_runtime}."
    logger.warning("%s", message, extra=log_extra(attempt.execution, "overran"))
    if process.current() is not attempt:  # else the hooks have captured it already
        attempt.log.add("WARNING", logger.name, message)
    send(execution_overran, Execution, execution=attempt.execution)
