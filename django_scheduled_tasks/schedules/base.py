"""The base class of schedules, and how an app adds its own kind of schedule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.texts import gettext as _

SECOND = timedelta(seconds=1)
_UTC = ZoneInfo("UTC")
KIND_MAX_LENGTH = 32
"""What the column that stores the kind can hold."""


class Schedule(ABC):
    """A rule that yields instants: whole seconds, in UTC, strictly increasing. It is a frozen value without a clock.

    To add a kind of schedule, write a frozen dataclass with a ``kind``. It can be read from one text and written as
    one, and it finds the instants after and before another one::

        @register_schedule_kind
        @dataclass(frozen=True)
        class FullMoon(Schedule):
            kind = "full-moon"
            expression: str = ""

            @classmethod
            def parse(cls, expression, *, timezone, anchor):
                return cls(expression)

            def next_after(self, moment): ...
            def previous_before(self, moment): ...

    It may also describe itself in a sentence (:meth:`describe`), warn (:meth:`warnings`) and count faster
    (:meth:`count`).
    """

    __slots__ = ()
    kind: ClassVar[str] = ""
    """The name under which it is stored; at most 32 characters."""
    expression: Any
    """A text from which :meth:`parse` makes an equal schedule; it is stored and shown."""

    @classmethod
    @abstractmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Read a schedule from *expression*.

        Args:
            expression: What somebody typed, or what was stored.
            timezone: The task's zone, in which wall-clock times are read.
            anchor: From when an interval counts; other kinds ignore it.
        Raises:
            InvalidSchedule: *expression* is not valid; say which part, and what would be right.
        """

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due instant strictly later than *moment*.

        Args:
            moment: Any aware datetime; the caller owns the clock.
        Returns:
            Aware, in UTC, whole seconds; ``None`` once the schedule has ended.
        Raises:
            ValueError: *moment* is naive.
        """

    @abstractmethod
    def previous_before(self, moment: datetime) -> datetime | None:
        """Return the last due instant strictly earlier than *moment*; otherwise as :meth:`next_after`."""

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due instants are later than *after* and not later than *until*.

        This implementation visits each of them. A kind that may be due often should calculate the number instead,
        since the planner asks for it after a long downtime.
        """
        number, found = 0, self.next_after(after)
        while found is not None and found <= until:
            number, found = number + 1, self.next_after(found)
        return number

    @property
    def zone(self) -> ZoneInfo:
        """The zone by whose clock it goes."""
        return getattr(self, "timezone", None) or _UTC

    def walls_meant_once(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the walls from *low* on and before *high* at which it is due once even if the clock shows them twice.

        A wall that the clock skips means the first instant after the gap. A kind that goes by the wall clock says here
        what a change of the clock is about; others have none.
        """
        del low, high
        yield from ()

    def describe(self) -> str:
        """Return a translated sentence without a full stop; "" if no sentence is certain to be right."""
        return ""

    def warnings(self, *, now: datetime) -> list[str]:
        """Return translated sentences about behaviour that may surprise."""
        del now
        return []


_KINDS: dict[str, type[Schedule]] = {}
_ScheduleType = TypeVar("_ScheduleType", bound=type[Schedule])


def register_schedule_kind(cls: _ScheduleType) -> _ScheduleType:
    """Register a kind of schedule under its ``kind``; usable as a decorator. Call it while your app is loaded.

    Raises:
        TypeError: *cls* has no usable ``kind``.
        ValueError: Another class has this ``kind``.
    """
    if not 0 < len(cls.kind) <= KIND_MAX_LENGTH:
        raise TypeError(f"{cls.__qualname__}.kind has to be a text of 1 to {KIND_MAX_LENGTH} characters.")
    known = _KINDS.setdefault(cls.kind, cls)
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"The kind {cls.kind!r} is {known.__module__}.{known.__qualname__} already.")
    _KINDS[cls.kind] = cls
    return cls


def schedule_kinds() -> Mapping[str, type[Schedule]]:
    """Return the registered kinds, by name."""
    return MappingProxyType(_KINDS)


def parse_schedule(
    kind: str, expression: str, *, timezone: str | ZoneInfo = "UTC", anchor: datetime | None = None
) -> Schedule:
    """Return the schedule that these stored columns describe.

    Args:
        kind: ``cron``, ``interval``, ``weeks``, ``workday``, ``dates``, ``manual``, or one that was registered.
        expression: The schedule as text.
        timezone: Its IANA name.
        anchor: Aware; from when an interval counts.
    Raises:
        InvalidSchedule: Something is not valid; its ``field`` is ``kind``, ``timezone``, or says which part.
    """
    zone = parse_timezone(timezone)
    try:
        cls = _KINDS[kind]
    except (KeyError, TypeError):
        raise InvalidSchedule(
            _('There is no kind of schedule called "%(kind)s". Known are: %(known)s.')
            % {"kind": kind, "known": ", ".join(sorted(_KINDS))},
            field="kind",
            value=str(kind),
        ) from None
    return cls.parse(expression, timezone=zone, anchor=anchor)


_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})
"""Files of the time zone database that are no place's zone: the machine's own setting, defaults, and "not set"."""


@cache
def timezone_names() -> frozenset[str]:
    """Return the names in the IANA time zone database, links included, as the system or ``tzdata`` has it."""
    return frozenset(available_timezones()) - _NOT_ZONES


def parse_timezone(name: str | ZoneInfo) -> ZoneInfo:
    """Return the zone called *name*.

    ``zoneinfo`` opens more than the zones of the database: ``right/Europe/Berlin``, for example, counts leap seconds
    and knows other dates for clock changes. Such names are refused.

    Raises:
        InvalidSchedule: It is no name in the IANA time zone database; ``field`` is ``timezone``.
    """
    key: object = name.key if isinstance(name, ZoneInfo) else name
    if isinstance(key, str) and (key == "UTC" or key in timezone_names()):
        return name if isinstance(name, ZoneInfo) else _zone(key)
    raise InvalidSchedule(
        _('There is no time zone "%(name)s". Write it like Europe/Berlin or UTC.') % {"name": str(key)[:64]},
        field="timezone",
        value=str(key)[:64],
    )


@cache
def _zone(name: str) -> ZoneInfo:
    # ZoneInfo itself remembers only the last eight, and a zone that is read anew is another key of our caches.
    return ZoneInfo(name)


def floor_second(moment: datetime) -> datetime:
    """Return *moment* in UTC without its fraction of a second.

    Raises:
        ValueError: *moment* is naive.
    """
    return in_utc(moment).replace(microsecond=0)


def ceil_second(moment: datetime) -> datetime:
    """Return the first whole second, in UTC, that is not earlier than *moment*; raise ValueError if it is naive."""
    floor = floor_second(moment)
    return floor + SECOND if in_utc(moment).microsecond else floor


EARLIEST, _LATEST = datetime(3, 1, 1, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)
"""The first and last instant of any schedule; nearer to the ends of Python's calendar, zones cannot be converted."""


def in_utc(moment: datetime) -> datetime:
    """Return *moment* in UTC, not beyond where schedules begin and end; raise ValueError if it is naive."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone; schedules need an aware datetime.")
    if moment.year < EARLIEST.year:
        return EARLIEST
    return _LATEST if moment.year >= _LATEST.year else moment.astimezone(UTC)
