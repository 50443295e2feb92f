"""Calls to a server that may accept a connection and never answer: each is waited for no longer than a limit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Value = TypeVar("Value")
MOST_THREADS = 4
"""How many calls of one process may be on their way at once; others wait."""
TRY_AGAIN_AFTER = 5.0
"""Seconds after which the next call is tried when one got no answer; those in between are refused at once."""


class NoAnswer(Exception):
    """The server did not answer in time; it may still do what it was asked to do."""


class _Call:
    """One call, and what came of it.

    Args:
        act: What to do.
    """

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self.ended = threading.Lock()
        self.ended.acquire()
        self.is_late = False
        """Whether nobody waits for it any more."""
        self.value: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.value = self._act()
        except Exception as exc:  # noqa: BLE001  (raised again in the caller's thread)
            self.error = exc
        self.ended.release()


class Callers:
    """A few threads that make calls for others, started when they are needed.

    A socket's own time limit is one for each answer, and clients of brokers differ in what they limit at all. A call
    that has not come back in time goes on in its thread. Until one succeeds, others are refused at once, but for one in
    :data:`TRY_AGAIN_AFTER`: so not each request waits for as long as the limit.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Begin anew: a forked child has none of the threads."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._threads = self._idle = 0
        self._refused_until = float("-inf")

    def call(self, act: Callable[[], Value], *, within: float) -> Value:
        """Return what *act* returns, or raise what it raises.

        Args:
            act: Called in another thread.
            within: How many seconds to wait.
        Raises:
            NoAnswer: It took longer, or an earlier call got no answer a moment ago.
        """
        call, began = _Call(act), self._begin()
        with self._lock:
            self._hand_over(call)
        if not call.ended.acquire(timeout=within):
            call.is_late = True
            self._refused_until = time.monotonic() + TRY_AGAIN_AFTER
            raise NoAnswer(f"no answer within {within:g} s")
        if call.error is not None:
            self._note(began, within)
            raise call.error
        value: Value = call.value
        return value

    def call_here(self, act: Callable[[], Value], *, within: float) -> Value:
        """Do it in this thread; for what has a time limit of its own.

        Args:
            act: Called at once.
            within: Its own limit, in seconds.
        Raises:
            NoAnswer: An earlier call got no answer a moment ago.
        """
        began = self._begin()
        try:
            value = act()
        except Exception:
            self._note(began, within)
            raise
        self._refused_until = float("-inf")
        return value

    def _begin(self) -> float:
        if self._pid != os.getpid():
            self._forget()
        moment = time.monotonic()
        if moment < self._refused_until:
            raise NoAnswer("it did not answer a moment ago")
        return moment

    def _note(self, began: float, within: float) -> None:
        """Refuse what follows if what has failed took so long that it was the client's own limit."""
        if time.monotonic() - began > within / 2:
            self._refused_until = time.monotonic() + TRY_AGAIN_AFTER

    def _hand_over(self, call: _Call) -> None:
        if self._idle:
            self._idle -= 1
        elif self._threads < MOST_THREADS:
            self._threads += 1
            threading.Thread(target=self._work, name="scheduled-tasks-caller", daemon=True).start()
        self._calls.put(call)

    def _work(self) -> None:
        while True:
            try:
                call = self._calls.get_nowait()
            except Empty:
                with self._lock:
                    self._idle += 1
                call = self._calls.get()
            if call.is_late:
                continue
            call.run()
            if call.error is None:
                self._refused_until = float("-inf")
