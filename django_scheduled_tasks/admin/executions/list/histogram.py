"""Charts of the history: the number of executions over time, and a duration compared with the usual one."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import Instants, instant_text, zone_name
from django_scheduled_tasks.admin.ui.text.humanize import duration_text
from django_scheduled_tasks.services.queries.executions.timeline import Bucket
from django_scheduled_tasks.translation import say_number

_COLUMN, _COLUMN_UP, _COLUMN_DOWN = 13, 44, 18


def histogram(buckets: Sequence[Bucket], links: Sequence[str]) -> SafeString:
    """Return stacked bars, completed up and failed down, with axis and legend; each bar is a link to its range."""
    return format_html("{}{}{}", _bars(buckets, links), _axis(buckets), _legend(buckets))


def _bars(buckets: Sequence[Bucket], links: Sequence[str]) -> SafeString:
    most = _tallest(buckets) or 1
    width, height = len(buckets) * _COLUMN, _COLUMN_UP + _COLUMN_DOWN + 2
    parts = []
    for place, (bucket, link) in enumerate(zip(buckets, links, strict=True)):
        x = (len(buckets) - 1 - place if get_language_bidi() else place) * _COLUMN
        parts.append(_column(bucket, link, x, most, height))
    return format_html(
        '<svg class="dst-histogram" viewBox="0 0 {} {}" preserveAspectRatio="none" role="group" aria-label="{}">'
        '<path class="dst-line" d="M0 {}.5H{}"></path>{}</svg>',
        width,
        height,
        _("Executions over time"),
        _COLUMN_UP,
        width,
        format_html_join("", "{}", ((part,) for part in parts)),
    )


def _tallest(buckets: Sequence[Bucket]) -> int:
    return max((max(item.completed + item.other, item.failed) for item in buckets), default=0)


def _axis(buckets: Sequence[Bucket]) -> SafeString:
    """Return the instants below the bars: the ends and three between them."""
    edges = [item.start for item in buckets] + [buckets[-1].end]
    instants, step = Instants(), max(len(buckets) // 4, 1)
    labels = format_html_join("", "<span>{}</span>", ((instants.text(edge),) for edge in edges[::step]))
    return format_html('<div class="dst-axis" aria-hidden="true">{}</div>', labels)


def _legend(buckets: Sequence[Bucket]) -> SafeString:
    """Return what the colours mean, with numbers, and the range in words."""
    about = "≈ " if any(item.is_estimated for item in buckets) else ""
    texts = [
        ("dst-ok", _("%(count)s completed, up"), sum(item.completed for item in buckets)),
        ("dst-bad", _("%(count)s failed, down"), sum(item.failed for item in buckets)),
        ("dst-hollow-fill", _("%(count)s others"), sum(item.other for item in buckets)),
    ]
    keys = format_html_join(
        "",
        '<span><svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true" focusable="false">'
        '<rect class="{}" width="10" height="10"></rect></svg>{}</span>',
        ((tone, text % {"count": f"{about}{say_number(count)}"}) for tone, text, count in texts),
    )
    words = _("%(begin)s – %(end)s, %(zone)s. A bar is %(duration)s; the tallest has %(most)s.") % {
        "begin": instant_text(buckets[0].start),
        "end": instant_text(buckets[-1].end),
        "zone": zone_name(),
        "duration": duration_text(buckets[0].end - buckets[0].start),
        "most": f"{about}{say_number(_tallest(buckets))}",
    }
    return format_html('<p class="dst-legend">{}<span>{}</span></p>', keys, words)


def _column(bucket: Bucket, link: str, x: int, most: int, height: int) -> SafeString:
    up = _scaled(bucket.completed, most, _COLUMN_UP)
    other = _scaled(bucket.other, most, _COLUMN_UP - up)
    down = _scaled(bucket.failed, most, _COLUMN_DOWN)
    title = bucket_text(bucket)
    rects = [
        format_html('<rect class="{}" x="{}" y="{}" width="10" height="{}"></rect>', tone, x + 1, y, size)
        for tone, y, size in (
            ("dst-ok", _COLUMN_UP - up, up),
            ("dst-hollow-fill", _COLUMN_UP - up - other, other),
            ("dst-bad", _COLUMN_UP + 1, down),
        )
        if size
    ]
    return format_html(
        '<a href="{}" aria-label="{}"><title>{}</title><rect class="dst-catch" x="{}" y="0" width="{}" height="{}">'
        "</rect>{}</a>",
        link,
        title,
        title,
        x,
        _COLUMN,
        height,
        format_html_join("", "{}", ((rect,) for rect in rects)),
    )


def _scaled(number: int, most: int, room: int) -> int:
    return max(1, round(number / most * room)) if number and room > 0 else 0


def bucket_text(bucket: Bucket) -> str:
    """Return one bar as a sentence."""
    about = "≈" if bucket.is_estimated else ""
    values = {
        "start": instant_text(bucket.start),
        **{
            name: f"{about}{count}"
            for name, count in (("completed", bucket.completed), ("failed", bucket.failed), ("other", bucket.other))
        },
    }
    return _("From %(start)s: %(completed)s completed, %(failed)s failed, %(other)s others") % values


def duration_bar(seconds: float, usual: float | None) -> SafeString:
    """Return a bar whose full width of 60 px is twice the usual duration; a tick marks the usual one."""
    if not usual:
        return SafeString("")
    filled = max(1, min(60, round(seconds / usual * 30)))
    return format_html(
        '<svg class="dst-duration" width="60" height="8" viewBox="0 0 60 8" aria-hidden="true" focusable="false">'
        '<rect class="dst-track" x="0" y="2" width="60" height="4"></rect>'
        '<rect class="{}" x="0" y="2" width="{}" height="4"></rect><path class="dst-tick" d="M30.5 0V8"></path></svg>',
        "dst-warn" if seconds > 2 * usual else "dst-fill",
        filled,
    )
