"""What a schedule is: a pure value that yields due instants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule

EXPRESSION_MAX_LENGTH = 50_000
"""The longest expression that is looked at, in characters."""


class Schedule(ABC):
    """A schedule. Kinds are frozen dataclasses that refuse bad input when they are made.

    To add a kind from another app, write a subclass with :attr:`kind`, :attr:`expression`, :meth:`parse`,
    :meth:`next_after` and :meth:`previous_before`, and give it to :func:`register_schedule_kind` in the ``ready`` of
    your app.
    """

    kind: ClassVar[str]
    """The word that is stored to say which kind it is."""
    timezone: ZoneInfo | None = None
    """The zone whose wall clock counts; None: the project's when it is stored, UTC when it is computed."""

    @property
    @abstractmethod
    def expression(self) -> str:
        """The one text form, as stored; :meth:`parse` reads it back to an equal schedule."""

    @classmethod
    @abstractmethod
    def parse(cls, expression: str, *, timezone: ZoneInfo, anchor: datetime | None) -> Self:
        """Return the schedule that *expression* describes.

        Args:
            expression: The text form.
            timezone: The zone whose wall clock counts.
            anchor: Aware; where counting starts, for kinds that count from somewhere.
        Raises:
            InvalidSchedule: With the field, the value and the range that is allowed.
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

    def count_between(self, start: datetime, end: datetime) -> int:
        """Return how many instants are due from *start*, inclusive, to *end*, exclusive.

        This one walks; kinds that may be due millions of times compute it.
        """
        count, moment = 0, in_utc(start) - timedelta(microseconds=1)
        while (following := self.next_after(moment)) is not None and following < end:
            count, moment = count + 1, following
        return count


_kinds: dict[str, type[Schedule]] = {}


def register_schedule_kind(kind: type[Schedule]) -> type[Schedule]:
    """Make *kind* known; usable as a decorator.

    Raises:
        ValueError: Another class has the same word.
    """
    known = _kinds.setdefault(kind.kind, kind)
    if (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(f'The kind of schedule "{kind.kind}" is {known.__module__}.{known.__qualname__} already.')
    _kinds[kind.kind] = kind
    return kind


def schedule_kinds() -> dict[str, type[Schedule]]:
    """Return all kinds by their word."""
    return dict(_kinds)


def in_utc(moment: datetime) -> datetime:
    """Return *moment* in UTC.

    Raises:
        ValueError: It is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment needs a time zone.")
    return moment.astimezone(UTC)


def check_length(expression: str) -> None:
    """Refuse an expression that nobody has typed, before anything else looks at it."""
    if len(expression) > EXPRESSION_MAX_LENGTH:
        raise InvalidSchedule(
            f"The expression has {len(expression)} characters; at most {EXPRESSION_MAX_LENGTH} are read.",
            field="expression",
        )
