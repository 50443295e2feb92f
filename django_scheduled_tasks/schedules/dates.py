"""At one or more given instants."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.base import Schedule, check_length, in_utc, register_schedule_kind
from django_scheduled_tasks.schedules.zones import instant_of

MOST = 1_000
"""The most instants that one schedule has."""


@register_schedule_kind
@dataclass(frozen=True)
class Dates(Schedule):
    """At given instants.

    Args:
        instants: Aware, in any order; fractions of a second are dropped.
    Raises:
        InvalidSchedule: None, or too many.
        ValueError: One is naive.
    """

    instants: tuple[datetime, ...]
    kind: ClassVar[str] = "dates"

    def __post_init__(self) -> None:
        instants = sorted({in_utc(instant).replace(microsecond=0) for instant in self.instants})
        if not 1 <= len(instants) <= MOST:
            raise InvalidSchedule(
                _("Dates: give from 1 to %(most)s of them; these are %(count)s.")
                % {"most": MOST, "count": len(instants)},
                field="dates",
            )
        object.__setattr__(self, "instants", tuple(instants))

    @property
    def expression(self) -> str:
        """ISO 8601 in UTC, one a line."""
        return "\n".join(instant.isoformat().replace("+00:00", "Z") for instant in self.instants)

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Read instants separated by new lines, commas or semicolons; one without an offset is in *timezone*."""
        check_length(expression)
        texts = [part.strip() for part in re.split(r"[,;\n]", expression)]
        return cls(tuple(_read(text, timezone) for text in texts if text))

    def next_after(self, moment: datetime) -> datetime | None:
        """See :meth:`Schedule.next_after`."""
        index = bisect_right(self.instants, in_utc(moment))
        return self.instants[index] if index < len(self.instants) else None

    def previous_before(self, moment: datetime) -> datetime | None:
        """See :meth:`Schedule.previous_before`."""
        index = bisect_left(self.instants, in_utc(moment))
        return self.instants[index - 1] if index else None


def _read(text: str, zone: ZoneInfo) -> datetime:
    try:
        read = datetime.fromisoformat(text)
        return instant_of(zone, read) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidSchedule(
            _("Dates: %(value)s is not a date and time such as 2026-12-24T18:00:00Z or 2026-12-24 18:00.")
            % {"value": text[:40]},
            field="dates",
            value=text[:40],
        ) from None


def at(*instants: datetime | str) -> Dates:
    """Return the schedule of given instants: ``at("2026-12-24T18:00:00Z", …)``.

    Args:
        instants: Aware datetimes, or ISO 8601 texts; a text without an offset is in UTC.
    Raises:
        InvalidSchedule: One cannot be read.
        ValueError: A datetime is naive.
    """
    zone = ZoneInfo("UTC")
    return Dates(tuple(_read(item, zone) if isinstance(item, str) else item for item in instants))
