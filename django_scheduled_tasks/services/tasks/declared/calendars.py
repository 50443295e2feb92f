"""The calendars that the code declares, brought in step with it."""

from __future__ import annotations

import logging

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidInput, InvalidSchedule
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import Calendar, read_now, write_alias, write_transaction
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules.calendars import definition_of, read_calendar
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar, update_calendar
from django_scheduled_tasks.services.tasks.calendars.horizon import endings

logger = logging.getLogger(__name__)


def follow_declared_calendars() -> dict[str, str]:
    """Create and change calendars as the code declares; one that it declares no longer stays, and is the staff's.

    A statement or two if all are as they should be. Several processes may do so at once. The log warns of holidays that
    are not known for long.

    Returns:
        What is wrong with those that could not be stored, by name.
    """
    rows = {row.name: row for row in Calendar.objects.using(write_alias())}
    failed: dict[str, str] = {}
    declared = registry.calendars()
    for name, (given, definition) in declared.items():
        zone = given or get_settings().time_zone
        try:
            wanted, row = definition_of(read_calendar(name, zone, definition)), rows.get(name)
            if row is None:
                with write_transaction():
                    create_calendar(name, zone=zone, definition=wanted, origin=Origin.CODE)
            elif (row.zone, row.definition, row.origin) != (zone, wanted, Origin.CODE):
                update_calendar(row, zone=zone, definition=wanted, origin=Origin.CODE)
        except (InvalidSchedule, InvalidInput) as exc:
            if name not in rows and Calendar.objects.using(write_alias()).filter(name=name).exists():
                continue  # another process was quicker
            failed[name] = exc.message
            logger.error("The calendar %s, declared in code, is not valid: %s", name, exc.message)
    for row in rows.values():
        if row.origin == Origin.CODE and row.name not in declared:
            update_calendar(row, origin=Origin.ADMIN)
    if rows:
        for ending in endings(read_now(), rows.values()):
            logger.warning(ending.sentence, extra={"calendar": ending.calendar, "event": "holidays_end"})
    return failed
