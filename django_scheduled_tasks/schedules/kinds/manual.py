"""No schedule: the task runs only when somebody starts it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.base import Schedule, floor_second, register_schedule_kind
from django_scheduled_tasks.schedules.texts import gettext as _


@register_schedule_kind
@dataclass(frozen=True, slots=True)
class Manual(Schedule):
    """Never due by itself."""

    kind: ClassVar[str] = "manual"

    @property
    def expression(self) -> str:
        """Always empty."""
        return ""

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Manual:
        """Accept only an empty text."""
        del timezone, anchor
        if expression.strip():
            raise InvalidSchedule(_("A task without a schedule has no expression."), value=expression[:100])
        return cls()

    def next_after(self, moment: datetime) -> None:
        """Return None: it is never due."""
        floor_second(moment)  # refuses a naive one, as every kind does

    def previous_before(self, moment: datetime) -> None:
        """Return None: it was never due."""
        floor_second(moment)

    def count(self, after: datetime, until: datetime) -> int:
        """Return 0."""
        del after, until
        return 0
