"""Calendars by name: what stores them says here how one is found."""

from __future__ import annotations

from collections.abc import Callable

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.calendars.calendar import Calendar
from django_scheduled_tasks.schedules.texts import gettext as _

Resolver = Callable[[str], Calendar | None]
_SHOWN = 64
_resolvers: list[Resolver] = []


def find_calendars_with(resolver: Resolver) -> None:
    """Let *resolver* find calendars: it takes a name, and returns the calendar as it is now, or None.

    It is asked each time a schedule that names a calendar is read or computed, so it should remember what it found.
    """
    _resolvers[:] = [resolver]


def calendar_named(name: str) -> Calendar:
    """Return the calendar called *name*.

    Raises:
        InvalidSchedule: There is none; ``field`` is ``calendar``.
    """
    found = next((found for resolver in _resolvers if (found := resolver(name)) is not None), None)
    if found is None:
        text = _('There is no calendar called "%(name)s".') % {"name": name[:_SHOWN]}
        raise InvalidSchedule(text, field="calendar", value=name[:_SHOWN])
    return found
