"""How our serializer fields are described in the OpenAPI schema."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

ENUM_NAMES = {
    "Status": "ExecutionStatus",
    "Outcome": "ExecutionOutcome",
    "Trigger": "ExecutionTrigger",
    "Overlap": "OverlapPolicy",
    "CatchUp": "CatchUpPolicy",
    "OnExcluded": "OnExcluded",
    "DayKind": "CalendarDayKind",
    "OnWorkerLost": "OnWorkerLost",
    "Replay": "Replay",
    "Origin": "TaskOrigin",
    "LogLevel": "TaskLogLevel",
    "HoldScope": "HoldScope",
    "Kind": "AlertKind",
    "RuleScope": "AlertRuleScope",
    "Report": "ChannelReport",
    "Deed": "ChangeDeed",
    "Way": "ChangeWay",
    "ChangeKind": "ChangeKind",
    "ErrorOrigin": "TaskErrorOrigin",
    "TaskStateWord": "TaskState",
    "BulkStatus": "BulkStatus",
    "Act": "ImportAct",
    "EffectKind": "ClockChangeEffect",
}
"""Names of components; ``Status`` alone would meet those of the project."""
_FIELDS = "django_scheduled_tasks.api.serializers.base."


class InstantExtension(OpenApiSerializerFieldExtension):
    """Instants."""

    target_class = _FIELDS + "InstantField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the schema."""
        del auto_schema, direction
        return {"type": "string", "format": "date-time", "example": "2026-03-20T23:00:53.966Z"}


class DurationExtension(OpenApiSerializerFieldExtension):
    """Durations."""

    target_class = _FIELDS + "DurationField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the schema."""
        del auto_schema, direction
        pattern = r"^(?=.)(\d{1,4}w)?(\d{1,5}d)?(\d{1,6}h)?(\d{1,7}m)?(\d{1,9}s)?$"
        return {"type": "string", "pattern": pattern, "example": "2h30m"}


class WallTimeExtension(OpenApiSerializerFieldExtension):
    """Times of day."""

    target_class = _FIELDS + "WallTimeField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the schema."""
        del auto_schema, direction
        return {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "example": "06:00"}


class ObjectExtension(OpenApiSerializerFieldExtension):
    """JSON objects."""

    target_class = _FIELDS + "ObjectField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the schema."""
        del auto_schema, direction
        return {"type": "object", "additionalProperties": {}}


class EnumExtension(OpenApiSerializerFieldExtension):
    """Enums: each is a component, and tells what its words mean."""

    target_class = _FIELDS + "EnumField"

    def get_name(self) -> str | None:
        """Return the name of the component."""
        return ENUM_NAMES[self.target.enum.__name__]

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Return the schema."""
        del auto_schema, direction
        enum = self.target.enum
        said = meanings(enum)
        lines = [f"* `{item}`: {said[item.name]}" for item in enum]
        return {"type": "string", "enum": [str(item) for item in enum], "description": "\n".join(lines)}


@cache
def meanings(enum: type[StrEnum]) -> Mapping[str, str]:
    """Return the docstring of each member of *enum*: they are written once, where the member is defined."""
    body = ast.parse(inspect.getsource(enum)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101  (for the type checker)
    found: dict[str, str] = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            name = statement.targets[0]
            assert isinstance(name, ast.Name)  # noqa: S101  (as above)
            found[name.id] = inspect.cleandoc(str(after.value.value)).replace("``", "`")
    return found
