"""A list of instants."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NoReturn
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import wall
from django_scheduled_tasks.schedules.base import Schedule, floor_second, register_schedule_kind
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import say_number

MOST_DATES = 1_000
_SHOWN = 40


@register_schedule_kind
@dataclass(frozen=True, slots=True)
class Dates(Schedule):
    """Instants, in order, each once."""

    kind: ClassVar[str] = "dates"
    instants: tuple[datetime, ...]
    """Aware; at least one, at most 1,000."""
    timezone: ZoneInfo | None = field(default=None, compare=False)
    """The zone in which they are shown. None: the project's default; UTC until the task is stored."""

    def __post_init__(self) -> None:
        """Sort them; raise InvalidSchedule if one is naive, or there are none or too many."""
        instants = tuple(self.instants)
        if not 1 <= len(instants) <= MOST_DATES:
            raise InvalidSchedule(
                _("Give at least one and at most %(most)s dates; these are %(given)s.")
                % {"most": say_number(MOST_DATES), "given": say_number(len(instants))},
                field="dates",
                allowed=(1, MOST_DATES),
            )
        object.__setattr__(self, "instants", tuple(sorted({_checked(instant) for instant in instants})))

    @classmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Dates:
        """Read ISO 8601 instants, one a line or between commas; one without an offset is read in *timezone*."""
        del anchor
        return cls(tuple(_read(text, timezone) for text in _split(expression)), timezone)

    @property
    def expression(self) -> str:
        """The instants in UTC, one a line."""
        return "\n".join(instant.strftime("%Y-%m-%dT%H:%M:%SZ") for instant in self.instants)

    def wall_texts(self) -> list[str]:
        """Return them as its zone's clock shows them, such as ``2026-12-24 18:00``; :meth:`parse` reads them back.

        A time that the clock shows twice has its offset behind it.
        """
        zone = self.timezone or ZoneInfo("UTC")
        return [_wall_text(instant.astimezone(zone)) for instant in self.instants]

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due instant strictly later than *moment*; see :class:`Schedule`."""
        index = bisect_right(self.instants, floor_second(moment))
        return self.instants[index] if index < len(self.instants) else None

    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last due instant strictly earlier than *moment*; see :class:`Schedule`."""
        floor_second(moment)  # refuses a naive one
        index = bisect_left(self.instants, moment)
        return self.instants[index - 1] if index else None

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many of them are later than *after* and not later than *until*."""
        return max(0, bisect_right(self.instants, until) - bisect_right(self.instants, after))


def at(*instants: datetime | str) -> Dates:
    """Return the schedule of these instants: ``at("2026-11-24T03:00+01:00")``.

    Args:
        instants: Aware datetimes, or ISO 8601 texts with an offset from UTC.
    Raises:
        InvalidSchedule: There is none, or one is not valid or has no offset.
    """
    return Dates(tuple(_parse_iso(item) if isinstance(item, str) else item for item in instants))


def _wall_text(local: datetime) -> str:
    shown = local if local.fold else local.replace(tzinfo=None)
    return shown.isoformat(" ", "seconds" if local.second else "minutes")


def _checked(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        shown = str(instant)[:_SHOWN]
        raise InvalidSchedule(
            _("%(date)s has no offset from UTC. Write it like 2026-11-24T03:00Z or 2026-11-24T03:00+01:00.")
            % {"date": shown},
            field="dates",
            value=shown,
        )
    whole = floor_second(instant)
    if not 1 < instant.year < wall.LAST_YEAR:
        _refuse(str(instant))
    return whole


def _read(text: str, timezone: ZoneInfo) -> datetime:
    instant = _parse_iso(text)
    if instant.utcoffset() is not None:
        return instant
    if not 1 < instant.year < wall.LAST_YEAR:
        _refuse(text)
    return wall.to_instant(instant.replace(microsecond=0), timezone)


def _split(expression: str) -> Iterable[str]:
    for line in re.split(r"[\n,;]+", expression):
        text = line.strip()
        if text and not _is_iso(text) and len(words := text.split()) > 1 and all(map(_is_iso, words)):
            yield from words
        elif text:
            yield text


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _parse_iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise InvalidSchedule(
        _("%(date)s is not a date and time. Write it like 2026-11-24T03:00Z.") % {"date": text[:_SHOWN]},
        field="dates",
        value=text[:_SHOWN],
    )
