"""Calendars as resources, and the bodies of requests about them."""

from __future__ import annotations

from datetime import date
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.base import (
    Body,
    CamelModelSerializer,
    EnumField,
    FlagField,
    InstantField,
    NumberField,
    TextField,
)
from django_scheduled_tasks.db.clock import read_now
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import Calendar
from django_scheduled_tasks.models.calendar import CALENDAR_NAME_LENGTH
from django_scheduled_tasks.schedules.calendars import DayKind
from django_scheduled_tasks.schedules.calendars.definition import LABEL_LENGTH, MOST_DATES, MOST_WINDOWS, WEEKDAYS
from django_scheduled_tasks.schedules.calendars.ics import MOST_BYTES
from django_scheduled_tasks.services.tasks.calendars.horizon import ending_of

_WEEKDAYS = "On which tasks may run: `mon` to `sun`."
_HOLIDAYS = "Whose public holidays are excluded, by ISO 3166: `DE`, `DE-BE`; empty: nobody's."
_WINDOWS = "Parts of each week that are excluded, such as `Fri 18:00 – Mon 06:00`."
_ZONE = "Whose days and clock; IANA name. Default: the project's."
_BIGGEST = 2_147_483_647


@extend_schema_field(OpenApiTypes.DATE)
class DateField(serializers.Field[str, Any, str, Any]):
    """A date as text; which years there are says the calendar."""

    default_error_messages = {"invalid": "It is a date such as 2027-12-24."}

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        try:
            return date.fromisoformat(data).isoformat()
        except (TypeError, ValueError):
            self.fail("invalid")

    def to_representation(self, value: Any) -> str:
        """Return the text."""
        return str(value)


class CalendarDates(Body):
    """Dates that are excluded."""

    to = DateField(required=False, allow_null=True, help_text="The last one; null: the same.")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; ``from`` is no name in Python, and ``label`` one of Django REST Framework's."""
        label = TextField(required=False, allow_blank=True, max_length=LABEL_LENGTH, help_text="What is then.")
        return {"from": DateField(help_text="The first one."), **super().get_fields(), "label": label}


class CalendarSerializer(CamelModelSerializer):
    """Days and hours on which tasks that name it do not run."""

    weekdays = serializers.SerializerMethodField(help_text=_WEEKDAYS)
    holidays = serializers.SerializerMethodField(help_text=_HOLIDAYS)
    dates = serializers.SerializerMethodField(help_text="Further days that are excluded.")
    windows = serializers.SerializerMethodField(help_text=_WINDOWS)
    version = NumberField(read_only=True, help_text="Counts its changes; executions say by which they were decided.")
    origin = EnumField(Origin, read_only=True)
    holidays_known_until = serializers.SerializerMethodField(
        "get_known_until",
        help_text="The last day whose holidays are known; null: it has none, or this process cannot read them.",
    )
    warning = serializers.SerializerMethodField(help_text="A sentence if holidays end soon; else empty.")
    updated_at = InstantField(read_only=True)

    class Meta:
        model = Calendar
        fields = (
            *("name", "zone", "weekdays", "holidays", "dates", "windows", "version", "origin"),
            *("holidays_known_until", "warning", "updated_at"),
        )
        read_only_fields = fields

    def get_weekdays(self, row: Calendar) -> list[str]:
        """Return those on which tasks may run."""
        return list(row.definition.get("weekdays", WEEKDAYS))

    def get_holidays(self, row: Calendar) -> str:
        """Return the code of the region."""
        return str(row.definition.get("holidays", ""))

    @extend_schema_field(CalendarDates(many=True))
    def get_dates(self, row: Calendar) -> list[dict[str, str]]:
        """Return the dates."""
        return list(row.definition.get("dates", ()))

    def get_windows(self, row: Calendar) -> list[str]:
        """Return the windows."""
        return list(row.definition.get("windows", ()))

    @extend_schema_field(serializers.DateField(allow_null=True))
    def get_known_until(self, row: Calendar) -> str | None:
        """Return the last day."""
        try:
            found = row.value.last_known_day
        except InvalidSchedule:
            return None
        return None if found is None else found.isoformat()

    def get_warning(self, row: Calendar) -> str:
        """Return what a person should know."""
        found = ending_of(row, read_now())
        return "" if found is None else found.sentence


class CalendarParts(Body):
    """What a calendar consists of."""

    zone = TextField(required=False, max_length=64, help_text=_ZONE)
    weekdays = serializers.ListField(child=TextField(max_length=9), required=False, max_length=7, help_text=_WEEKDAYS)
    holidays = TextField(required=False, allow_blank=True, max_length=16, help_text=_HOLIDAYS)
    dates = serializers.ListField(
        child=CalendarDates(), required=False, max_length=MOST_DATES, help_text="Further days, all of them."
    )
    windows = serializers.ListField(
        child=TextField(max_length=40), required=False, max_length=MOST_WINDOWS, help_text=_WINDOWS
    )


class CalendarChange(CalendarParts):
    """The body that changes a calendar; what is left out stays."""

    version = NumberField(
        required=False, min_value=1, max_value=_BIGGEST, help_text="Change it only if it is still in this version."
    )


class CalendarRequest(CalendarParts):
    """The body that creates a calendar."""

    name = TextField(max_length=CALENDAR_NAME_LENGTH, help_text="Small letters, digits, dashes and underscores.")


class IcsRequest(Body):
    """The body that imports an ICS file."""

    ics = TextField(max_length=MOST_BYTES, trim_whitespace=False, help_text="The file's text.")
    replace = FlagField(required=False, default=False, help_text="Whether its other dates go.")


class CalendarDay(serializers.Serializer[Any]):
    """A day that is excluded as a whole."""

    day = serializers.DateField()
    kind = EnumField(DayKind, help_text="Why.")
    name = serializers.CharField(help_text="What it is called.")


class CalendarYear(serializers.Serializer[Any]):
    """The days of a year that are excluded as a whole."""

    year = serializers.IntegerField()
    days = CalendarDay(many=True)
    windows = serializers.ListField(child=serializers.CharField(), help_text=_WINDOWS)
