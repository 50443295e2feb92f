"""Warnings about steps that are not even: each field counts its steps anew when the field above it goes on."""

from __future__ import annotations

from collections.abc import Iterator

from django_scheduled_tasks.schedules.expression.fields import Fields
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import month_name, ngettext, weekday_name

_DAYS_A_WEEK, _MONTHS_A_YEAR = 7, 12


def uneven_steps(fields: Fields) -> Iterator[str]:
    """Yield a sentence about each step that is shorter, or longer, where its field begins anew."""
    second, minute, hour, day, month, weekday = (_open_step(text) for text in fields.texts)
    if second and len(fields.minutes) > 1:
        yield from _uneven_seconds(fields.seconds, second)
    if minute and meet(fields.hours, 24) and len(fields.seconds) == 1:
        yield from _uneven_minutes(fields.minutes, minute)
    if hour and len(fields.minutes) == len(fields.seconds) == 1:
        yield from _uneven_hours(fields.hours, hour, fields.minutes[0])
    if day > 1 and len(fields.months) > 1 and fields.any_weekday:
        yield _uneven_days(fields.days, day)
    if weekday > 1 and fields.any_day:
        yield from _uneven_weekdays(sorted(fields.weekdays), weekday)
    if month > 1:
        yield from _uneven_months(fields.months, month)


def _uneven_seconds(seconds: tuple[int, ...], step: int) -> Iterator[str]:
    gap = _last_gap(seconds, 60, step)
    values = {"step": step, "last": seconds[-1], "first": seconds[0], "gap": gap}
    if gap and len(seconds) == 1:
        text = _("Not every %(step)s seconds: the step counts anew each minute, so it runs at second %(first)s only.")
        yield text % values
    elif gap:
        text = ngettext(
            "Not even: after second %(last)s the next is second %(first)s, %(gap)s second later.",
            "Not even: after second %(last)s the next is second %(first)s, %(gap)s seconds later.",
            gap,
        )
        yield text % values


def _uneven_minutes(minutes: tuple[int, ...], step: int) -> Iterator[str]:
    gap = _last_gap(minutes, 60, step)
    values = {"step": step, "last": f":{minutes[-1]:02d}", "first": f":{minutes[0]:02d}", "gap": gap}
    if gap and len(minutes) == 1:
        text = _("Not every %(step)s minutes: the step counts anew each hour, so it runs at %(first)s only.")
        yield text % values
    elif gap:
        text = ngettext(
            "Not even: after %(last)s the next is at %(first)s, %(gap)s minute later.",
            "Not even: after %(last)s the next is at %(first)s, %(gap)s minutes later.",
            gap,
        )
        yield text % values


def _uneven_hours(hours: tuple[int, ...], step: int, minute: int) -> Iterator[str]:
    gap = _last_gap(hours, 24, step)
    values = {
        "step": step,
        "last": f"{hours[-1]:02d}:{minute:02d}",
        "first": f"{hours[0]:02d}:{minute:02d}",
        "gap": gap,
    }
    if gap and len(hours) == 1:
        text = _("Not every %(step)s hours: the step counts anew each day, so it runs at %(first)s only.")
        yield text % values
    elif gap:
        text = ngettext(
            "Not even: after %(last)s the next is at %(first)s, %(gap)s hour later.",
            "Not even: after %(last)s the next is at %(first)s, %(gap)s hours later.",
            gap,
        )
        yield text % values


def _open_step(text: str) -> int:
    """Return n if *text* is ``*/n`` or ``5/n``, else 0."""
    base, slash, step = text.partition("/")
    return int(step) if slash and "-" not in base and "," not in text else 0


def _last_gap(numbers: tuple[int, ...], size: int, step: int) -> int:
    """Return the distance from the last number to the first one of the next round; 0 if it is *step* as well."""
    gap = size - numbers[-1] + numbers[0]
    return 0 if gap == step else gap


def _uneven_days(days: frozenset[int], step: int) -> str:
    values = {"step": step, "last": max(days), "first": min(days)}
    if len(days) == 1:
        return _("Not every %(step)s days: the step counts anew each month, so it runs on day %(first)s only.") % values
    return _("Not even: the step counts anew each month, so after day %(last)s comes day %(first)s.") % values


def _uneven_weekdays(weekdays: list[int], step: int) -> Iterator[str]:
    """The field counts from 0 to 7, so where the week begins anew is where the distance is another one."""
    for place, day in enumerate(weekdays):
        before = weekdays[place - 1]
        if ((day - before) % _DAYS_A_WEEK or _DAYS_A_WEEK) == step:
            continue
        values = {"step": step, "last": weekday_name(before), "first": weekday_name(day)}
        if len(weekdays) == 1:
            text = _("Not every %(step)s days: the step counts anew each week, so it runs on %(first)s only.")
        else:
            text = _("Not even: the step counts anew each week, so after %(last)s comes %(first)s.")
        yield text % values


def _uneven_months(months: tuple[int, ...], step: int) -> Iterator[str]:
    if _last_gap(months, _MONTHS_A_YEAR, step):
        values = {"step": step, "last": month_name(months[-1]), "first": month_name(months[0])}
        if len(months) == 1:
            text = _("Not every %(step)s months: the step counts anew each year, so it runs in %(first)s only.")
        else:
            text = _("Not even: the step counts anew each year, so after %(last)s comes %(first)s.")
        yield text % values


def meet(numbers: tuple[int, ...], size: int) -> bool:
    """Whether some number follows right after another one."""
    return any((number + 1) % size in numbers for number in numbers)
