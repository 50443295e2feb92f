"""What is kept of the value that a function returned."""

from __future__ import annotations

import json
from typing import Any

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.texts import Masker, storable


def storable_result(result: Any, masker: Masker | None = None) -> tuple[Any, str]:
    """Return *result* as it is stored, and how it is to be read: ``json``, ``repr`` or ``cut``.

    What is not JSON is kept as its ``repr``; what is larger than the limit as a text that is cut.
    """
    if result is None:
        return None, ""
    mask = masker or Masker()
    limit = get_settings().RESULT_MAX_BYTES
    try:
        text, kind = json.dumps(result, allow_nan=False), "json"
    except (TypeError, ValueError, RecursionError):
        text, kind = _repr(result), "repr"
    if len(text.encode("utf-8", "replace")) > limit:
        return storable(mask(text), limit), "cut"
    if kind == "repr":
        return storable(mask(text), limit), kind
    # A NUL is legal in JSON but not in PostgreSQL's jsonb, nor is half a surrogate pair.
    if "\\u0000" in text or "\\ud" in text:
        return storable(mask(_repr(result)), limit), "repr"
    return mask.json(json.loads(text)), kind


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a __repr__ is user code and may itself fail)
        return f"<{type(value).__qualname__}: its repr failed>"
