"""The log and the traceback on the page of an execution."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.models import Execution, ExecutionLog
from django_scheduled_tasks.services.running import logs
from django_scheduled_tasks.translation import say_number

LOG_BYTES = 65_536
"""The page shows about this much of a log; all of it can be downloaded."""
LOG_LINES = 2_000
_EACH = 40
"""How many bytes a line needs beside its message."""
LIBRARY = "(library) "
_FRAME = re.compile(r"^\s*(?:\|\s*)*\(library\) File ")


def newest_lines(row: Execution, after: int = 0) -> list[ExecutionLog]:
    """Return the newest lines after number *after*, in order, at most :data:`LOG_LINES`."""
    return list(logs.lines_after(row, after).order_by("-number")[:LOG_LINES])[::-1]


def note_on_page(row: Execution, lines: Sequence[ExecutionLog], shown: Sequence[ExecutionLog]) -> str:
    """Return what the page has to say of a log of which it has read *lines* and shows some; empty: it is all there."""
    is_cut = len(shown) < len(lines) or (bool(lines) and lines[0].number > 1)
    return log_note(logs.kept(row) if is_cut else logs.kept_of(lines), is_cut=is_cut, is_open=row.is_open)


def note_at_end(row: Execution) -> str:
    """Return the same of an execution that has ended while its page was open; two statements."""
    kept = logs.kept(row)
    is_cut = kept.lines > LOG_LINES or kept.size + _EACH * kept.lines > LOG_BYTES
    return log_note(kept, is_cut=is_cut, is_open=False)


def log_note(kept: logs.Kept, *, is_cut: bool, is_open: bool) -> str:
    """Return which part of a log is shown, and which is in the download."""
    values = {"dropped": say_number(kept.dropped), "kept": say_number(kept.lines)}
    if kept.dropped:
        said = ngettext(
            "%(dropped)s line was dropped; the download has the %(kept)s that were kept.",
            "%(dropped)s lines were dropped; the download has the %(kept)s that were kept.",
            kept.dropped,
        )
        return " ".join([_("Only the end is shown."), said % values] if is_cut else [said % values])
    if not is_cut:
        return ""
    if is_open:
        return _("Only the end is shown; what was kept until now is in the download.")
    return _("Only the end is shown; all %(kept)s lines are in the download.") % values


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
        size += len(lines[place].message.encode()) + _EACH
        if size > room:
            return lines[place + 1 :]
    return lines
