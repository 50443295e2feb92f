"""Create, change and delete calendars; the tasks that name one are planned anew with it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db.models import Q
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import (
    CalendarChanged,
    CalendarInUse,
    CalendarNotFound,
    FieldError,
    InvalidInput,
    InvalidSchedule,
)
from django_scheduled_tasks.json_checks import NotStorable, check_text
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import (
    Calendar,
    Deed,
    ScheduledTask,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.calendar import CALENDAR_NAME_LENGTH
from django_scheduled_tasks.planner import first_run_at
from django_scheduled_tasks.schedules import Workday
from django_scheduled_tasks.schedules.calendars import definition_of, read_calendar
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.tasks import standstill
from django_scheduled_tasks.services.tasks.changes.record import record_deed
from django_scheduled_tasks.users import User

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_KEPT = 2_000
_TASKS_TOLD = 10


def find_calendar(name: str) -> Calendar:
    """Return the calendar called *name*; raise CalendarNotFound if there is none."""
    found = Calendar.objects.using(write_alias()).filter(name=name).first() if "\x00" not in name else None
    if found is None:
        raise CalendarNotFound(name)
    return found


def create_calendar(
    name: str,
    *,
    zone: str = "",
    definition: Mapping[str, Any],
    user: User | None = None,
    origin: Origin = Origin.ADMIN,
    reason: str = "",
) -> Calendar:
    """Create a calendar.

    Args:
        name: As tasks name it: small letters, digits, dashes and underscores.
        zone: IANA name; empty: the project's.
        definition: As :func:`~django_scheduled_tasks.schedules.calendars.read_calendar` reads it.
        user: Who creates it; recorded.
        origin: Where it is defined.
        reason: Why, for people; recorded.
    Raises:
        InvalidInput: One item for each wrong field.
    """
    if not _NAME.fullmatch(name) or len(name) > CALENDAR_NAME_LENGTH:
        text = _("A name has 1 to %(most)s small letters, digits, dashes and underscores.")
        raise InvalidInput([FieldError("name", text % {"most": CALENDAR_NAME_LENGTH}, "invalid")])
    zone = zone or get_settings().time_zone
    row = Calendar(name=name, zone=zone, definition=checked(name, zone, definition), origin=origin)
    row.updated_at, row.updated_by = read_now(), user
    try:
        with write_transaction():
            row.save(using=write_alias(), force_insert=True)
            fields = list(_differing(None, row))
            record_deed(
                Deed.CREATED, about=f"calendar:{name}", fields=fields, user=user, at=row.updated_at, reason=reason
            )
    except IntegrityError:
        if Calendar.objects.using(write_alias()).filter(name=name).exists():
            raise InvalidInput([FieldError("name", _("There is a calendar of this name already."), "unique")]) from None
        raise
    return row


def update_calendar(
    calendar: Calendar,
    *,
    zone: str | None = None,
    definition: Mapping[str, Any] | None = None,
    user: User | None = None,
    version: int | None = None,
    origin: Origin | None = None,
    reason: str = "",
) -> Calendar:
    """Change *calendar*, and plan the tasks that name it anew, from now: what has its row stays as it was decided.

    Args:
        calendar: Which.
        zone: IANA name; None: as it is.
        definition: All of it; None: as it is.
        user: Who changes it; recorded.
        version: Change it only if it is still in this one; None: in whichever it is.
        origin: Where it is defined from now on; None: as it is.
        reason: Why, for people; recorded.
    Raises:
        CalendarNotFound: It has been deleted meanwhile.
        CalendarChanged: It is in another version.
        InvalidInput: One item for each wrong field; or it is declared in code, and *origin* is not given.
    """
    with write_transaction():
        row = locked(calendar)
        if version is not None and row.version != version:
            raise CalendarChanged(row.name)
        if row.origin == Origin.CODE and origin is None:
            text = _("It is declared in code; change it there.")
            raise InvalidInput([FieldError("name", text, "declared")])
        before = copy.copy(row)
        row.zone = row.zone if zone is None else zone
        row.definition = checked(row.name, row.zone, row.definition if definition is None else definition)
        row.origin = row.origin if origin is None else origin
        fields = list(_differing(before, row))
        if not fields and row.origin == before.origin:
            return row
        now = read_now()
        if fields:
            row.version, row.updated_at, row.updated_by = row.version + 1, now, user
            record_deed(Deed.CHANGED, about=f"calendar:{row.name}", fields=fields, user=user, at=now, reason=reason)
            tasks = list(for_update(users_of(row.name)))
            undone = [one for task in tasks if (one := standstill.left_out_row(task, now)) is not None]
        row.save(using=write_alias())
        if fields:
            standstill.record(undone)
            _plan_anew(tasks, row, now)
    return row


def delete_calendar(
    calendar: Calendar, *, user: User | None = None, version: int | None = None, reason: str = ""
) -> None:
    """Delete *calendar*, which no task names.

    Args:
        calendar: Which.
        user: Who deletes it; recorded.
        version: Delete it only if it is still in this one; None: in whichever it is.
        reason: Why, for people; recorded.
    Raises:
        CalendarNotFound: It is deleted already.
        CalendarChanged: It is in another version.
        CalendarInUse: Tasks name it.
        InvalidInput: It is declared in code.
    """
    with write_transaction():
        row = locked(calendar)
        if version is not None and row.version != version:
            raise CalendarChanged(row.name)
        if row.origin == Origin.CODE:
            text = _("It is declared in code; take it out there first.")
            raise InvalidInput([FieldError("name", text, "declared")])
        if names := list(users_of(row.name).values_list("name", flat=True)[:_TASKS_TOLD]):
            raise CalendarInUse(row.name, names)
        fields = [{"field": "calendar", "old": row.name, "new": None}]
        record_deed(Deed.DELETED, about=f"calendar:{row.name}", fields=fields, user=user, at=read_now(), reason=reason)
        row.delete(using=write_alias())


def users_of(name: str) -> Any:
    """Return the tasks that name the calendar called *name*, as a queryset in the order of their ids."""
    in_schedule = Q(schedule_kind=Workday.kind, expression__endswith=f" calendar={name}")
    rows = ScheduledTask.objects.using(write_alias())
    return rows.filter(Q(calendars__contains=f",{name},") | in_schedule).order_by("pk")


def checked(name: str, zone: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return *definition* in its canonical form; raise InvalidInput if it cannot be read."""
    try:
        check_text(json.dumps(definition, default=str, ensure_ascii=False))
        return definition_of(read_calendar(name, zone, definition))
    except InvalidSchedule as exc:
        raise InvalidInput([FieldError("zone" if exc.field == "timezone" else exc.field, exc.message)]) from exc
    except NotStorable as exc:
        raise InvalidInput([FieldError("definition", str(exc), "characters")]) from None


def locked(calendar: Calendar) -> Calendar:
    """Return the row of *calendar*, locked; raise CalendarNotFound if it is gone."""
    row = for_update(Calendar.objects.using(write_alias()).filter(pk=calendar.pk)).first()
    if row is None:
        raise CalendarNotFound(calendar.name)
    return row


def _plan_anew(tasks: list[ScheduledTask], calendar: Calendar, now: datetime) -> None:
    """Let *tasks*, which are locked, be due as *calendar* says now; what is due already stays due."""
    for task in tasks:
        task.calendar_stamps = (task.calendar_stamps or {}) | {calendar.name: calendar.stamp}
        if task.next_run_at is not None and task.next_run_at <= now:
            pass
        else:
            task.calendars_since = now
            try:
                task.next_run_at = first_run_at(task.policy, now=now, run_count=task.run_count)
            except InvalidSchedule:
                task.next_run_at = None
        task.save(using=write_alias(), update_fields=["calendar_stamps", "calendars_since", "next_run_at"])
    if tasks:
        wake_schedulers()


def _differing(before: Calendar | None, after: Calendar) -> Iterator[dict[str, Any]]:
    """Yield each part of a calendar that is another one, as :attr:`Change.fields` has them."""
    if before is None:
        yield {"field": "calendar", "old": None, "new": after.name}
    elif before.zone != after.zone:
        yield {"field": "zone", "old": before.zone, "new": after.zone}
    old = before.definition if before is not None else {}
    for name in ("weekdays", "holidays", "dates", "windows"):
        if (was := _text(old.get(name))) != (text := _text(after.definition.get(name))):
            yield {"field": name, "old": was, "new": text}


def _text(value: Any) -> str | None:
    if not value:
        return None
    if isinstance(value, str):
        return value
    parts = [
        one if isinstance(one, str) else " ".join(filter(None, (f"{one['from']}–{one['to']}", one["label"])))
        for one in value
    ]
    return ", ".join(parts)[:_KEPT]
