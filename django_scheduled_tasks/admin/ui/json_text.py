"""JSON as text for people, with secret parameters masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.parameters import mask_by_name
from django_scheduled_tasks.registry import registry


def as_json(value: Any) -> str:
    """Return a JSON value as indented text."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def masked(function: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with secrets masked; by their names alone if the function is no longer registered."""
    try:
        return registry.get(function).parameters.mask(params)
    except FunctionNotRegistered:
        found: dict[str, Any] = mask_by_name(dict(params))
        return found
