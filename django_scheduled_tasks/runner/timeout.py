"""Ending a function at its limit: first by an exception in its thread, then by ending its worker.

The steps after an attempt's time limit, each for a function that did not yield to the one before:

====== ================================================================================================
+ 0 s  an exception is raised in the function's thread; an async function is cancelled at its next await
+ 3 s  the heartbeat thread records the end and ends the process
+ 4 s  a watchdog in C ends the process; it works while a C loop keeps every Python thread from running
+ 5 s  the lease is over: the scheduler records the end, if nobody could
====== ================================================================================================

Where the limit is django-q2's own, the second and third step come after 1.5 and 2.5 s: it ends the process after 3.
"""

from __future__ import annotations

import ctypes
import math
import signal
import threading
import time
from types import FrameType
from typing import Any

from django_scheduled_tasks.exceptions import TaskCancelled, TaskTimedOut
from django_scheduled_tasks.runner import watchdog
from django_scheduled_tasks.runner.attempt import Running, WorkerProcess
from django_scheduled_tasks.services import messages

YIELD_WITHIN_OUTER = 1.5
"""Seconds that it gets if the limit is the engine's: django-q2 ends the process 3 s after it, without a record."""
WATCHDOG_LATER = 1.0
"""Seconds after those at which the watchdog in C ends the process."""
COROUTINE_GRACE = 1.0
"""Seconds that an async function gets to reach an await, before the exception is raised wherever it is."""


class enforced:  # noqa: N801  (reads as a statement: ``with enforced(running):``)
    """Raise what ends the function in its thread, when its time is up or it is stopped by force.

    It uses ``SIGALRM``, as django-q2 does. In a worker, an alarm that is set already (django-q2's ``timeout``, for
    tasks that have none of their own) is taken over as the limit. Elsewhere an alarm is somebody else's, and comes when
    the function has ended.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._is_active = False
        self._coroutine_asked = False
        self._previous: Any = None
        self._outer = 0.0
        self._is_worker = WorkerProcess.is_here()
        task = running.execution.task
        self._limit = task.timeout.total_seconds() if task is not None and task.timeout is not None else None
        self._has_alarm = threading.current_thread() is threading.main_thread() and (
            self._is_worker or self._limit is not None
        )

    def __enter__(self) -> None:
        running = self._running
        if self._has_alarm:
            self._previous = signal.signal(signal.SIGALRM, self._raise)
            self._outer = signal.getitimer(signal.ITIMER_REAL)[0]
            if self._is_worker and self._outer and (self._limit is None or self._outer < self._limit):
                self._limit, running.yield_within = self._outer, YIELD_WITHIN_OUTER
        if self._limit is not None:
            running.limit_at = running.started + self._limit
            if self._is_worker and self._has_alarm:
                watchdog.arm(self._limit + running.yield_within + WATCHDOG_LATER)
            if self._has_alarm:
                signal.setitimer(signal.ITIMER_REAL, self._limit)
        self._is_active = True

    def __exit__(self, *_exc: object) -> None:
        self._is_active = False
        with self._running.interrupting:
            self._running.has_ended = True
        if not self._has_alarm:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._is_worker:
            # The handler stays: from now on it ignores what still comes, which would otherwise end the process.
            if self._limit is not None:
                watchdog.disarm()
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL if self._previous is None else self._previous)
        if self._outer:
            # Nearly over is not over: what waits for this alarm must get it.
            signal.setitimer(signal.ITIMER_REAL, max(self._outer - self._running.elapsed, 0.001))

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_active:
            return
        if self._running.main_coroutine is not None and not self._coroutine_asked:
            self._coroutine_asked = True
            self._running.cancel_coroutine()
            signal.setitimer(signal.ITIMER_REAL, COROUTINE_GRACE)
            return
        raise reason(self._running)


class Alarm:
    """The alarm that is set already, for all executions of a message; each of them takes it away when it ends."""

    def __init__(self) -> None:
        is_here = threading.current_thread() is threading.main_thread()
        left = signal.getitimer(signal.ITIMER_REAL)[0] if is_here else 0
        self.seconds = math.ceil(left) if left else None
        """What it was set to, if that was just now."""

    def set_again(self) -> None:
        """Set it to all of its time once more: each execution has it for itself."""
        if self.seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, self.seconds)


def reason(running: Running) -> TaskTimedOut | TaskCancelled:
    """Return the exception that says why *running* has to end now."""
    if running.limit_at is not None and time.monotonic() >= running.limit_at:
        limit = running.limit_at - running.started
        return TaskTimedOut(messages.TIMED_OUT % {"number": f"{limit:g}"})
    return TaskCancelled(running.why_cancelled())


def interrupt(running: Running) -> None:
    """Raise :func:`reason` in the function's thread; called from another one."""
    identity = running.thread.ident or 0
    with running.interrupting:  # the function's thread waits for this before it goes on to anything else
        if running.has_ended:
            return
        if running.thread is threading.main_thread():
            signal.pthread_kill(identity, signal.SIGALRM)
        else:
            # Noticed at the next Python instruction only: a thread that is not the main one cannot be woken up.
            kind = ctypes.py_object(type(reason(running)))
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), kind)
