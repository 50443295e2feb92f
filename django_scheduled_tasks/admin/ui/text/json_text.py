"""JSON as text for people."""

from __future__ import annotations

import json
from typing import Any


def as_json(value: Any) -> str:
    """Return a JSON value as indented text."""
    return json.dumps(value, indent=2, ensure_ascii=False)
