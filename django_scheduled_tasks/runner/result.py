"""What is kept of the value that a function returned."""

from __future__ import annotations

import json
import re
from typing import Any

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.running.redaction import Masker, storable

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL as JSON writes it; behind an odd number of backslashes it is one, else these letters."""


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
    except Exception:  # noqa: BLE001  (no JSON; or user code failed, or a thread changes it meanwhile)
        text, kind = _repr(result), "repr"
    if len(text.encode("utf-8", "replace")) > limit:
        return storable(mask(text), limit), "cut"
    if kind == "repr":
        return storable(mask(text), limit), kind
    try:
        value = json.loads(text)
        if _is_storable(text, value):
            return mask.json(value), kind
    except RecursionError:
        return storable(mask(text), limit), "repr"
    return storable(mask(_repr(result)), limit), "repr"


def _is_storable(text: str, value: Any) -> bool:
    """Whether each database takes the JSON *text*, which is *value*.

    A NUL is legal in JSON but not in PostgreSQL's jsonb, nor is half a surrogate pair; a whole pair is an emoji.
    """
    if _NUL.search(text):
        return False
    try:
        return "\\ud" not in text or bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a __repr__ is user code and may itself fail)
        return f"<{type(value).__qualname__}: its repr failed>"
