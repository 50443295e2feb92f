"""Ends the process after a time, even if something holds the interpreter and no Python code can run.

A timer of the kernel sends a signal whose handler is written in C (``faulthandler``): it writes the stacks of all
threads to stderr, and lets the signal do what it does by default, which is to end the process. Where the kernel has no
such timer, ``faulthandler`` waits in a thread of its own; that one has to be started for each execution.

Source:
    timer_create(2), sigevent(3type) of the Linux manual pages, and POSIX.1-2008.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
from functools import cache
from typing import Any, TextIO

_CLOCK_MONOTONIC, _SIGEV_SIGNAL = 1, 0


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 64),
    )


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


def arm(seconds: float) -> None:
    """End this process after *seconds*, instead of whatever was set before."""
    timer = _timer(os.getpid())
    if timer is None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=_stderr())
    else:
        timer.set(seconds)


def disarm() -> None:
    """Let the process live."""
    timer = _timer(os.getpid())
    if timer is None:
        faulthandler.cancel_dump_traceback_later()
    else:
        timer.set(0)


class _Timer:
    """A timer of the kernel, which a child process does not inherit."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._id = ctypes.c_void_p()
        # The last of the real-time signals, which nobody else is likely to use.
        faulthandler.register(signal.SIGRTMAX, file=_stderr(), all_threads=True, chain=True)
        event = _SigEvent(signal=signal.SIGRTMAX, notify=_SIGEV_SIGNAL)
        if self._libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._id)):
            raise OSError(ctypes.get_errno(), "timer_create")

    def set(self, seconds: float) -> None:
        """Let it ring once after *seconds*; 0: not at all."""
        whole = int(seconds)
        spec = _TimerSpec(value=_TimeSpec(whole, int((seconds - whole) * 1e9)))
        if self._libc.timer_settime(self._id, 0, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timer_settime")


@cache
def _timer(_pid: int) -> _Timer | None:
    """Return the timer of this process, or None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return _Timer()
    except (OSError, AttributeError):
        return None


def _stderr() -> Any:
    stream: TextIO | None = sys.__stderr__
    try:
        return stream if stream is not None and stream.fileno() >= 0 else _nowhere()
    except (ValueError, OSError):  # it has no file descriptor
        return _nowhere()


@cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)
