"""Fields and base classes of serializers: strict types, camelCase keys, no unknown keys.

Instants are in UTC with milliseconds, durations are texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from django.db import models
from django.utils.datastructures import MultiValueDict
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils.html import is_html_input

from django_scheduled_tasks.db.fields import UtcDateTimeField
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.instants import camel, iso_milliseconds
from django_scheduled_tasks.models.limits import EARLIEST, LATEST
from django_scheduled_tasks.schedules import format_duration, parse_duration

MOST_PREVIEWED = 100
"""The most instants that a preview tells."""
KINDS_TEXT = "`cron`, `interval`, `weeks`, `workday`, `dates`, `manual`, or one of the project's."
_WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
BIGGEST = 2_147_483_647
"""The largest number in a column."""


def from_form(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    """Whether *field* is filled from an HTML form, where everything is a text."""
    return is_html_input(getattr(field.root, "initial_data", None))


def read_instant(text: object) -> datetime | None:
    """Return what *text* says as an aware instant, or None if it says none or none that we can keep."""
    if not isinstance(text, str):
        return None
    try:
        found = parse_datetime(text.strip())
        found = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and EARLIEST <= found <= LATEST else None


class TextField(serializers.CharField):
    """A text; numbers and other types are refused."""

    def run_validation(self, data: Any = empty) -> Any:
        """Return *data* if it is not too long with the blanks at its ends, which are cut off."""
        if isinstance(data, str) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is a text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class NumberField(serializers.IntegerField):
    """A whole number; a text is none, unless it comes from a form."""

    def to_internal_value(self, data: Any) -> int:
        """Return *data* if it is a whole number."""
        if isinstance(data, bool) or (not isinstance(data, int) and not from_form(self)):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """True or false; a text is neither, unless it comes from a form."""

    def to_internal_value(self, data: Any) -> bool:
        """Return *data* if it is true or false."""
        if not isinstance(data, bool) and not from_form(self):
            self.fail("invalid", input=data)
        return super().to_internal_value(data)


class InstantField(serializers.Field[datetime | None, Any, str, Any]):
    """An instant: ISO 8601 with a time zone in, UTC with milliseconds and ``Z`` out."""

    default_error_messages = {
        "invalid": "Write an instant as ISO 8601 with a time zone, such as 2026-03-20T23:00:00Z, after 1970."
    }

    def to_internal_value(self, data: Any) -> datetime | None:
        """Return the aware instant."""
        if data == "" and self.allow_null and from_form(self):
            return None
        found = read_instant(data)
        if found is None:
            self.fail("invalid")
        return found

    def to_representation(self, value: datetime | None) -> str:
        """Return it as text; DRF itself answers null for None."""
        return iso_milliseconds(value) if value is not None else ""


class DurationField(serializers.Field[timedelta | None, Any, str, Any]):
    """A duration as text: ``90s``, ``5m``, ``2h30m``, ``1d``."""

    default_error_messages = {"invalid": 'Write a duration as a text like "90s", "5m", "2h30m" or "1d".'}

    def to_internal_value(self, data: Any) -> timedelta | None:
        """Return the duration."""
        if data == "" and self.allow_null and from_form(self):
            return None
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return parse_duration(data)
        except InvalidSchedule as exc:
            raise serializers.ValidationError(exc.message, code="invalid") from None

    def to_representation(self, value: timedelta | None) -> str:
        """Return it as text; fractions of a second are dropped."""
        return format_duration(value) if value is not None else ""


class WallTimeField(serializers.Field[time | None, Any, str, Any]):
    """A time of day as text: ``06:00`` or ``06:00:30``."""

    default_error_messages = {"invalid": 'Write a time of day as a text like "06:00".'}

    def to_internal_value(self, data: Any) -> time | None:
        """Return the time."""
        if data == "" and self.allow_null and from_form(self):
            return None
        if not isinstance(data, str) or not _WALL_TIME.fullmatch(data.strip()):
            self.fail("invalid")
        return time.fromisoformat(data.strip())

    def to_representation(self, value: time | None) -> str:
        """Return it as text, with seconds if there are some."""
        return "" if value is None else f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"


class ObjectField(serializers.DictField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        """Return *data* if it is an object; items are whatever they are."""
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return data

    def to_representation(self, value: Any) -> Any:
        """Return it as it is."""
        return value


class EnumField(serializers.ChoiceField):
    """One of the words of an enum; the schema names the enum and tells what each word means."""

    def __init__(self, enum: type[StrEnum], **options: Any) -> None:
        self.enum = enum
        super().__init__(choices=[(str(item), str(item)) for item in enum], **options)

    def to_internal_value(self, data: Any) -> Any:
        """Return the member."""
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        found = super().to_internal_value(data)
        return self.enum(found) if found else None

    def to_representation(self, value: Any) -> Any:
        """Return the word; what an older version wrote is shown as it is."""
        return str(value) if value else None


# --- serializers --------------------------------------------------------------------------------------------------


_IN_EACH_FORM = frozenset({"csrfmiddlewaretoken"})


def check_known(names: Iterable[str], known: Iterable[str], *, noun: str) -> None:
    """Refuse names that are not known: a misspelt one would silently do nothing.

    Args:
        names: What was given.
        known: What may be given.
        noun: What these are, for the message.
    Raises:
        ValidationError: One item for each that is not known, with the nearest one that is.
    """
    known = list(known)
    if unknown := sorted(set(names) - set(known), key=str):
        raise serializers.ValidationError({name: [_unknown(str(name), known, noun)] for name in unknown})


def _unknown(name: str, known: list[str], noun: str) -> serializers.ErrorDetail:
    by_lower = {item.lower(): item for item in known}
    near = get_close_matches(name[:100].lower(), by_lower, n=1)
    if near:
        text = f'There is no such {noun}; did you mean "{by_lower[near[0]]}"?'
    elif known:
        text = f"There is no such {noun}; known are {', '.join(known)}."
    else:
        text = f"There is no such {noun}; there are none here."
    return serializers.ErrorDetail(text, code="unknown")


def _keys(data: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a body; of a form, the part that names a field in names such as ``params.month``."""
    if not isinstance(data, MultiValueDict):
        yield from data
        return
    for name in data.keys() - _IN_EACH_FORM:
        first = re.split(r"[.[]", name, maxsplit=1)[0]
        if name == first and isinstance(fields.get(name), (serializers.Serializer, serializers.DictField)):
            error = serializers.ErrorDetail(
                f"A form gives it by parts, such as {name}.month; or send JSON.", code="form"
            )
            raise serializers.ValidationError({name: [error]})
        yield first


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown keys by name: a misspelt one would silently do nothing."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values of a body."""
        if isinstance(data, dict):
            check_known(_keys(data, self.fields), self.fields, noun="key")
        return super().to_internal_value(data)


class Body(StrictSerializer):
    """The body of a request; it asks for nothing but the body, so one object serves all requests."""


class CamelModelSerializer(serializers.ModelSerializer[Any]):
    """A resource: its fields are named in camelCase, and those that ``?fields=`` does not name are left out."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        UtcDateTimeField: InstantField,
        models.DurationField: DurationField,
        models.TimeField: WallTimeField,
        models.CharField: TextField,
        models.TextField: TextField,
        models.BooleanField: FlagField,
        models.PositiveIntegerField: NumberField,
        models.PositiveSmallIntegerField: NumberField,
        models.BigAutoField: NumberField,
    }

    def get_fields(self) -> dict[str, Any]:
        """Return the fields by JSON key."""
        found: dict[str, Any] = {}
        for name, field in super().get_fields().items():
            key = camel(name)
            if key != name and field.source is None:
                field.source = name
            found[key] = field
        return self._slim(found)

    def _slim(self, found: dict[str, Any]) -> dict[str, Any]:
        wanted: list[str] = self.context.get("fields", [])
        if unknown := sorted(set(wanted) - set(found)):
            known = ", ".join(found)
            message = f"There is no {', '.join(unknown)}; known are {known}."
            raise serializers.ValidationError({"fields": [serializers.ErrorDetail(message, code="unknown")]})
        return {key: field for key, field in found.items() if key in wanted} if wanted else found
