"""Captures what functions log and print, without a change for the project's own logging and output."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from django_scheduled_tasks.logs import EVENTS
from django_scheduled_tasks.runner.capture.buffer import STDERR, STDOUT, Capture


class OutputHooks:
    """The hooks of one process: in ``sys.stdout``, ``sys.stderr`` and ``logging``.

    1. The first attempt that enters puts the hooks in place.
    2. Each attempt that enters or leaves sets the level of the root logger to the lowest that any of them wants.
    3. The last one that leaves puts everything back. In a worker the hooks stay for the next execution: a change of
       the level empties the caches of all loggers.

    Args:
        capture_of_caller: Returns the log of the attempt to which the calling code belongs.
    """

    def __init__(self, capture_of_caller: Callable[[], Capture | None]) -> None:
        self._capture_of_caller = capture_of_caller
        self._lock = threading.Lock()
        self._captures: list[Capture] = []
        self._replaced: _Replaced | None = None
        self._hears_loggers = False
        self._here = threading.local()

    def enter(self, capture: Capture) -> None:
        """Let *capture* have what its attempt logs and prints, until it leaves."""
        with self._lock:
            if not self._hears_loggers:  # once for the life of the process: others may wrap ours
                self._hears_loggers = True
                self._hear_loggers()
            if self._replaced is not None and not self._captures and not self._replaced.is_in_place:
                self._put_back()  # an earlier function has replaced ours
            if self._replaced is None:
                self._replaced = _Replaced(self)
            self._captures.append(capture)
            self._replaced.set_root_level(self._captures)

    def leave(self, capture: Capture, *, stay: bool) -> None:
        """Let *capture* have nothing more.

        Args:
            capture: As it entered.
            stay: Whether the hooks stay in place when no attempt is left.
        """
        with self._lock:
            self._captures.remove(capture)
            if self._replaced is not None and self._captures:
                self._replaced.set_root_level(self._captures)
            elif not stay:
                self._put_back()

    def is_wanted(self, logger: logging.Logger, level: int) -> bool:
        """Whether the project wants records of this *level* of *logger*, whatever executions want of theirs."""
        replaced = self._replaced
        return level >= (logger.getEffectiveLevel() if replaced is None else replaced.level_without_us(logger))

    def remove(self) -> None:
        """Put everything back at once."""
        with self._lock:
            self._put_back()

    def after_fork(self) -> None:
        """Forget the parent's attempts in a child process, and the lock, which another thread of it may have held."""
        self._lock = threading.Lock()
        self._captures = []

    def _put_back(self) -> None:
        if self._replaced is not None:
            self._replaced.restore()
            self._replaced = None

    # --- what the hooks do --------------------------------------------------------------------------------------------

    def printed(self, stream: str, text: str) -> None:
        """Capture *text* for the attempt whose code prints it."""
        capture = self._capture_of_caller()
        if capture is not None and not self._is_logging:
            capture.write(stream, text)

    def _hear_loggers(self) -> None:
        """Replace ``Logger.callHandlers``.

        A handler on the root logger would not get the records of loggers that do not propagate. And records below the
        project's own level are captured, but must not reach its handlers.

        Source:
            The logging integration of sentry-sdk does so for the same reasons.
        """
        kind: Any = logging.Logger
        call_handlers: Callable[[logging.Logger, logging.LogRecord], None] = kind.callHandlers

        def capture_and_call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            replaced = self._replaced
            if replaced is None:
                call_handlers(logger, record)
                return
            capture = self._capture_of_caller()
            # Events are about the machinery: one that starts a thousand tasks would fill its log with them.
            if capture is not None and record.levelno >= capture.level and record.name != EVENTS:
                capture.emit(record)
            if record.levelno >= replaced.level_without_us(logger):
                self._call(call_handlers, logger, record)

        kind.callHandlers = capture_and_call_handlers

    def _call(
        self,
        call_handlers: Callable[[logging.Logger, logging.LogRecord], None],
        logger: logging.Logger,
        record: logging.LogRecord,
    ) -> None:
        before = self._is_logging
        self._here.is_logging = True  # a handler may write to sys.stderr: that line is captured already
        try:
            call_handlers(logger, record)
        finally:
            self._here.is_logging = before

    @property
    def _is_logging(self) -> bool:
        return getattr(self._here, "is_logging", False)


class _Replaced:
    """What the hooks have replaced, and by what."""

    def __init__(self, hooks: OutputHooks) -> None:
        self._root_level = self._set_level = logging.root.level
        self._streams = {STDOUT: sys.stdout, STDERR: sys.stderr}
        self._tees = {name: Tee(stream, name, hooks) for name, stream in self._streams.items() if stream is not None}
        for name, tee in self._tees.items():
            setattr(sys, name, tee)

    @property
    def is_in_place(self) -> bool:
        """Whether all of ours is still in place."""
        are_tees = all(getattr(sys, name) is tee for name, tee in self._tees.items())
        return are_tees and logging.root.level == self._set_level

    def set_root_level(self, captures: list[Capture]) -> None:
        """Set the level so that the records that *captures* want are made; the hook keeps them from the handlers."""
        wanted = min(self._root_level, *(capture.level for capture in captures))
        if wanted != self._set_level:
            logging.root.setLevel(wanted)
            self._set_level = wanted

    def level_without_us(self, logger: logging.Logger) -> int:
        """Return the effective level of *logger* as the project has set it."""
        parent: logging.Logger | None = logger
        while parent is not None and parent is not logging.root:
            if parent.level:
                return parent.level
            parent = parent.parent
        return self._root_level if logging.root.level == self._set_level else logging.root.level

    def restore(self) -> None:
        """Put back what was replaced, except where a function has put something else."""
        if logging.root.level == self._set_level != self._root_level:
            logging.root.setLevel(self._root_level)
        for name, tee in self._tees.items():
            if getattr(sys, name) is tee:
                setattr(sys, name, self._streams[name])


class Tee:
    """Replaces ``sys.stdout`` or ``sys.stderr``: passes everything on, and captures what attempts write."""

    def __init__(self, stream: Any, name: str, hooks: OutputHooks) -> None:
        self._stream, self._name, self._hooks = stream, name, hooks

    def write(self, text: str) -> int:
        """Write *text*."""
        self._hooks.printed(self._name, text)
        count: int = self._stream.write(text)
        return count

    def writelines(self, lines: Any) -> None:
        """Write all of *lines*."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)

    def __enter__(self) -> Tee:
        self._stream.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)
