"""Names in Python, names in JSON."""

from __future__ import annotations

import re


def camel(name: str) -> str:
    """Return *name* as a JSON key: ``paused_until`` becomes ``pausedUntil``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def camel_path(path: str) -> str:
    """Return a dotted *path* whose first part is one of our names; names of parameters after it stay as they are."""
    first, dot, rest = path.partition(".")
    return camel(first) + dot + rest
