"""How the views of the REST API are described in the OpenAPI schema."""

from __future__ import annotations

import inspect
from typing import Any

from drf_spectacular.openapi import AutoSchema

from django_scheduled_tasks.api.openapi import extensions as _extensions  # noqa: F401  (to be known, it has to be imported)
from django_scheduled_tasks.api.openapi.parts import LOG_IN, TOO_MANY

TAG = "scheduled tasks"
STRICT = "StrictSerializer"


class Schema(AutoSchema):
    """Our views' part of the project's schema."""

    def get_operation_id(self) -> str:
        """Return the name of the call in generated clients, such as ``tasks_run_once``."""
        view: Any = self.view
        return f"{view.noun}_{view.action}"

    def get_override_parameters(self) -> list[Any]:
        """Return the headers that each refusal has."""
        return [LOG_IN, TOO_MANY]

    def get_tags(self) -> list[str]:
        """Return one tag for all of them."""
        return [TAG]

    def map_parsers(self) -> list[Any]:
        """Return JSON; forms are for the browsable API."""
        return ["application/json"]

    def map_renderers(self, attribute: str) -> list[Any]:
        """Return JSON; pages are for people."""
        return ["application/json"] if attribute == "media_type" else super().map_renderers(attribute)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        kinds = (serializer if inspect.isclass(serializer) else type(serializer)).__mro__
        if direction == "request" and any(kind.__name__ == STRICT for kind in kinds):
            schema["additionalProperties"] = False
        return schema
