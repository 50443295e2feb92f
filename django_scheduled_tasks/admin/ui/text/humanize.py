"""Durations, distances in time and percentages as text for people."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import npgettext_lazy

_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3_600.0, 86_400.0
# The same texts as the browser's Intl.RelativeTimeFormat, so that nothing flickers when the script takes over.
_AHEAD = {
    _SECOND: npgettext_lazy("time", "in %(number)s s", "in %(number)s s", "number"),
    _MINUTE: npgettext_lazy("time", "in %(number)s min", "in %(number)s min", "number"),
    _HOUR: npgettext_lazy("time", "in %(number)s h", "in %(number)s h", "number"),
    _DAY: npgettext_lazy("time", "in %(number)s d", "in %(number)s d", "number"),
}
_AGO = {
    _SECOND: npgettext_lazy("time", "%(number)s s ago", "%(number)s s ago", "number"),
    _MINUTE: npgettext_lazy("time", "%(number)s min ago", "%(number)s min ago", "number"),
    _HOUR: npgettext_lazy("time", "%(number)s h ago", "%(number)s h ago", "number"),
    _DAY: npgettext_lazy("time", "%(number)s d ago", "%(number)s d ago", "number"),
}


def percentage(current: int | None, total: int | None) -> int | None:
    """Return progress in per cent, 0 to 100; None without a total."""
    if current is None or not total or total < 0:
        return None
    return max(0, min(100, current * 100 // total))


def percent_text(number: int) -> str:
    """Return a percentage as the language writes it: 62%, 62 %, %62."""
    return _("%(number)s%%") % {"number": number}


def duration_text(duration: timedelta | float) -> str:
    """Return a duration in at most two units: 340 ms, 8.0 s, 2 min 51 s, 3 h 10 min, 2 d 4 h."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:  # noqa: PLR2004  (rounds to a second)
        return _("%(number)s ms") % {"number": round(seconds * 1000)}
    if seconds < 59.95:  # noqa: PLR2004
        return _("%(number)s s") % {"number": f"{seconds:.1f}".replace(".", get_format("DECIMAL_SEPARATOR"))}
    whole = round(seconds)
    if whole < _HOUR:
        return _two(_("%(number)s min"), whole // 60, _("%(number)s s"), whole % 60)
    if whole < _DAY:
        return _two(_("%(number)s h"), whole // 3_600, _("%(number)s min"), whole % 3_600 // 60)
    return _two(_("%(number)s d"), whole // 86_400, _("%(number)s h"), whole % 86_400 // 3_600)


def whole_duration_text(duration: timedelta) -> str:
    """Return the same without tenths of a second, where there are none: 50 s."""
    seconds = duration.total_seconds()
    is_whole = 1 <= seconds < _MINUTE and seconds == int(seconds)
    return short_duration_text(duration) if is_whole else duration_text(duration)


def short_duration_text(duration: timedelta | float) -> str:
    """Return a duration in one whole unit: 2 s, 7 min, 6 h, 23 d."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    seconds = max(seconds, 0.0)
    if seconds < _MINUTE:
        return _("%(number)s s") % {"number": int(seconds)}
    if seconds < _HOUR:
        return _("%(number)s min") % {"number": int(seconds // _MINUTE)}
    if seconds < _DAY:
        return _("%(number)s h") % {"number": int(seconds // _HOUR)}
    return _("%(number)s d") % {"number": int(seconds // _DAY)}


def distance_text(moment: datetime, now: datetime) -> str:
    """Return the distance of *moment* from *now*: in 6 h, 7 min ago."""
    seconds = abs((moment - now).total_seconds())
    size = next((size for size in (_DAY, _HOUR, _MINUTE) if seconds >= size), _SECOND)
    number = int(seconds // size)
    return str((_AHEAD if moment > now else _AGO)[size] % {"number": number})


def units() -> tuple[str, str, str]:
    """Return the texts of seconds, minutes and hours with ``#`` for the number, for the script that counts."""
    return (
        _("%(number)s s") % {"number": "#"},
        _("%(number)s min") % {"number": "#"},
        _("%(number)s h") % {"number": "#"},
    )


def _two(first: str, number: int, second: str, rest: int) -> str:
    text = first % {"number": number}
    return f"{text} {second % {'number': rest}}" if rest else text
