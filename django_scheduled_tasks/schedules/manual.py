"""Never by itself: only when someone runs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django_scheduled_tasks.schedules.base import Schedule, in_utc, register_schedule_kind


@register_schedule_kind
@dataclass(frozen=True)
class Manual(Schedule):
    """No occurrences."""

    kind: ClassVar[str] = "manual"

    @property
    def expression(self) -> str:
        """Nothing."""
        return ""

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Whatever it says, there is nothing to read."""
        return cls()

    def next_after(self, moment: datetime) -> datetime | None:
        """There is none."""
        in_utc(moment)
        return None

    def previous_before(self, moment: datetime) -> datetime | None:
        """There is none."""
        in_utc(moment)
        return None
