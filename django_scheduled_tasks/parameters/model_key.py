"""An annotation that says of which model a parameter is the key: ``Annotated[int, ModelKey("shop.Customer")]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODEL = "x-model"
"""The key of a JSON Schema that names the model."""


@dataclass(frozen=True, slots=True)
class ModelKey:
    """Says that a parameter is the primary key of a model's object; forms then offer to look one up.

    The parameter is validated by its own type (``int``, ``UUID``, ``str``); whether there is such an object, the
    function finds out. In the JSON Schema it is ``x-model``.

    Args:
        model: The model as Django calls it, such as ``shop.Customer``.
    """

    model: str

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        found: dict[str, Any] = handler(core_schema)
        return found | {MODEL: self.model.lower()}
