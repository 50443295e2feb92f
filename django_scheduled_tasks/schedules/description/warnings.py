"""Warnings: sentences about behaviour of a schedule that may surprise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django_scheduled_tasks.schedules.base import Schedule, floor_second
from django_scheduled_tasks.schedules.description.clock_changes import clock_changes
from django_scheduled_tasks.schedules.description.phrases import days_phrase, weekdays_phrase
from django_scheduled_tasks.schedules.description.steps import meet, uneven_steps
from django_scheduled_tasks.schedules.expression.fields import Fields
from django_scheduled_tasks.schedules.kinds.cron import Cron
from django_scheduled_tasks.schedules.kinds.interval import Interval
from django_scheduled_tasks.schedules.kinds.weeks import Weeks
from django_scheduled_tasks.schedules.kinds.workday import Workday
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import say_number

MANY_A_DAY = 1_000
"""From this many occurrences a day on there is a warning."""
_DAY = timedelta(days=1)
_SIXTY = 60


def warnings_for(schedule: Schedule, *, now: datetime) -> list[str]:
    """Return sentences, in the present language, about behaviour that may surprise.

    Args:
        schedule: Any.
        now: Aware; the sentences name clock changes of the year after it.
    Raises:
        ValueError: *now* is naive.
    """
    now = floor_second(now)
    if isinstance(schedule, Cron):
        return [
            *_two_days(schedule.fields),
            *uneven_steps(schedule.fields),
            *_each_minute(schedule.fields),
            *clock_changes(schedule, now),
            *_many(schedule.fields.times_a_day),
        ]
    if isinstance(schedule, Interval):
        return [*clock_changes(schedule, now), *_many(_DAY // schedule.every)]
    if isinstance(schedule, (Weeks, Workday)):
        return list(clock_changes(schedule, now))
    return schedule.warnings(now=now)


def _two_days(fields: Fields) -> Iterator[str]:
    """Say how a day and a weekday go together."""
    if fields.both_days and (fields.any_day or fields.any_weekday):
        return
    days = days_phrase(fields) or _("day %(day)s") % {"day": fields.texts[3]}
    values = {"days": days, "weekdays": weekdays_phrase(fields) or fields.texts[5]}
    if fields.says_both:
        text = _("Runs only where both fit: %(days)s; %(weekdays)s.")
    elif fields.both_days:
        text = _(
            "Runs only where both fit (%(days)s; %(weekdays)s): cron joins day and weekday"
            ' with "and" where one of them starts with *.'
        )
    else:
        text = _(
            'Runs on %(days)s or on %(weekdays)s: cron joins the two with "or". If both have to fit, write & before'
            " the weekday."
        )
    yield text % values


def _each_minute(fields: Fields) -> Iterator[str]:
    """Name what runs sixty times in an hour, or in a minute, that is chosen for once."""
    if len(fields.seconds) == _SIXTY and not meet(fields.minutes, _SIXTY):
        yield _("Runs in every second of that minute, 60 times. Write a number for the second to run once.")
    elif len(fields.minutes) == _SIXTY and len(fields.seconds) == 1 and not meet(fields.hours, 24):
        yield _("Runs in every minute of that hour, 60 times. Write a number for the minute to run once.")


def _many(number: int) -> Iterator[str]:
    if number >= MANY_A_DAY:
        yield _("%(number)s a day.") % {"number": say_number(number)}
