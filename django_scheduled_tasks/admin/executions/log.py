"""The log and the traceback on the page of an execution."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from django_scheduled_tasks.models import Execution, ExecutionLog
from django_scheduled_tasks.services.running import logs

LOG_BYTES = 65_536
"""The page shows about this much of a log; all of it can be downloaded."""
LOG_LINES = 2_000
LIBRARY = "(library) "
_FRAME = re.compile(r"^\s*(?:\|\s*)*\(library\) File ")


def newest_lines(row: Execution, after: int = 0) -> list[ExecutionLog]:
    """Return the newest lines after number *after*, in order, at most :data:`LOG_LINES`."""
    return list(logs.lines_after(row, after).order_by("-number")[:LOG_LINES])[::-1]


def own_frames(traceback: str) -> str:
    """Return *traceback* without library frames; empty if there are no others, or no library frames."""
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


def render_lines(lines: Sequence[ExecutionLog]) -> SafeString:
    """Return log lines as HTML; the level is shown as a word and as a CSS class."""
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


def fit_on_page(lines: Sequence[ExecutionLog], room: int = LOG_BYTES) -> Sequence[ExecutionLog]:
    """Return the last *lines* that fit into *room* bytes."""
    size = 0
    for place in range(len(lines) - 1, -1, -1):
        size += len(lines[place].message.encode()) + 40
        if size > room:
            return lines[place + 1 :]
    return lines
