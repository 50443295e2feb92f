"""What an execution logs and prints, and it alone, becomes its log: bounded in memory, and written in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.runner.attempt import Running
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.logs import LogLine
from django_scheduled_tasks.services.running.redaction import CUT

logger = logging.getLogger(__name__)
FLUSH_INTERVAL = 1.0
"""Seconds between two writes."""
HEAD_SHARE = 3, 4
"""How much of what may be kept goes to the beginning; the rest is for the end, which says how it went."""
STDOUT, STDERR = "stdout", "stderr"
_LEVELS = {STDOUT: "INFO", STDERR: "WARNING"}
_formatter = logging.Formatter()


@dataclass
class Budget:
    """How much may still be kept."""

    lines: int
    bytes: int

    def takes(self, size: int) -> bool:
        """Take a line of *size* bytes off, if it still fits."""
        if self.lines < 1 or self.bytes < size:
            return False
        self.lines -= 1
        self.bytes -= size
        return True


@dataclass
class Tail:
    """The last lines, once the budget of the beginning is used up; older ones are dropped and counted."""

    lines_limit: int
    bytes_limit: int
    lines: deque[tuple[int, LogLine]] = field(default_factory=deque)
    bytes: int = 0
    dropped: int = 0

    def add(self, size: int, line: LogLine) -> None:
        """Add *line*, and drop as many of the oldest as it takes."""
        self.lines.append((size, line))
        self.bytes += size
        while self.lines and (len(self.lines) > self.lines_limit or self.bytes > self.bytes_limit):
            gone, _line = self.lines.popleft()
            self.bytes -= gone
            self.dropped += 1


class Capture:
    """The log of one attempt on its way to the database.

    Args:
        running: The attempt.
        level: The least level of logging records that are kept.
        used: What earlier attempts have written.
    """

    def __init__(self, running: Running, *, level: int, used: logs.Used) -> None:
        self.level = level
        self._running = running
        # Reentrant: what the garbage collector ends, or a signal handler, may log while a line is taken in.
        self._lock = threading.RLock()
        self._flush_lock = threading.Lock()
        self._ready: list[LogLine] = []
        self._partial: dict[str, str] = {}
        self._is_cut: set[str] = set()
        self._head: Budget | None = None
        self._tail = Tail(0, 0)
        self._line_limit = 0
        self._used = used
        self._next_number = used.number + 1
        self._flushed = time.monotonic()
        self._has_failed = False

    # --- what comes in --------------------------------------------------------------------------------------------

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a logging record, with the traceback it carries."""
        self.add(record.levelname, record.name, _text_of(record))

    def add(self, level: str, name: str, message: str) -> None:
        """Keep one line; it may have line breaks."""
        with self._lock:
            self._add(level, name, message)

    def write(self, stream: str, text: str) -> None:
        """Keep what was printed, line by line; the rest of a line waits for its end."""
        with self._lock:
            begin = 0
            while (end := text.find("\n", begin)) >= 0:
                self._grow(stream, text, begin, end)
                self._end_line(stream)
                begin = end + 1
            self._grow(stream, text, begin, len(text))

    def _grow(self, stream: str, text: str, begin: int, end: int) -> None:
        """Add a part of *text* to the line that has begun; of a very long line, only as much as may be shown."""
        if begin >= end:
            return
        self._prepare()
        kept = self._partial.get(stream, "")
        # A carriage return starts the line anew, as on a terminal: of a progress bar, the last state is kept.
        anew = text.rfind("\r", begin, end - 1) + 1
        if anew or kept.endswith("\r"):
            kept, begin = "", max(anew, begin)
            self._is_cut.discard(stream)
        room = max(self._line_limit + 1 + self._running.masker.longest - len(kept), 0)
        if end - begin > room:
            self._is_cut.add(stream)
        grown = kept + text[begin : min(end, begin + room)]
        self._partial[stream] = grown if text[end - 1] != "\r" else grown.rstrip("\r") + "\r"

    def _end_line(self, stream: str) -> None:
        line, is_cut = self._partial.pop(stream, "").rstrip("\r"), stream in self._is_cut
        self._is_cut.discard(stream)
        self._add(_LEVELS[stream], stream, line, is_cut=is_cut)

    def _add(self, level: str, name: str, message: str, *, is_cut: bool = False) -> None:
        head = self._prepare()
        masker = self._running.masker
        message = masker(message)
        if is_cut:  # at its end may stand the beginning of a secret
            message = message[: max(len(message) - masker.longest, 0)]
        if is_cut or len(message) > self._line_limit:
            message = f"{message[: self._line_limit - len(CUT) - 1]} {CUT}"
        size = len(message.encode("utf-8", "replace"))
        line = LogLine(self._running.now(), level, name, message)
        if not self._tail.lines and not self._tail.dropped and head.takes(size):
            self._ready.append(line)
        else:
            self._tail.add(size, line)

    def _prepare(self) -> Budget:
        """Find out at the first line how much may be kept."""
        if self._head is None:
            execution, settings = self._running.execution, get_settings()
            self._line_limit = settings.LOG_MAX_LINE_LENGTH
            lines = settings.LOG_MAX_LINES - self._used.number - 1  # one is for the marker
            size = settings.LOG_MAX_BYTES - self._used.bytes
            left = execution.task.max_attempts - execution.attempt if execution.task else 0
            if left > 0:  # an attempt leaves half of what there is to those that may follow
                lines, size = lines // 2, size // 2
            share, whole = HEAD_SHARE
            self._head = Budget(lines * share // whole, size * share // whole)
            self._tail = Tail(lines - self._head.lines, size - self._head.bytes)
        return self._head

    # --- what goes out --------------------------------------------------------------------------------------------

    def flush_if_due(self) -> None:
        """Write what has come in, unless it was written a moment ago."""
        if self._ready and time.monotonic() - self._flushed >= FLUSH_INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Write what has come in.

        Raises:
            DatabaseError: It could not be written, and is kept for the next time.
        """
        with self._flush_lock:
            self._flushed = time.monotonic()
            with self._lock:
                lines, self._ready = self._ready, []
            if not lines:
                return
            try:
                self._next_number = logs.write(self._running.execution, lines, first=self._next_number)
            except (DatabaseError, InterfaceError):
                with self._lock:
                    self._ready = lines + self._ready
                raise

    def close(self) -> None:
        """Take in unfinished lines and the end that was held back, with a word on what was dropped before it."""
        with self._lock:
            for stream in list(self._partial):
                self._end_line(stream)
            tail = self._tail
            if tail.dropped:
                at = tail.lines[0][1].logged_at if tail.lines else self._running.now()
                marker = f"… {tail.dropped:,} lines dropped here, since an execution's log is limited …"
                self._ready.append(LogLine(at, "WARNING", logger.name, marker))
            self._ready += [line for _size, line in tail.lines]
            self._tail, self._head = Tail(0, 0), Budget(0, 0)

    def report_failure(self, error: Exception) -> None:
        """Say once in the process's own log that lines could not be written."""
        if not self._has_failed:
            self._has_failed = True
            logger.warning("Log lines of execution %s could not be written: %s", self._running.execution.pk, error)


def _text_of(record: logging.LogRecord) -> str:
    """Return what *record* says, with its traceback; whatever is wrong with it is no error of the function."""
    try:
        try:
            message = record.getMessage()
        except Exception as exc:  # noqa: BLE001  (arguments that do not fit, or that cannot be shown)
            message = f"{record.msg} (could not be formatted: {exc})"
        return f"{message}\n{_formatter.formatException(record.exc_info)}" if record.exc_info else message
    except Exception:  # noqa: BLE001  (logging itself passes over such a record)
        return "(a record that could not be formatted)"
