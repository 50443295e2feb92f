"""An instant as programs read it."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_milliseconds(instant: datetime) -> str:
    """Return *instant* in UTC as ISO 8601 with milliseconds and ``Z``: ``2026-03-20T23:00:53.966Z``."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
