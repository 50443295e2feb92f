"""Instants and names as programs read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime


def iso_milliseconds(instant: datetime) -> str:
    """Return *instant* in UTC as ISO 8601 with milliseconds and ``Z``: ``2026-03-20T23:00:53.966Z``."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def camel(name: str) -> str:
    """Return *name* as a JSON key: ``paused_until`` becomes ``pausedUntil``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
