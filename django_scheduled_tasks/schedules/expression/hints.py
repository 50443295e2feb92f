"""What to write instead, for expressions that other systems know: Quartz, EventBridge, Jenkins, Go, crontab files."""

from __future__ import annotations

import re

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.durations import format_duration, parse_duration
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import weekday_name

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SHOWN = 20
_NAMES = "|".join(WEEKDAYS)
_ZONE = re.compile(r"\s*(?:CRON_TZ|TZ)\s*=\s*(\S+)\s", re.IGNORECASE)
_RATE = re.compile(r"RATE\((\d+)\s+([DHM])\w*\)", re.IGNORECASE)
_LAST_WEEKDAY = re.compile(rf"L([0-7]|{_NAMES})|([0-7]|{_NAMES})#L")
_OTHER_DAY = re.compile(r"\d*W|LW?-\d+W?|\d+L")
_PICKED = re.compile(r"H(\(.*)?(/.*)?")


def about_expression(expression: str) -> str | None:
    """Return a sentence about a whole expression that is none of cron; None if nothing is known about it."""
    if match := _ZONE.match(expression):
        text = _("The time zone is a field of its own: take %(text)s out of the expression and choose the zone there.")
        return text % {"text": short(match[0].strip())}
    text = expression.strip()
    if duration := _duration(text):
        message = _(
            "%(text)s is no cron expression. Choose an interval as the kind of schedule and write %(duration)s."
        )
        return message % {"text": short(text), "duration": duration}
    if text.lower().startswith(("@every", "rate(")):
        message = _("%(text)s is no cron expression. Choose an interval as the kind of schedule.")
        return message % {"text": short(text)}
    return None


def _duration(text: str) -> str:
    if match := _RATE.fullmatch(text):
        text = f"{match[1]}{match[2]}"
    try:
        return format_duration(parse_duration(re.sub(r"^@every\s+", "", text, flags=re.IGNORECASE)))
    except InvalidSchedule:
        return ""


def about_part(field: str, part: str) -> str | None:
    """Return a sentence about one part, in capitals, of the field called *field*; None if nothing is known about it."""
    value = {"value": short(part)}
    if "?" in part:
        text = _(
            "write * for %(value)s. Where ? is known (Quartz, EventBridge) weekday 1 is Sunday; here it is Monday."
        )
        return text % value
    if _PICKED.fullmatch(part):
        return _("%(value)s: Jenkins picks a value for H. Write a number; the task's spread keeps tasks apart.") % value
    if field == "day" and _OTHER_DAY.fullmatch(part):
        return (
            _("%(value)s is not known. L is the last day of the month, LW the last one from Monday to Friday.") % value
        )
    if field == "weekday" and part == "L":
        return _("L needs a weekday before it: 5L is the last Friday of the month.")
    if field == "weekday" and (match := _LAST_WEEKDAY.fullmatch(part)):
        day = match[1] or match[2]
        number = WEEKDAYS.index(day) if day in WEEKDAYS else int(day)
        text = _("write %(advice)s for the last %(weekday)s of the month.")
        return text % {"advice": f"{number}L", "weekday": weekday_name(number)}
    return None


def forward(low: int, high: int, step: int, *, least: int, most: int) -> str:
    """Return a range that may run over the end of a field (``22-6/2``) as ranges that run forwards (``22,0-6/2``).

    Args:
        low: Where it begins.
        high: Where it ends, inclusive; less than *low* if it runs over the end of the field.
        step: At least 1.
        least: What follows after *most*.
        most: The greatest value.
    """
    size = most - least + 1
    end = high if high >= low else high + size
    numbers = [number if number <= most else number - size for number in range(low, end + 1, step)]
    turn = next((place for place, number in enumerate(numbers) if number < low), len(numbers))
    return ",".join(_as_range(part, step) for part in (numbers[:turn], numbers[turn:]) if part)


def _as_range(numbers: list[int], step: int) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    return f"{numbers[0]}-{numbers[-1]}" + (f"/{step}" if step > 1 else "")


def short(text: str) -> str:
    """Return *text*, cut where it is too long for a sentence."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
