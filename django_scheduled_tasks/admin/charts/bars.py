"""The recent executions of a task as bars: inline SVG, styled by attributes and classes, as a strict policy allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi, ngettext
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import Instants
from django_scheduled_tasks.admin.ui.missed import shown_at
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.admin.ui.text.labels import STATUS_COUNTS, TRIGGER_LABELS, label_of
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries.executions.timeline import kind_of

BAR, STEP, UP, DOWN = 4, 5, 17, 8
"""Width of a bar, distance between bars, height above the line, depth below it."""
_PERSON = frozenset({"admin", "rerun"})


def recent_bars(executions: Sequence[Execution], say: Titles, *, count: int = 20) -> SafeString:
    """Return the newest *count* executions as bars, newest at the end.

    A completed execution stands on the line, its height is its duration. A failure hangs below the line, so that the
    chart reads without colour. One that never ran is a hollow square. A dot marks one that a person started.
    """
    shown = list(executions[:count])
    longest = max((_seconds(row, say.now) for row in shown), default=0.0)
    width, is_bidi = count * STEP, get_language_bidi()
    parts = [f'<path class="dst-line" d="M0 {UP}.5H{width}"></path>']
    for place, row in enumerate(shown):
        x = place * STEP if is_bidi else width - (place + 1) * STEP + 1
        parts.append(_bar(row, x, longest, say))
    return format_html(
        '<svg class="dst-bars" width="{}" height="{}" viewBox="0 -3 {} {}" role="img" aria-label="{}">{}</svg>',
        width,
        UP + DOWN + 4,
        width,
        UP + DOWN + 4,
        recent_text(shown),
        SafeString("".join(parts)),  # nosec B703  (each part has been escaped)
    )


def _bar(row: Execution, x: int, longest: float, say: Titles) -> str:
    """Return one bar. A page has about a thousand, so only the title is escaped: the rest are numbers and constants."""
    kind = kind_of(row.status, row.outcome)
    if kind == "bad":
        shape = f'<rect class="dst-bad" x="{x}" y="{UP + 1}" width="{BAR}" height="{DOWN - 1}">'
    elif kind == "other" or row.started_at is None:
        shape = f'<rect class="dst-hollow" x="{x}.5" y="{UP - 4}.5" width="3" height="3">'
    else:
        height = max(2, round(_seconds(row, say.now) / longest * UP)) if longest else 2
        tone = "dst-run" if kind == "open" else "dst-ok"
        shape = f'<rect class="{tone}" x="{x}" y="{UP - height}" width="{BAR}" height="{height}">'
    bar = f"{shape}<title>{escape(say.title(row))}</title></rect>"
    if row.trigger in _PERSON and kind != "bad":
        bar += f'<circle class="dst-dot" cx="{x + 2}" cy="{UP + DOWN - 1}" r="1.5"></circle>'
    return bar


def _seconds(row: Execution, now: datetime) -> float:
    if row.started_at is None:
        return 0.0
    seconds: float = ((row.completed_at or now) - row.started_at).total_seconds()
    return max(seconds, 0.0)


class Titles:
    """Makes the titles of bars; labels and dates are looked up once for all bars of a page."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._instants = Instants(now)
        self._labels: dict[str, str] = {}

    def title(self, row: Execution) -> str:
        """Return the title of one bar: #80, Completed, 8.0 s, today 03:00:00."""
        word = label_of(row.status, row.outcome, row.attempt)
        label = self._labels.get(word.key) or self._labels.setdefault(word.key, str(word.label))
        parts = [f"#{row.pk}", label]
        if row.started_at is not None:
            parts.append(duration_text(_seconds(row, self.now)))
        parts.append(self._instants.text(shown_at(row), seconds=True))
        if row.trigger in _PERSON:
            parts.append(str(TRIGGER_LABELS[row.trigger]))
        return ", ".join(parts)


def recent_text(executions: Sequence[Execution]) -> str:
    """Return the chart as a sentence: Last 20 executions: 17 completed, 2 failed, 1 missed."""
    if not executions:
        return _("No executions yet")
    counts: dict[str, int] = {}
    for row in executions:
        key = label_of(row.status, row.outcome, row.attempt).key
        counts[key] = counts.get(key, 0) + 1
    number = len(executions)
    head = ngettext("Last execution", "Last %(count)s executions", number) % {"count": number}
    return f"{head}: {', '.join(str(STATUS_COUNTS[key] % {'count': count}) for key, count in counts.items())}"
