"""Reading one field of another scheduler's schedule: which values it means, and how they are written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django_scheduled_tasks.moving.rules.due import Days, Due, Gap, Walls

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_TERM = re.compile(r"(?P<low>\*|\?|\w+)(-(?P<high>\w+))?(/(?P<step>\d+))?")
_LONGEST = 1_000
_NTH_WEEKS = {frozenset(range(1 + 7 * n, 8 + 7 * n)): n + 1 for n in range(4)} | {frozenset({29, 30, 31}): 5}
"""Days of the month that are those of the nth weekday of any name."""


class Unreadable(Exception):
    """It cannot be said here; the message is a sentence that says why."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """What a field may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wraps: bool = True
    """Whether a range may run backwards, over the end."""
    ours: Callable[[int], int] = int
    """From their number to ours."""
    is_kept: bool = True
    """Whether their numbers are ours."""
    open_step: bool = True
    """Whether ``5/10`` means from 5 on."""


def spans(*, weekday: Span | None = None, **options: bool) -> dict[str, Span]:
    """Return the fields of cron: ``second``, ``minute``, ``hour``, ``day``, ``month``, ``weekday``."""
    limits = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "day": (1, 31)}
    found = {name: Span(name=name, low=low, high=high, **options) for name, (low, high) in limits.items()}  # type: ignore[arg-type]
    found["month"] = Span(name="month", low=1, high=12, names=MONTHS, **options)  # type: ignore[arg-type]
    found["weekday"] = weekday or Span(
        name="weekday", low=0, high=7, names=WEEKDAYS, ours=lambda day: day % 7, **options
    )
    return found


@dataclass(frozen=True)
class Field:
    """What a field means."""

    values: frozenset[int]
    text: str
    """The same, as it is written here."""
    is_free: bool = False
    """Whether it is ``*``."""


FREE = Field(frozenset(), "*", is_free=True)


def read_field(text: object, span: Span) -> Field:
    """Read lists, ranges, steps and names.

    Raises:
        Unreadable: It is none of these.
    """
    if isinstance(text, (list, tuple, set, frozenset)):
        text = ",".join(map(str, sorted(text)))
    given = str(text).strip().lower()
    if len(given) > _LONGEST:
        raise Unreadable(f"The field {span.name} is longer than {_LONGEST} characters.")
    terms = [_term(part.strip(), span) for part in given.split(",")]
    values = frozenset().union(*(values for values, _text in terms))
    if given in {"*", "?"}:
        return Field(values, "*", is_free=True)
    return Field(values, ",".join(text for _values, text in terms))


def _term(part: str, span: Span) -> tuple[frozenset[int], str]:
    found = _TERM.fullmatch(part)
    if found is None:
        raise Unreadable(f"{part[:40]!r} in the field {span.name} cannot be read.")
    step = int(found["step"] or 1)
    if step < 1:
        raise Unreadable(f"The step in {part[:40]!r} is 0.")
    is_star = found["low"] in {"*", "?"}
    low = span.low if is_star else _number(found["low"], span)
    high = low if not is_star and found["high"] is None else span.high
    if found["high"] is not None:
        high = _number(found["high"], span)
    elif found["step"] and not is_star:
        if not span.open_step:
            raise Unreadable(f"{part[:40]!r} in the field {span.name} cannot be read.")
        high = span.high
    if is_star and span.name == "weekday":
        high = span.low + 6
    numbers = _numbers(low, high, step, span, part)
    ours = frozenset(map(span.ours, numbers))
    if found["step"] and found["high"] is None and low == 0 and span.name in {"second", "minute"}:
        is_star = True  # what the field of hours does when clocks change does not depend on these
    if is_star and (span.is_kept or step == 1):
        return ours, "*" if step == 1 else f"*/{step}"
    return ours, _written(numbers, [span.ours(number) for number in numbers], step)


def _numbers(low: int, high: int, step: int, span: Span, part: str) -> list[int]:
    if low <= high:
        return list(range(low, high + 1, step))
    if not span.wraps:
        raise Unreadable(f"{part[:40]!r} in the field {span.name} runs backwards.")
    size = span.high - span.low + 1 if span.name != "weekday" else 7
    return [span.low + (number - span.low) % size for number in range(low, high + size + 1, step)]


def _written(theirs: list[int], ours: list[int], step: int) -> str:
    if len(ours) == 1:
        return str(ours[0])
    if ours == list(range(ours[0], ours[-1] + 1, step)):
        return f"{ours[0]}-{ours[-1]}" + (f"/{step}" if step > 1 else "")
    if ours[-1] == 0 and ours[0] > 0 and step == 1:  # until Sunday, which is 7 as well
        return f"{ours[0]}-7"
    return ",".join(map(str, ours if ours != theirs else sorted(set(ours))))


def _number(text: str, span: Span) -> int:
    if text.isdecimal():
        number = int(text)
    else:
        found = [index for index, name in enumerate(span.names) if text[:3] == name and _is_name(text)]
        if not found:
            raise Unreadable(f"{text[:40]!r} in the field {span.name} cannot be read.")
        number = found[0] + (1 if span.name == "month" else span.low)
    if not span.low <= number <= span.high:
        raise Unreadable(f"{number} is beyond what the field {span.name} may hold.")
    return number


def _is_name(text: str) -> bool:
    full = "january february march april may june july august september october november december sunday monday tuesday"
    return len(text) == 3 or text in {*full.split(), "wednesday", "thursday", "friday", "saturday"}  # noqa: PLR2004


@dataclass(frozen=True, kw_only=True)
class System:
    """Another scheduler."""

    name: str
    gap: Gap
    twice: bool
    together: bool = True
    """Whether day and weekday both have to match."""

    @property
    def sentence(self) -> str:
        """How days are chosen, where they are chosen otherwise than here."""
        if self.together:
            return f"{self.name} wants day of the month and weekday both to match."
        return f"For {self.name} day of the month or weekday is enough."


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A schedule of another scheduler, as it is there and as it is said here."""

    kind: str
    expression: str = ""
    timezone: str = "UTC"
    due: Due
    system: System
    why: str = ""
    """What may be another thing here, beside clock changes: a sentence."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    max_runs: int | None = None
    losses: tuple[str, ...] = ()
    """Sentences: what is gone."""
    notes: tuple[str, ...] = ()
    """Sentences: what to know."""


@dataclass(frozen=True, kw_only=True)
class Special:
    """Days that are no plain numbers, and how each is written here."""

    nth: frozenset[tuple[int, int]] = frozenset()
    last: frozenset[int] = frozenset()
    working: frozenset[int] = frozenset()
    day_texts: tuple[str, ...] = ()
    weekday_texts: tuple[str, ...] = ()


def reading_of(fields: dict[str, Field], zone: ZoneInfo, system: System, special: Special | None = None) -> Reading:
    """Return what these fields mean in *system*, and how it is said here."""
    special = special or Special()
    day, weekday = fields["day"], fields["weekday"]
    days = Days(
        months=fields["month"].values,
        days=frozenset() if day.is_free else day.values,
        weekdays=frozenset() if weekday.is_free else weekday.values,
        nth=special.nth,
        last=special.last,
        working=special.working,
        together=system.together,
    )
    seconds = fields.get("second", Field(frozenset({0}), "0"))
    gap, twice = system.gap, system.twice
    if gap in {"cron", "ours"}:
        gap, twice = ("skip", True) if _moves(fields, or_minute=gap == "cron") else ("end", False)
    if gap == "end" and twice and fields["hour"].is_free:  # croniter: an hour that is free follows the real clock
        gap = "skip"
    due = Walls(days, fields["hour"].values, fields["minute"].values, seconds.values, zone, gap, twice)
    texts = [fields["minute"].text, fields["hour"].text, *_days_here(fields, special, together=system.together)]
    if seconds.text != "0":
        texts.insert(0, seconds.text)
    return Reading(
        kind="cron",
        expression=" ".join(texts),
        timezone=zone.key,
        due=due,
        system=system,
        why=system.sentence,
        notes=() if system.gap != "ours" else (f"What {system.name} does when the clock changes is not compared.",),
    )


def _moves(fields: dict[str, Field], *, or_minute: bool) -> bool:
    return fields["hour"].text.startswith("*") or (or_minute and fields["minute"].text.startswith("*"))


def _days_here(fields: dict[str, Field], special: Special, *, together: bool) -> Iterable[str]:
    """Return day, month and weekday so that they mean the same here, where that can be said."""
    day, month, weekday = fields["day"], fields["month"].text, fields["weekday"]
    days = ",".join(([] if day.is_free else [day.text]) + list(special.day_texts)) or "*"
    weekdays = ",".join(([] if weekday.is_free else [weekday.text]) + list(special.weekday_texts)) or "*"
    if "*" in {days, weekdays}:
        return days, month, weekdays
    if not together:
        return _unstarred(days, "1-31"), month, _unstarred(weekdays, "0-6")
    if (nth := _NTH_WEEKS.get(day.values)) and weekday.values and not special.day_texts and not special.weekday_texts:
        return "*", month, ",".join(f"{one}#{nth}" for one in sorted(weekday.values))
    return days, month, weekdays if days.startswith("*") or weekdays.startswith("*") else f"&{weekdays}"


def _unstarred(text: str, whole: str) -> str:
    """Return *text* without an asterisk at its beginning, which here makes both fields have to match."""
    return whole + text[1:] if text.startswith("*") else text
