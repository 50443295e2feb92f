"""The log of one attempt: what it logs and prints, bounded in memory and written in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, InterfaceError

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.services.running.logs import LogLine
from django_scheduled_tasks.services.running.redaction import CUT, Masker

logger = logging.getLogger(__name__)
FLUSH_INTERVAL = 1.0
"""Seconds between two writes."""
HEAD_SHARE = 3, 4
"""The share of the log that is for its beginning; the rest is for its end, which shows how the function went."""
STDOUT, STDERR = "stdout", "stderr"
_LEVELS = {STDOUT: "INFO", STDERR: "WARNING"}
_formatter = logging.Formatter()


@dataclass
class Budget:
    """How much may still be kept of the log's beginning."""

    lines: int = 0
    bytes: int = 0

    def takes(self, size: int) -> bool:
        """Count a line of *size* bytes, if it still fits."""
        if self.lines < 1 or self.bytes < size:
            return False
        self.lines -= 1
        self.bytes -= size
        return True


@dataclass
class Tail:
    """The last lines, once the budget of the beginning is used up; older ones are dropped and counted."""

    lines_limit: int = 0
    bytes_limit: int = 0
    lines: deque[tuple[int, LogLine]] = field(default_factory=deque)
    bytes: int = 0
    dropped: int = 0

    @property
    def has_begun(self) -> bool:
        """Whether a line did not fit into the beginning."""
        return bool(self.lines or self.dropped)

    def add(self, size: int, line: LogLine) -> None:
        """Add *line*, and drop as many of the oldest as it takes."""
        self.lines.append((size, line))
        self.bytes += size
        while self.lines and (len(self.lines) > self.lines_limit or self.bytes > self.bytes_limit):
            gone, _line = self.lines.popleft()
            self.bytes -= gone
            self.dropped += 1


@dataclass
class Unfinished:
    """A printed line whose line break has not come yet."""

    text: str = ""
    is_cut: bool = False
    """Whether a part of it was not kept."""

    def grow(self, text: str, begin: int, end: int, *, most: int) -> None:
        """Append *text* from *begin* to *end*, at least one character, and keep no more than *most* characters.

        A carriage return starts the line anew, as on a terminal: of a progress bar the last state is kept.
        """
        anew = text.rfind("\r", begin, end - 1) + 1
        if anew or self.text.endswith("\r"):
            self.text, self.is_cut, begin = "", False, max(anew, begin)
        room = max(most - len(self.text), 0)
        self.is_cut |= end - begin > room
        self.text += text[begin : min(end, begin + room)]
        if text[end - 1] == "\r":
            self.text = self.text.rstrip("\r") + "\r"


class Capture:
    """The log of one attempt on its way to the database. Any thread may add lines; one at a time writes them.

    Args:
        execution: Whose log.
        level: The lowest level of logging records that are kept; None: no log is kept at all.
        now: Returns the database's present instant.
        masker: Returns what takes the secrets of the execution out of texts.
    """

    def __init__(
        self, execution: Execution, *, level: int | None, now: Callable[[], datetime], masker: Callable[[], Masker]
    ) -> None:
        self.keeps_anything = level is not None
        self.level = level or 0
        self.used = logs.Used()
        """What earlier attempts have written."""
        self._execution, self._now, self._masker = execution, now, masker
        # Reentrant: a finaliser or a signal handler may log while a line is taken in.
        self._lock = threading.RLock()
        self._flush_lock = threading.Lock()
        self._flushed_at = time.monotonic()
        self._ready: list[LogLine] = []
        self._unfinished: dict[str, Unfinished] = {}
        self._head: Budget | None = None
        self._tail = Tail()
        self._line_limit = 0
        self._next_number: int | None = None
        self._has_failed = False

    # --- what comes in --------------------------------------------------------------------------------------------

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a logging record, with the traceback it carries."""
        self.add(record.levelname, record.name, _text_of(record))

    def add(self, level: str, name: str, message: str) -> None:
        """Keep one line; it may have line breaks."""
        if not self.keeps_anything:
            return
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
        if begin < end:
            self._begin()
            most = self._line_limit + 1 + self._masker().longest  # so that a secret at the end is whole, and masked
            self._unfinished.setdefault(stream, Unfinished()).grow(text, begin, end, most=most)

    def _end_line(self, stream: str) -> None:
        line = self._unfinished.pop(stream, Unfinished())
        self._add(_LEVELS[stream], stream, line.text.rstrip("\r"), is_cut=line.is_cut)

    def _add(self, level: str, name: str, message: str, *, is_cut: bool = False) -> None:
        head, masker = self._begin(), self._masker()
        message = masker(message)
        if is_cut:  # its end may be the beginning of a secret
            message = message[: max(len(message) - masker.longest, 0)]
        if is_cut or len(message) > self._line_limit:
            message = f"{message[: self._line_limit - len(CUT) - 1]} {CUT}"
        size = len(message.encode("utf-8", "replace"))
        line = LogLine(self._now(), level, name, message)
        if not self._tail.has_begun and head.takes(size):
            self._ready.append(line)
        else:
            self._tail.add(size, line)

    def _begin(self) -> Budget:
        """Set at the first line how much may be kept; return the budget of the beginning."""
        if self._head is None:
            execution, settings = self._execution, get_settings()
            self._line_limit = settings.LOG_MAX_LINE_LENGTH
            lines = settings.LOG_MAX_LINES - self.used.number - 1  # one is for the line that says what was dropped
            size = settings.LOG_MAX_BYTES - self.used.bytes
            attempts_left = execution.task.max_attempts - execution.attempt if execution.task else 0
            if attempts_left > 0:  # they may need the other half
                lines, size = lines // 2, size // 2
            share, whole = HEAD_SHARE
            self._head = Budget(lines * share // whole, size * share // whole)
            self._tail = Tail(lines - self._head.lines, size - self._head.bytes)
        return self._head

    # --- what goes out --------------------------------------------------------------------------------------------

    def flush_if_due(self) -> None:
        """Write the new lines, unless some were written a moment ago.

        Raises:
            DatabaseError: They could not be written, and are kept for the next time.
        """
        if self._ready and time.monotonic() - self._flushed_at >= FLUSH_INTERVAL:
            self._flush()

    def flush(self) -> None:
        """Write the new lines; if that fails, log it once in the process's own log."""
        try:
            self._flush()
        except Exception as exc:  # noqa: BLE001  (whatever it is, how the attempt ended must still be recorded)
            if not self._has_failed:
                self._has_failed = True
                logger.warning("Log lines of execution %s could not be written: %s", self._execution.pk, exc)

    def _flush(self) -> None:
        with self._flush_lock:
            self._flushed_at = time.monotonic()
            with self._lock:
                lines, self._ready = self._ready, []
            if not lines:
                return
            first = self.used.number + 1 if self._next_number is None else self._next_number
            try:
                self._next_number = logs.write(self._execution, lines, first=first)
            except (DatabaseError, InterfaceError):
                with self._lock:
                    self._ready = lines + self._ready
                raise

    def close(self) -> None:
        """End unfinished lines, and add the end of the log, with a line that says how many were dropped before it."""
        with self._lock:
            for stream in list(self._unfinished):
                self._end_line(stream)
            tail = self._tail
            if tail.dropped:
                at = tail.lines[0][1].logged_at if tail.lines else self._now()
                self._ready.append(logs.dropped_line(at, tail.dropped))
            self._ready += [line for _size, line in tail.lines]
            self._tail, self._head = Tail(), Budget()


def _text_of(record: logging.LogRecord) -> str:
    """Return the message of *record* with its traceback; a record that cannot be formatted raises nothing."""
    try:
        try:
            message = record.getMessage()
        except Exception as exc:  # noqa: BLE001  (arguments that do not fit, or that cannot be shown)
            message = f"{record.msg} (could not be formatted: {exc})"
        return f"{message}\n{_formatter.formatException(record.exc_info)}" if record.exc_info else message
    except Exception:  # noqa: BLE001  (logging itself passes over such a record)
        return "(a record that could not be formatted)"
