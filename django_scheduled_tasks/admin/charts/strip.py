"""The strip of a day: what ran in the last twelve hours, and what is due in the next twelve.

What is due more often than each five minutes would fill it: each such task is a lane of its own below the marks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi, ngettext
from django.utils.translation import gettext as _

from django_scheduled_tasks.services.queries.executions.timeline import Mark
from django_scheduled_tasks.translation import say_number

STRIP_STEP = timedelta(minutes=10)
STRIP_HALF = timedelta(hours=12)
_LABEL = 34
"""The width of an hour's text."""
MOST_LANES = 4
"""So many tasks that are due often are drawn; of more, the number is said."""
_WIDTH = 864
_MARK, _PITCH, _ROW, _ROWS, _TOP = 4, 6, 11, 4, 12
_LANE, _HOURS = 14, 18
_MISSED = 90
"""As wide is the word about one that was missed."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A task that is due often."""

    ahead: str
    """What comes, in words; empty: nothing."""
    past: str
    """What ran, in words."""
    failed_in: Sequence[int] = ()
    """The steps in which an execution failed."""
    starts_at: datetime | None = None
    """From when on it is due; None: not at all."""


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
    lanes: Sequence[Lane] = ()
    """The most frequent last."""
    missed: Sequence[tuple[datetime, str]] = field(default=())
    """When something was due that was missed, and what, in order of time."""

    def place(self, moment: datetime) -> float:
        """Return the x coordinate of an instant."""
        steps: float = (moment - self.start) / STRIP_STEP
        return round(steps * _PITCH, 1)


def strip_edges(now: datetime) -> list[datetime]:
    """Return the edges of the past steps; the last one is after *now*."""
    size = int(STRIP_STEP.total_seconds())
    floor = now - timedelta(seconds=int(now.timestamp()) % size, microseconds=now.microsecond)
    first = floor - STRIP_HALF
    return [first + STRIP_STEP * number for number in range(int(STRIP_HALF / STRIP_STEP) + 2)]


def day_strip(strip: Strip) -> SafeString:
    """Return the day strip as SVG: past solid, failures lowered, future hollow, a line at the present."""
    rows = min(max(Counter(mark.step for mark in strip.marks).values(), default=0), _ROWS)
    below = _TOP + max(rows, 2) * _ROW + 4  # where the marks end
    missed = list(_missed(strip, below + 8))
    below += 12 if missed else 0
    lanes = strip.lanes[-MOST_LANES:]
    lowest = below + len(lanes) * _LANE + (_LANE if len(strip.lanes) > len(lanes) else 0)
    height, x = lowest + _HOURS, strip.place(strip.now)
    parts = [
        *_held(strip, x, lowest),
        *_hours(strip, lowest),
        *_marks(strip.marks),
        *(_lane(strip, lane, below + place * _LANE) for place, lane in enumerate(lanes)),
        format_html('<path class="dst-now" d="M{} 0V{}"></path>', x, lowest),
        *_unknown(strip, below),
    ]
    texts = [
        *_hour_labels(strip, height),
        _text(x + 4, 8, _("now"), "dst-hour-text"),
        *missed,
        *_lane_texts(strip, lanes, below),
    ]
    if strip.held_until is not None:
        texts.append(_text(x + 8, _TOP + 2 * _ROW, strip.held_text, "dst-text-strong"))
    flip = format_html(' transform="translate({} 0) scale(-1 1)"', _WIDTH) if get_language_bidi() else ""
    return format_html(
        '<svg class="dst-strip" viewBox="0 0 {} {}" role="img" aria-label="{}"><g{}>{}</g>{}</svg>',
        _WIDTH,
        height,
        _sentence(strip),
        flip,
        SafeString("".join(parts)),  # nosec B703  (each part has been escaped)
        SafeString("".join(texts)),  # nosec B703
    )


def _text(x: float, y: float, text: str, style: str, *, anchor: str = "start") -> SafeString:
    """Return a text; where the language is written from right to left its place is mirrored, as the drawing is."""
    if get_language_bidi():
        x, anchor = _WIDTH - x, {"start": "end", "end": "start"}.get(anchor, anchor)
    element = '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>'
    return format_html(element, style, round(x, 1), y, anchor, text)


def _sentence(strip: Strip) -> str:
    lanes = [
        f"{lane.past}; {lane.ahead}" if lane.past and lane.ahead else lane.past or lane.ahead for lane in strip.lanes
    ]
    missed = [text for _at, text in strip.missed]
    return ". ".join(filter(None, [strip_text(strip.marks), *missed, *lanes, strip.held_text]))


def strip_text(marks: Iterable[Mark]) -> str:
    """Return the marks as a sentence."""
    counts = {"ok": 0, "bad": 0, "next": 0, "open": 0}
    for mark in marks:
        counts[mark.kind] += mark.count
    values = {"completed": counts["ok"], "failed": counts["bad"], "running": counts["open"], "due": counts["next"]}
    return _("%(completed)s completed, %(failed)s failed, %(running)s open, %(due)s due in the next 12 hours") % values


# --- the parts of the drawing -------------------------------------------------------------------------------------


def _held(strip: Strip, x: float, lowest: int) -> Iterator[SafeString]:
    """Yield the grey ground of the time in which nothing starts."""
    if strip.held_until is not None:
        end = min(strip.place(strip.held_until), _WIDTH)
        box = '<rect class="dst-held" x="{}" y="{}" width="{}" height="{}"></rect>'
        yield format_html(box, x, _TOP - 2, max(end - x, 0), lowest - _TOP + 2)


def _unknown(strip: Strip, lowest: int) -> Iterator[SafeString]:
    """Yield the grey ground of the time of which not all is known."""
    if strip.complete_until < strip.start + 2 * STRIP_HALF:
        x = strip.place(strip.complete_until)
        box = '<rect class="dst-unknown" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
        yield format_html(box, x, _TOP, max(_WIDTH - x, 0), lowest - _TOP, _("More is due here than is shown."))


def _marks(marks: Sequence[Mark]) -> Iterator[SafeString]:
    """Yield the marks; those of one step go into rows, failures first."""
    order = {"bad": 0, "open": 1, "ok": 2, "next": 3}
    rows: Counter[int] = Counter()
    for mark in sorted(marks, key=lambda item: (item.step, order[item.kind], item.task)):
        row = rows[mark.step]
        rows[mark.step] += 1
        if row >= _ROWS:
            continue
        y = _TOP + row * _ROW + (3 if mark.kind == "bad" else 0)
        x = mark.step * _PITCH
        box = f'x="{x + 1.5}" y="{y + 0.5}" width="{_MARK - 1}" height="7"'  # a hollow box is stroked half outside
        if mark.kind != "next":
            box = f'x="{x + 1}" y="{y}" width="{_MARK}" height="8"'
        title = escape(mark.task if mark.count == 1 else f"{mark.task} × {mark.count}")
        # Kinds are constants, so only the title is escaped; there may be hundreds.
        drawn = f'<rect class="dst-mark dst-mark-{mark.kind}" {box}><title>{title}</title></rect>'
        yield SafeString(drawn)  # nosec B703


def _missed(strip: Strip, y: int) -> Iterator[SafeString]:
    """Yield a word at the place of each one that was missed, as far as they do not cover one another."""
    free = 0.0
    for at, title in strip.missed:
        x = min(max(strip.place(at), _MISSED / 2), _WIDTH - _MISSED / 2)
        if x - _MISSED / 2 >= free:
            free = x + _MISSED / 2
            word = _("missed %(time)s") % {"time": f"{timezone.localtime(at):%H:%M}"}
            text = _text(x, y, f"▲ {word}", "dst-text-warn", anchor="middle")
            yield format_html("<g><title>{}</title>{}</g>", title, text)


def _lane(strip: Strip, lane: Lane, y: int) -> SafeString:
    """Return the line of a task that is due often: solid where it ran, a tick where it failed, dashed ahead."""
    line = y + _LANE - 3
    parts = []
    if lane.past:
        parts.append(format_html('<path class="dst-lane" d="M0 {}H{}"></path>', line, strip.place(strip.now)))
    tick = '<rect class="dst-mark-bad" x="{}" y="{}" width="{}" height="3"></rect>'
    parts += [format_html(tick, step * _PITCH + 1, line + 2, _MARK) for step in lane.failed_in]
    if lane.starts_at is not None:
        x = max(strip.place(lane.starts_at), strip.place(strip.now))
        parts.append(format_html('<path class="dst-lane-next" d="M{} {}.5H{}"></path>', x, line - 1, _WIDTH))
    return SafeString("".join(parts))  # nosec B703


def _lane_texts(strip: Strip, lanes: Sequence[Lane], below: int) -> Iterator[SafeString]:
    x = strip.place(strip.now)
    for place, lane in enumerate(lanes):
        y = below + place * _LANE + _LANE - 6
        yield _text(2, y, lane.past, "dst-text")
        yield _text(x + 8, y, lane.ahead, "dst-text")
    if more := len(strip.lanes) - len(lanes):
        text = ngettext("%(count)s more", "%(count)s more", more) % {"count": say_number(more)}
        yield _text(x + 8, below + len(lanes) * _LANE + _LANE - 4, text, "dst-text")


def _hours(strip: Strip, lowest: int) -> Iterator[SafeString]:
    for x, _hour in _hour_places(strip):
        if 0 <= x <= _WIDTH:
            yield format_html('<path class="dst-hour" d="M{} {}V{}"></path>', x, _TOP - 2, lowest)


def _hour_labels(strip: Strip, height: int) -> Iterator[SafeString]:
    for x, text in _hour_places(strip):
        if 0 <= x <= _WIDTH - _LABEL:
            yield _text(x + 3, height - 3, text, "dst-hour-text")


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
