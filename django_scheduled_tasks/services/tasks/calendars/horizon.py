"""How far public holidays are known: in time before they end it is a warning, so that none becomes a working day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import Calendar, write_alias

WARNED_BEFORE = timedelta(days=365 + 90)
"""A year of runs can be planned on, and an update of the library has its time."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Holidays that are not known for long."""

    calendar: str
    region: str
    last_day: date

    @property
    def sentence(self) -> str:
        """What a person should know."""
        text = _(
            "Holidays of %(region)s, in the calendar %(calendar)s, end on %(last)s; after that each is a working day"
            " unless the library holidays is updated."
        )
        last = date_format(self.last_day, "DATE_FORMAT")
        return text % {"region": self.region, "calendar": self.calendar, "last": last}


def ending_of(calendar: Calendar, now: datetime) -> Ending | None:
    """Return when the holidays of *calendar* end, if that is soon; None if it has none, or cannot be read."""
    try:
        value = calendar.value
    except InvalidSchedule:
        return None
    last = value.last_known_day
    if last is None or value.holidays is None or last - now.date() > WARNED_BEFORE:
        return None
    return Ending(calendar.name, value.holidays.code, last)


def endings(now: datetime, calendars: Iterable[Calendar] | None = None) -> list[Ending]:
    """Return the calendars whose holidays end soon; one statement, unless *calendars* are given."""
    rows = Calendar.objects.using(write_alias()).order_by("name") if calendars is None else calendars
    return [found for row in rows if (found := ending_of(row, now)) is not None]
