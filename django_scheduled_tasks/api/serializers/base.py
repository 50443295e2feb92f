"""What serializers share: camelCase keys, unknown keys refused, slim answers."""

from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework import serializers

from django_scheduled_tasks.api.serializers.fields import (
    DurationField,
    FlagField,
    InstantField,
    NumberField,
    TextField,
    from_form,
)
from django_scheduled_tasks.api.serializers.naming import camel
from django_scheduled_tasks.db.fields import UtcDateTimeField


class StrictMixin:
    """Refuses unknown keys by name: a misspelt one would silently do nothing."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values of a body."""
        this: Any = self
        if (
            isinstance(data, dict)
            and not from_form(this)
            and (unknown := sorted(set(data) - set(this.fields), key=str))
        ):
            known = ", ".join(this.fields)
            error = serializers.ErrorDetail(f"There is no such key; known are {known}.", code="unknown")
            raise serializers.ValidationError({key: [error] for key in unknown})
        return super().to_internal_value(data)  # type: ignore[misc]


class Body(StrictMixin, serializers.Serializer[Any]):
    """The body of a request."""


class CamelMixin:
    """Names fields in camelCase, and leaves out those that ``?fields=`` does not name."""

    def get_fields(self) -> dict[str, Any]:
        """Return the fields by JSON key."""
        found: dict[str, Any] = {}
        for name, field in super().get_fields().items():  # type: ignore[misc]
            key = camel(name)
            if key != name and field.source is None:
                field.source = name
            found[key] = field
        return self._slim(found)

    def _slim(self, found: dict[str, Any]) -> dict[str, Any]:
        this: Any = self
        wanted: list[str] = this.context.get("fields", [])
        if unknown := sorted(set(wanted) - set(found)):
            known = ", ".join(found)
            message = f"There is no {', '.join(unknown)}; known are {known}."
            raise serializers.ValidationError({"fields": [serializers.ErrorDetail(message, code="unknown")]})
        return {key: field for key, field in found.items() if key in wanted} if wanted else found


class CamelModelSerializer(CamelMixin, serializers.ModelSerializer[Any]):
    """A resource."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        UtcDateTimeField: InstantField,
        models.DurationField: DurationField,
        models.CharField: TextField,
        models.TextField: TextField,
        models.BooleanField: FlagField,
        models.PositiveIntegerField: NumberField,
        models.PositiveSmallIntegerField: NumberField,
        models.BigAutoField: NumberField,
    }
