"""Charts as inline SVG, styled by attributes and classes: a strict Content-Security-Policy allows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi, ngettext
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import Instants
from django_scheduled_tasks.admin.ui.humanize import duration_text
from django_scheduled_tasks.admin.ui.labels import STATUS_COUNTS, TRIGGER_LABELS, label_of
from django_scheduled_tasks.admin.ui.missed import shown_at
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.queries.timeline import Mark, kind_of

BAR, STEP, UP, DOWN = 5, 6, 17, 8
"""Width of a bar, distance between bars, height above the line, depth below it."""
_PERSON = frozenset({"admin", "rerun"})


# --- recent executions --------------------------------------------------------------------------------------------


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
        shape = f'<rect class="dst-hollow" x="{x}.5" y="{UP - 5}.5" width="4" height="4">'
    else:
        height = max(2, round(_seconds(row, say.now) / longest * UP)) if longest else 2
        tone = "dst-run" if kind == "open" else "dst-ok"
        shape = f'<rect class="{tone}" x="{x}" y="{UP - height}" width="{BAR}" height="{height}">'
    bar = f"{shape}<title>{escape(say.title(row))}</title></rect>"
    if row.trigger in _PERSON and kind != "bad":
        bar += f'<circle class="dst-dot" cx="{x + 2}.5" cy="{UP + DOWN - 1}" r="1.5"></circle>'
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


# --- the strip of a day -------------------------------------------------------------------------------------------

STRIP_STEP = timedelta(minutes=10)
STRIP_HALF = timedelta(hours=12)
_MARK, _PITCH, _LANE, _LANES, _TOP = 4, 6, 11, 4, 12


@dataclass(frozen=True, slots=True)
class Strip:
    """The content of the day strip; steps count from its start."""

    start: datetime
    now: datetime
    marks: Sequence[Mark]
    complete_until: datetime
    held_until: datetime | None = None
    """Until when nothing starts, from now on; None: something may."""
    held_text: str = ""

    def place(self, moment: datetime) -> float:
        """Return the x coordinate of an instant."""
        steps: float = (moment - self.start) / STRIP_STEP
        return steps * _PITCH


def strip_edges(now: datetime) -> list[datetime]:
    """Return the edges of the past steps; the last one is after *now*."""
    size = int(STRIP_STEP.total_seconds())
    floor = now - timedelta(seconds=int(now.timestamp()) % size, microseconds=now.microsecond)
    first = floor - STRIP_HALF
    return [first + STRIP_STEP * number for number in range(int(STRIP_HALF / STRIP_STEP) + 2)]


def day_strip(strip: Strip) -> SafeString:
    """Return the day strip as SVG: past solid, failures lowered, future hollow, a line at the present."""
    steps = int(2 * STRIP_HALF / STRIP_STEP)
    width, height = steps * _PITCH, _TOP + _LANES * _LANE + 18
    x = round(strip.place(strip.now), 1)
    parts = [*_held(strip, x, width), *_hours(strip, width, height), *_marks(strip.marks)]
    parts.append(format_html('<path class="dst-now" d="M{} 0V{}"></path>', x, height - 14))
    now_x = width - x + 4 if get_language_bidi() else x + 4
    now = format_html('<text class="dst-hour-text" x="{}" y="8">{}</text>', now_x, _("now"))
    if strip.held_until is not None:
        held = '{}<text class="dst-text-strong" x="{}" y="{}">{}</text>'
        now = format_html(held, now, now_x + (-4 if get_language_bidi() else 4), _TOP + 2 * _LANE, strip.held_text)
    if strip.complete_until < strip.start + 2 * STRIP_HALF:
        from_x = round(strip.place(strip.complete_until), 1)
        parts.append(
            format_html(
                '<rect class="dst-unknown" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
                from_x,
                _TOP,
                max(width - from_x, 0),
                _LANES * _LANE,
                _("More is due here than is shown."),
            )
        )
    flip = format_html(' transform="translate({} 0) scale(-1 1)"', width) if get_language_bidi() else ""
    return format_html(
        '<svg class="dst-strip" viewBox="0 0 {} {}" role="img" aria-label="{}"><g{}>{}</g>{}{}</svg>',
        width,
        height,
        ". ".join(filter(None, [strip_text(strip.marks), strip.held_text])),
        flip,
        format_html_join("", "{}", ((part,) for part in parts)),
        _hour_labels(strip, width, height),
        now,
    )


def _held(strip: Strip, x: float, width: int) -> list[SafeString]:
    """Return the grey ground of the time in which nothing starts."""
    if strip.held_until is None:
        return []
    end = min(round(strip.place(strip.held_until), 1), width)
    box = '<rect class="dst-held" x="{}" y="{}" width="{}" height="{}"></rect>'
    return [format_html(box, x, _TOP - 2, max(end - x, 0), _LANES * _LANE + 6)]


def strip_text(marks: Iterable[Mark]) -> str:
    """Return the day strip as a sentence."""
    counts = {"ok": 0, "bad": 0, "next": 0, "open": 0}
    for mark in marks:
        counts[mark.kind] += mark.count
    values = {"completed": counts["ok"], "failed": counts["bad"], "running": counts["open"], "due": counts["next"]}
    return _("%(completed)s completed, %(failed)s failed, %(running)s open, %(due)s due in the next 12 hours") % values


def _marks(marks: Sequence[Mark]) -> list[SafeString]:
    """Return the marks; those of one step go into lanes, failures first."""
    order = {"bad": 0, "open": 1, "ok": 2, "next": 3}
    lanes: dict[int, int] = {}
    parts = []
    for mark in sorted(marks, key=lambda item: (item.step, order[item.kind], item.task)):
        lane = lanes.get(mark.step, 0)
        lanes[mark.step] = lane + 1
        if lane >= _LANES:
            continue
        y = _TOP + lane * _LANE + (3 if mark.kind == "bad" else 0)
        x = mark.step * _PITCH
        box = f'x="{x + 1.5}" y="{y + 0.5}" width="{_MARK - 1}" height="7"'  # a hollow box is stroked half outside
        if mark.kind != "next":
            box = f'x="{x + 1}" y="{y}" width="{_MARK}" height="8"'
        title = escape(mark.task if mark.count == 1 else f"{mark.task} × {mark.count}")
        # Kinds are constants, so only the title is escaped; there may be hundreds.
        drawn = f'<rect class="dst-mark dst-mark-{mark.kind}" {box}><title>{title}</title></rect>'
        parts.append(SafeString(drawn))  # nosec B703
    return parts


def _hours(strip: Strip, width: int, height: int) -> list[SafeString]:
    return [
        format_html('<path class="dst-hour" d="M{} {}V{}"></path>', round(x, 1), _TOP - 2, height - 14)
        for x, _text in _hour_places(strip)
        if 0 <= x <= width
    ]


def _hour_labels(strip: Strip, width: int, height: int) -> SafeString:
    bidi = get_language_bidi()
    return format_html_join(
        "",
        '<text class="dst-hour-text" x="{}" y="{}">{}</text>',
        (
            (round(width - x - 26 if bidi else x + 3, 1), height - 3, text)
            for x, text in _hour_places(strip)
            if 0 <= x <= width - 20
        ),
    )


def _hour_places(strip: Strip) -> list[tuple[float, str]]:
    """Return every third hour of the current time zone: its x coordinate and its text."""
    found = []
    moment = strip.start.replace(minute=0, second=0, microsecond=0)
    while moment <= strip.start + 2 * STRIP_HALF:
        local = timezone.localtime(moment)
        if local.hour % 3 == 0 and local.minute == 0:
            found.append((strip.place(moment), date_format(local, "H:i")))
        moment += timedelta(minutes=30)
    return found
