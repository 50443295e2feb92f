"""How long a task took: one dot a run, or one a day, with what is usual and from when on it is an alert; inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import get_language_bidi, ngettext, pgettext
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.text.humanize import duration_text, whole_duration_text
from django_scheduled_tasks.admin.ui.text.labels import STATUS_COUNTS
from django_scheduled_tasks.services.queries.executions.durations import Day, Durations, Run
from django_scheduled_tasks.services.queries.executions.year import Week

_WIDTH, _HEIGHT = 864, 156
_LEFT, _RIGHT, _TOP, _BASE = 66, 858, 16, 118
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 14_400, 28_800, 43_200, 86_400),
)
"""Seconds between two lines of the scale."""
MOST_LINES = 4
FAR = 4
"""A limit that is so many times as high as the highest dot is not drawn to scale: it would flatten all of them."""
MOST_NAMED = 5
"""So many runs that took too long bear their number, the longest ones."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One dot, and what stands below the line at its place."""

    title: str
    href: str
    took: timedelta | None = None
    longest: timedelta | None = None
    """Where a stroke from the dot ends."""
    failed: bool = False
    hollow: bool = False
    label: str = ""
    """Stands beside it."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn; the places of the dots are equally far from one another."""

    dots: Sequence[Dot]
    text: str
    """The whole in words."""
    dates: Sequence[date]
    """That of the first, of the one in the middle, and of the last dot."""
    usual: timedelta | None = None
    within: timedelta | None = None
    limit: timedelta | None = None

    @property
    def highest(self) -> timedelta:
        """The longest duration that has to be seen."""
        seen = [one for dot in self.dots for one in (dot.took, dot.longest) if one is not None]
        most = max([*seen, self.within or timedelta(0)], default=timedelta(0))
        return max(most, self.limit) if self.limit is not None and self.limit <= FAR * most else most


def plot_of_runs(found: Durations, links: Sequence[str], texts: Sequence[str]) -> Plot:
    """Return the plot of single runs.

    Args:
        found: The runs.
        links: To each of them, or empty.
        texts: Each of them in words.
    """
    limit = found.limit
    over = [run for run in found.runs if limit is not None and run.took is not None and run.took > limit]
    over = sorted(over, key=lambda run: run.took or timedelta(0))[-MOST_NAMED:]
    dots = [
        Dot(
            text,
            link,
            run.took if run.kind == "ok" else None,
            failed=run.kind == "bad",
            hollow=run.kind == "other",
            label=f"#{run.number}, {duration_text(run.took)}" if run in over and run.kind == "ok" and run.took else "",
        )
        for run, link, text in zip(found.runs, links, texts, strict=True)
    ]
    return Plot(dots, text_of_runs(found), _three(found.runs), found.usual, found.within, limit)


def _three(runs: Sequence[Run]) -> list[date]:
    return [localtime(runs[place].at).date() for place in (0, len(runs) // 2, -1)] if runs else []


def plot_of_days(days: Sequence[Day], found: Durations, links: Sequence[str], texts: Sequence[str]) -> Plot:
    """Return the plot of days: the median, and a stroke to the longest; else as :func:`plot_of_runs`."""
    dots = [
        Dot(
            text,
            link,
            day.median,
            max(day.took, default=None),
            failed=day.failed > 0,
            hollow=not day.took and day.others > 0,
        )
        for day, link, text in zip(days, links, texts, strict=True)
    ]
    dates = [days[place].day for place in (0, len(days) // 2, -1)]
    return Plot(
        dots,
        _("Durations of the last %(count)s days") % {"count": len(days)},
        dates,
        found.usual,
        found.within,
        found.limit,
    )


def plot_of_weeks(weeks: Sequence[Week], found: Durations, texts: Sequence[str]) -> Plot:
    """Return the plot of weeks: the mean, and a stroke to the longest; what happened then may no longer be kept."""
    dots = [
        Dot(text, "", week.mean, week.longest, failed=week.failed > 0, hollow=not week.ran and week.others > 0)
        for week, text in zip(weeks, texts, strict=True)
    ]
    dates = [weeks[place].day for place in (0, len(weeks) // 2, -1)]
    return Plot(dots, _("Durations of the last year, by week"), dates, found.usual, found.within, found.limit)


def text_of_runs(found: Durations) -> str:
    """Return the plot in words: 100 runs: 97 completed, 2 failed, 1 missed or skipped; usually 21 s, longest 51 s."""
    count = len(found.runs)
    failed, others = (sum(run.kind == kind for run in found.runs) for kind in ("bad", "other"))
    parts = [str(STATUS_COUNTS["completed"] % {"count": len(found.succeeded)})]
    if failed:
        parts.append(str(STATUS_COUNTS["failed"] % {"count": failed}))
    if others:
        parts.append(ngettext("%(count)s did not run", "%(count)s did not run", others) % {"count": others})
    said = ngettext("%(count)s run", "%(count)s runs", count) % {"count": count}
    ends = []
    if found.usual is not None:
        ends.append(_("usually %(duration)s") % {"duration": duration_text(found.usual)})
    if found.longest is not None and found.longest.took is not None:
        ends.append(_("longest %(duration)s") % {"duration": duration_text(found.longest.took)})
    return "; ".join(filter(None, [f"{said}: {', '.join(parts)}", ", ".join(ends)]))


# --- drawing ------------------------------------------------------------------------------------------------------


def draw(plot: Plot) -> SafeString:
    """Return the plot as SVG. Its dots are links for the mouse; for the keyboard the same stands in a table."""
    scale = _Scale(plot.highest.total_seconds())
    parts = [*_lines(plot, scale), *_dots(plot, scale)]
    texts = [*_scale_texts(scale), *_line_texts(plot, scale), *_date_texts(plot), *_labels(plot, scale)]
    flip = format_html(' transform="translate({} 0) scale(-1 1)"', _WIDTH) if get_language_bidi() else ""
    return format_html(
        '<svg class="dst-durations" viewBox="0 0 {} {}" role="group" aria-label="{}"><g{}>{}</g>{}</svg>',
        _WIDTH,
        _HEIGHT,
        plot.text,
        flip,
        SafeString("".join(parts)),  # nosec B703  (each part has been escaped)
        SafeString("".join(texts)),  # nosec B703
    )


class _Scale:
    """Seconds as y coordinates."""

    def __init__(self, highest: float) -> None:
        self.step = next((step for step in _STEPS if step * MOST_LINES >= highest), _STEPS[-1])
        while self.step * MOST_LINES < highest:
            self.step *= 2
        self.count = max(1, -int(-highest // self.step))

    def y(self, took: timedelta) -> float:
        part = took.total_seconds() / (self.step * self.count)
        return round(_BASE - part * (_BASE - _TOP), 1)


def _x(plot: Plot, place: int) -> float:
    return round(_RIGHT - (len(plot.dots) - 1 - place + 0.5) * (_RIGHT - _LEFT) / max(len(plot.dots), 20), 1)


def _lines(plot: Plot, scale: _Scale) -> Iterator[SafeString]:
    for number in range(scale.count + 1):
        y = scale.y(timedelta(seconds=number * scale.step))
        yield format_html('<path class="dst-hour" d="M{} {}H{}"></path>', _LEFT, y, _RIGHT)
    if plot.usual is not None and plot.within is not None:
        top, bottom = scale.y(plot.within), scale.y(plot.usual)
        band = '<rect class="dst-usual-band" x="{}" y="{}" width="{}" height="{}"></rect>'
        yield format_html(band, _LEFT, top, _RIGHT - _LEFT, round(bottom - top, 1))
        yield format_html('<path class="dst-usual" d="M{} {}H{}"></path>', _LEFT, bottom, _RIGHT)
    if plot.limit is not None and plot.limit <= plot.highest:
        y = scale.y(plot.limit)
        yield format_html('<path class="dst-alert-line" d="M{} {}H{}"></path>', _LEFT, y, _RIGHT)


def _dots(plot: Plot, scale: _Scale) -> Iterator[SafeString]:
    """Yield the dots; there are about a hundred, so what comes from people is escaped, and the rest are numbers."""
    for place, dot in enumerate(plot.dots):
        x, shapes = _x(plot, place), []
        if dot.took is not None:
            y = scale.y(dot.took)
            if dot.longest is not None and dot.longest > dot.took:
                shapes.append(f'<path class="dst-stroke" d="M{x} {y}V{scale.y(dot.longest)}"></path>')
            shapes.append(f'<circle class="dst-ok" cx="{x}" cy="{y}" r="2.5"></circle>')
        if dot.failed:
            shapes.append(f'<rect class="dst-bad" x="{x - 2}" y="{_BASE + 4}" width="4" height="9"></rect>')
        if dot.hollow:
            shapes.append(f'<rect class="dst-hollow" x="{x - 2}" y="{_BASE - 5}" width="4" height="4"></rect>')
        if not shapes:
            continue
        title = escape(dot.title)
        inner = f"<title>{title}</title>{''.join(shapes)}"
        if dot.href:
            inner = f'<a href="{escape(dot.href)}" tabindex="-1" aria-label="{title}">{inner}</a>'
        yield SafeString(f"<g>{inner}</g>" if not dot.href else inner)  # nosec B703


def _text(x: float, y: float, text: str, style: str = "dst-text", anchor: str = "start") -> SafeString:
    if get_language_bidi():
        x, anchor = _WIDTH - x, {"start": "end", "end": "start"}.get(anchor, anchor)
    element = '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>'
    return format_html(element, style, round(x, 1), round(y, 1), anchor, text)


def _scale_texts(scale: _Scale) -> Iterator[SafeString]:
    yield _text(_LEFT - 6, _BASE + 3, "0", anchor="end")
    for number in range(1, scale.count + 1):
        took = timedelta(seconds=number * scale.step)
        yield _text(_LEFT - 6, scale.y(took) + 3, whole_duration_text(took), anchor="end")


def _line_texts(plot: Plot, scale: _Scale) -> Iterator[SafeString]:
    if plot.usual is not None and plot.within is not None:
        values = {"usual": duration_text(plot.usual), "within": duration_text(plot.within)}
        text = _("usually %(usual)s, p95 %(within)s") % values
        yield _text(_RIGHT - 4, scale.y(plot.within) - 4, text, "dst-text-strong", "end")
    if plot.limit is not None:
        text = _("alert at %(duration)s") % {"duration": duration_text(plot.limit)}
        is_drawn = plot.limit <= plot.highest
        y = scale.y(plot.limit) - 4 if is_drawn else _TOP - 6
        yield _text(_RIGHT - 4, y, text if is_drawn else f"↑ {text}", "dst-text-warn", "end")


def _date_texts(plot: Plot) -> Iterator[SafeString]:
    written = pgettext("date format", "M j")
    x = (_x(plot, 0), _x(plot, len(plot.dots) // 2), _x(plot, len(plot.dots) - 1)) if plot.dots else ()
    shown = ""
    for day, place, anchor in zip(plot.dates, x, ("start", "middle", "end"), strict=False):
        text = date_format(day, written)
        if text != shown:
            is_at_end = place > _RIGHT - 40  # of few runs the first is there, too
            yield _text(place, _HEIGHT - 4, text, anchor="end" if is_at_end else anchor)
        shown = text


def _labels(plot: Plot, scale: _Scale) -> Iterator[SafeString]:
    """Yield the numbers of those that took too long, as far as they do not cover one another."""
    last = -1_000.0
    for place, dot in enumerate(plot.dots):
        if dot.label and dot.took is not None and _x(plot, place) - last > 110:  # noqa: PLR2004  (as wide is a label)
            x = last = _x(plot, place)
            is_left = x > _LEFT + 120
            yield _text(
                x + (-6 if is_left else 6),
                scale.y(dot.took) + 3,
                dot.label,
                "dst-text-strong",
                "end" if is_left else "start",
            )
