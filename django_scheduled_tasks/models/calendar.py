"""Calendars as they are stored, and as values that this process remembers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_scheduled_tasks.db.connections.alias import write_alias
from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.db.locking import for_update
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.schedules import calendars

CALENDAR_NAME_LENGTH = 40
_MOST_REMEMBERED = 500
_values: dict[tuple[str, str], calendars.Calendar] = {}
"""By name and :attr:`Calendar.stamp`; a value is never another one for the same key."""
_lock = threading.Lock()


class Calendar(models.Model):
    """Days and hours on which tasks that name it do not run."""

    name = models.SlugField(_("name"), max_length=CALENDAR_NAME_LENGTH, unique=True)
    zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    definition = models.JSONField(_("definition"), default=dict, blank=True)
    """As :func:`~django_scheduled_tasks.schedules.calendars.definition.read_calendar` reads it."""
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    """Counts its changes."""
    origin = models.CharField(max_length=16, default=Origin.ADMIN, editable=False)
    updated_at = UtcDateTimeField(_("updated at"), editable=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Calendar]]

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def stamp(self) -> str:
        """A text that is another one after each change, and for another calendar of the same name."""
        text = json.dumps([self.zone, self.definition], sort_keys=True)
        return f"{self.version}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def value(self) -> calendars.Calendar:
        """The calendar as schedules take it.

        Raises:
            InvalidSchedule: What is stored cannot be read by this process: its library knows no such holidays.
        """
        key = self.name, self.stamp
        found = _values.get(key)
        if found is None:
            found = calendars.read_calendar(self.name, self.zone, self.definition, version=self.version)
            with _lock:
                if len(_values) >= _MOST_REMEMBERED:
                    _values.clear()
                _values[key] = found
        return found


def calendar_values(names: Sequence[str], stamps: Mapping[str, str]) -> tuple[calendars.Calendar, ...]:
    """Return the calendars called so; no statement if this process knows them as the stamps say, else one.

    Args:
        names: In the order in which they are asked.
        stamps: :attr:`Calendar.stamp` of each when the task was planned; without one the present one counts.
    Raises:
        InvalidSchedule: There is no such calendar, or it cannot be read; ``field`` is ``calendars``.
    """
    found = [_values.get((name, stamps.get(name, ""))) for name in names]
    known = [one for one in found if one is not None]
    if len(known) == len(names):
        return tuple(known)
    rows = {row.name: row for row in Calendar.objects.using(write_alias()).filter(name__in=names)}
    if missing := [name for name in names if name not in rows]:
        text = gettext('There is no calendar "%(name)s".') % {"name": missing[0]}
        raise InvalidSchedule(text, field="calendars", value=missing[0])
    try:
        return tuple(rows[name].value for name in names)
    except InvalidSchedule as exc:
        raise InvalidSchedule(exc.message, field="calendars", value=exc.value) from exc


def find_value(name: str) -> calendars.Calendar | None:
    """Return the calendar called *name* as it is now, for schedules that name one; one statement."""
    row = Calendar.objects.using(write_alias()).filter(name=name).first() if "\x00" not in name else None
    return None if row is None else row.value


def calendar_stamps(names: Sequence[str], *, lock: bool = False) -> dict[str, str]:
    """Return the present stamp of each calendar called so, if there is one; one statement.

    Args:
        names: Which.
        lock: Whether they must not become others until the present transaction ends: who changes one looks for the
            tasks that name it, and does not see one that is not committed.
    """
    rows = Calendar.objects.using(write_alias()).filter(name__in=names).order_by("pk")
    return {row.name: row.stamp for row in (for_update(rows) if lock else rows)}
