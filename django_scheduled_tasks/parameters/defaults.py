"""The defaults of a function's parameters, as they may be shown: without secrets, and the same in each process."""

from __future__ import annotations

import inspect
import json
from enum import Enum
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.parameters.masking import MASK, find, hide
from django_scheduled_tasks.parameters.names import sounds_secret

LONGEST = 200
"""How many characters of a default are kept."""
_PLAIN = (str, int, float, bool, type(None))


def shown_default(parameter: inspect.Parameter) -> str:
    """Return the default of *parameter* as JSON, cut where it is long; of other values the name of their type.

    Only what is written alike in each process is told: of a set or of an object it may not be.
    """
    value = parameter.default
    if isinstance(value, FieldInfo):
        value = value.default_factory if value.default_factory is not None else value.default
    if value is not None and _is_secret(parameter, value):
        return MASK
    try:
        plain = _plain(value)
        text = json.dumps(hide(plain, find(plain, {}, {}, get_settings().SECRET_NAMES)), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return f"({getattr(value, '__qualname__', type(value).__qualname__)})"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _is_secret(parameter: inspect.Parameter, value: Any) -> bool:
    written = parameter.annotation if isinstance(parameter.annotation, str) else repr(parameter.annotation)
    return isinstance(value, (SecretStr, SecretBytes)) or "Secret" in written or sounds_secret(parameter.name)


def _plain(value: Any) -> Any:
    """Return *value* as JSON.

    Raises:
        TypeError: It is none, or might be written otherwise in another process.
    """
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    raise TypeError
