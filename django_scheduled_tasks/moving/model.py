"""A row of another scheduler, as its source reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django_scheduled_tasks.moving.rules.fields import Reading


@dataclass(kw_only=True)
class Row:
    """One task of another scheduler."""

    key: str
    """What it is known by, for ever: ``celery-beat:14``."""
    name: str
    """As it was called there."""
    target: str
    """What it ran: a dotted path, or a command line."""
    is_line: bool = False
    """Whether the target is a command line."""
    command: str = ""
    """The management command that the target is, if it is one."""
    words: list[str] = field(default_factory=list)
    """Of a command, what is typed behind its name."""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    """Further columns of the task."""
    reading: Reading | None = None
    cannot: str = ""
    """Why it cannot be moved: a sentence."""
    losses: list[str] = field(default_factory=list)
    """Sentences: what is gone."""
    notes: list[str] = field(default_factory=list)
    """Sentences: what to know."""

    def columns(self) -> Mapping[str, Any]:
        """Return the columns that say when and how it runs."""
        reading = self.reading
        if reading is None:
            return {}
        found: dict[str, Any] = {
            "schedule_kind": reading.kind,
            "expression": reading.expression,
            "timezone": reading.timezone,
        }
        times = {name: getattr(reading, name) for name in ("starts_at", "ends_at", "max_runs")}
        return found | {name: value for name, value in times.items() if value is not None} | self.values
