"""The dates of an ICS file become dates of a calendar."""

from __future__ import annotations

from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidSchedule
from django_scheduled_tasks.models import Calendar
from django_scheduled_tasks.schedules.calendars.ics import read_ics
from django_scheduled_tasks.services.tasks.calendars.edit import update_calendar
from django_scheduled_tasks.users import User


def import_ics(
    calendar: Calendar, ics: str, *, replace: bool = False, user: User | None = None, version: int | None = None
) -> tuple[Calendar, int]:
    """Add the days of an ICS file to the dates of *calendar*, or let them be all of its dates.

    Args:
        calendar: Which.
        ics: The file's text.
        replace: Whether its other dates go.
        user: Who; recorded.
        version: Only if the calendar is still in this one.

    Returns:
        The calendar, and how many dates or ranges the file has.

    Raises:
        InvalidInput: The file cannot be read; nothing is imported then.
        CalendarNotFound, CalendarChanged: As for :func:`~.edit.update_calendar`.
    """
    try:
        spans = read_ics(ics)
    except InvalidSchedule as exc:
        raise InvalidInput([FieldError("ics", exc.message)]) from exc
    dates = [{"from": str(one.first), "to": str(one.last), "label": one.label} for one in spans]
    known = [] if replace else list(calendar.definition.get("dates", ()))
    definition = {**calendar.definition, "dates": [*known, *(one for one in dates if one not in known)]}
    row = update_calendar(
        calendar, definition=definition, user=user, version=calendar.version if version is None else version
    )
    return row, len(spans)
