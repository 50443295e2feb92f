"""What may surprise about a schedule, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django_scheduled_tasks.schedules.base import Schedule, floor_second
from django_scheduled_tasks.schedules.cron import Cron
from django_scheduled_tasks.schedules.fields import Fields
from django_scheduled_tasks.schedules.interval import Interval
from django_scheduled_tasks.schedules.phrases import MOST_LISTED, days_phrase, weekdays_phrase
from django_scheduled_tasks.schedules.texts import clock, join_and, ngettext, say_number, short_day
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.wall import Transition, transitions_between

MANY_A_DAY = 1_000
"""So often a day is worth a warning."""
_DAY = timedelta(days=1)
_LOOK_AHEAD = timedelta(days=400)


def warnings_for(schedule: Schedule, *, now: datetime) -> list[str]:
    """Return sentences, in the present language, about what may surprise.

    Args:
        schedule: Which.
        now: Aware; clock changes of the year after it are named.
    Raises:
        ValueError: *now* is naive.
    """
    now = floor_second(now)
    if isinstance(schedule, Cron):
        return [
            *_day_or_weekday(schedule.fields),
            *_uneven(schedule.fields),
            *_clock_changes(schedule, now),
            *_many(schedule.fields.times_a_day),
        ]
    if isinstance(schedule, Interval):
        return [*_clock_changes(schedule, now), *_many(_DAY // schedule.every)]
    return schedule.warnings(now=now)


def _day_or_weekday(fields: Fields) -> Iterator[str]:
    if not fields.both_days:
        days = days_phrase(fields) or _("day %(day)s") % {"day": fields.texts[3]}
        values = {"days": days, "weekdays": weekdays_phrase(fields) or fields.texts[5]}
        yield _('Runs on %(days)s or on %(weekdays)s: cron joins the two with "or".') % values


def _many(number: int) -> Iterator[str]:
    if number >= MANY_A_DAY:
        yield _("%(number)s a day.") % {"number": say_number(number)}


# --- steps --------------------------------------------------------------------------------------------------------


def _uneven(fields: Fields) -> Iterator[str]:
    """A step counts anew in each minute, hour, day and month."""
    if (step := _open_step(fields.texts[0])) and len(fields.minutes) > 1:
        yield from _uneven_seconds(fields.seconds, step)
    if (step := _open_step(fields.texts[1])) and _meet(fields.hours, 24) and len(fields.seconds) == 1:
        yield from _uneven_minutes(fields.minutes, step)
    if (step := _open_step(fields.texts[2])) and len(fields.minutes) == len(fields.seconds) == 1:
        yield from _uneven_hours(fields.hours, step, fields.minutes[0])
    if (step := _open_step(fields.texts[3])) and step > 1 and len(fields.months) > 1:
        last, first = max(fields.days), min(fields.days)
        yield _("Not even: the step counts anew each month, so after day %(last)s comes day %(first)s.") % {
            "last": last,
            "first": first,
        }


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


def _meet(numbers: tuple[int, ...], size: int) -> bool:
    """Whether some number follows right after another one."""
    return any((number + 1) % size in numbers for number in numbers)


# --- clock changes ------------------------------------------------------------------------------------------------


def _clock_changes(schedule: Cron | Interval, now: datetime) -> Iterator[str]:
    """Name the next change that skips one of its times, and the next one that shows one twice."""
    sentences: list[str] = []
    seen: set[bool] = set()
    for change in transitions_between(schedule.zone, now, now + _LOOK_AHEAD):
        low, high = sorted((change.wall_before, change.wall_after))
        walls = list(islice(schedule.walls_meant_once(low, high), MOST_LISTED + 1))
        if walls and change.is_gap not in seen:
            seen.add(change.is_gap)
            date = short_day(walls[0].date(), with_weekday=not sentences)
            sentences.append(_gap(change, walls, date) if change.is_gap else _overlap(change, walls, date))
    if sentences:
        yield " ".join(sentences)


def _gap(change: Transition, walls: list[datetime], date: str) -> str:
    values = {"date": date, "then": clock(change.wall_after)}
    if len(walls) == 1:
        text = _("On %(date)s the clock skips %(times)s, so it runs at %(then)s.")
    else:
        text = _("On %(date)s the clock skips %(times)s, so it runs once, at %(then)s.")
    return text % {**values, "times": _times(walls, change.wall_before, change.wall_after)}


def _overlap(change: Transition, walls: list[datetime], date: str) -> str:
    if len(walls) == 1:
        text = _("On %(date)s %(times)s comes twice; it runs once.")
    else:
        text = _("On %(date)s %(times)s come twice; it runs once for each.")
    return text % {"date": date, "times": _times(walls, change.wall_after, change.wall_before)}


def _times(walls: list[datetime], low: datetime, high: datetime) -> str:
    if len(walls) > MOST_LISTED:
        return _("the times from %(first)s to %(last)s") % {"first": clock(low), "last": clock(high)}
    return join_and([clock(item) for item in walls])
