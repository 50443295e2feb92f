"""Where what a function logs and prints is picked up, without changing what the project itself does with it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from django_scheduled_tasks.runner.attempt import Running, WorkerProcess, current
from django_scheduled_tasks.runner.capture.buffer import STDERR, STDOUT, Capture
from django_scheduled_tasks.services.running import logs

_call_handlers: Callable[[logging.Logger, logging.LogRecord], None] | None = None
"""What stood in our place before."""
_lock = threading.Lock()
_captures: list[Capture] = []
_saved: _Saved | None = None
_here = threading.local()


class _Saved:
    """What is put back when the last captured attempt of this process has ended; in a worker, before another one."""

    def __init__(self) -> None:
        self.root_level = self.set_level = logging.root.level
        self.streams = {STDOUT: sys.stdout, STDERR: sys.stderr}
        self.proxies = {name: Tee(stream, name) for name, stream in self.streams.items() if stream is not None}
        for name, proxy in self.proxies.items():
            setattr(sys, name, proxy)

    @property
    def is_in_place(self) -> bool:
        """Whether nobody has put something else in the place of ours."""
        return logging.root.level == self.set_level and all(
            getattr(sys, name) is proxy for name, proxy in self.proxies.items()
        )

    def set_root_level(self) -> None:
        """Let the records through that the attempts want; :func:`_dispatch` keeps them from everybody else."""
        wanted = min([self.root_level, *(capture.level for capture in _captures)])
        if wanted != self.set_level:
            logging.root.setLevel(wanted)
            self.set_level = wanted

    def restore(self) -> None:
        """Put everything back, unless the function has put something else in its place."""
        if logging.root.level == self.set_level != self.root_level:
            logging.root.setLevel(self.root_level)
        for name, proxy in self.proxies.items():
            if getattr(sys, name) is proxy:
                setattr(sys, name, self.streams[name])


class Tee:
    """Stands for ``sys.stdout`` or ``sys.stderr``: passes everything on, and shows it to the attempt that wrote it."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        """Write *text*."""
        running = current()
        if running is not None and running.capture is not None and not getattr(_here, "is_logging", False):
            running.capture.write(self._name, text)
        return self._stream.write(text)  # type: ignore[no-any-return]

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


@contextmanager
def captured(running: Running) -> Iterator[None]:
    """Pick up what *running* logs and prints within the block."""
    # Only an attempt that follows another has to ask what of the log is used up.
    used = logs.used(running.execution) if running.execution.attempt > 1 else logs.Used()
    capture = Capture(running, level=_level_of(running), used=used)
    running.capture = capture
    _enter(capture)
    try:
        yield
    finally:
        _leave(capture)
        capture.close()


def _enter(capture: Capture) -> None:
    global _saved, _call_handlers  # noqa: PLW0603  (what is replaced is global to the process as well)
    with _lock:
        if _call_handlers is None:  # once for the life of the process: who replaces it after us calls us
            _call_handlers = logging.Logger.callHandlers
            logging.Logger.callHandlers = _dispatch  # type: ignore[method-assign]
        if _saved is not None and not _captures and not _saved.is_in_place:
            _saved.restore()
            _saved = None
        _saved = _saved or _Saved()
        _captures.append(capture)
        _saved.set_root_level()


def _leave(capture: Capture) -> None:
    global _saved  # noqa: PLW0603  (as above)
    with _lock:
        _captures.remove(capture)
        if _saved is None:
            return
        if _captures:
            _saved.set_root_level()
        elif not WorkerProcess.is_here():  # there the next one follows; each change of the level empties all caches
            _saved.restore()
            _saved = None


def _dispatch(self: logging.Logger, record: logging.LogRecord) -> None:
    """Do what ``Logger.callHandlers`` does, and show the record to the attempt that logged it.

    It stands here rather than in a handler on the root logger, so that loggers that do not propagate are heard, and
    records below the project's own level reach us but nobody else.

    Source:
        The logging integration of sentry-sdk takes this place for the same reason.
    """
    saved = _saved
    assert _call_handlers is not None  # noqa: S101  (for the type checker: it was set when this was put here)
    if saved is None:
        _call_handlers(self, record)
        return
    running = current()
    capture = running.capture if running is not None else None
    if capture is not None and record.levelno >= capture.level:
        capture.emit(record)
    if record.levelno >= _level_without_us(self, saved):
        before = getattr(_here, "is_logging", False)
        _here.is_logging = True  # a handler may write to sys.stderr: that line is here already
        try:
            _call_handlers(self, record)
        finally:
            _here.is_logging = before


def _level_without_us(one: logging.Logger, saved: _Saved) -> int:
    """Return the effective level of the logger *one* as the project has set it."""
    parent: logging.Logger | None = one
    while parent is not None and parent is not logging.root:
        if parent.level:
            return parent.level
        parent = parent.parent
    return saved.root_level if logging.root.level == saved.set_level else logging.root.level


def _level_of(running: Running) -> int:
    task = running.execution.task
    level = logging.getLevelName(task.log_level if task else "INFO")
    return level if isinstance(level, int) else logging.INFO
