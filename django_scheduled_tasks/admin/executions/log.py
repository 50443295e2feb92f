"""The log and the traceback of an execution, as its page shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from django_scheduled_tasks.models import Execution, ExecutionLog
from django_scheduled_tasks.services.running import logs

LOG_BYTES = 65_536
"""About how much of a log the page shows; the rest is to be downloaded."""
LOG_LINES = 2_000
LIBRARY = "(library) "
_FRAME = re.compile(r"^\s*(?:\|\s*)*\(library\) File ")


def newest_lines(row: Execution, after: int = 0) -> list[ExecutionLog]:
    """Return the newest lines after the one with this number, in order, as many as the page may show."""
    return list(logs.lines_after(row, after).order_by("-number")[:LOG_LINES])[::-1]


def own_frames(traceback: str) -> str:
    """Return *traceback* without the frames of libraries; empty if there is no other, or nothing to leave out."""
    shown: list[str] = []
    skipping = False
    for line in traceback.splitlines():
        if _FRAME.match(line):
            skipping = True
        elif not (skipping and line.startswith("    ")):
            skipping = False
            shown.append(line)
    own = "\n".join(shown)
    return own if 'File "' in own and own != traceback.rstrip("\n") else ""


def draw_lines(lines: Sequence[ExecutionLog]) -> SafeString:
    """Return lines of a log; the level is a word, and a class for its colour."""
    return format_html_join(
        "",
        '<div class="dst-log-line dst-level-{}" data-number="{}"><time datetime="{}">{}</time> <b>{}</b> {}</div>',
        (
            (
                line.level.lower() if line.level.isalpha() else "info",
                line.number,
                line.logged_at.isoformat(),
                timezone.localtime(line.logged_at).strftime("%H:%M:%S"),
                line.level,
                line.message,
            )
            for line in lines
        ),
    )


def fitting(lines: Sequence[ExecutionLog], room: int = LOG_BYTES) -> Sequence[ExecutionLog]:
    """Return as many of the last *lines* as fit on a page."""
    size = 0
    for place in range(len(lines) - 1, -1, -1):
        size += len(lines[place].message.encode()) + 40
        if size > room:
            return lines[place + 1 :]
    return lines
