"""The fields of a cron expression, checked one by one: libraries hide which field was wrong, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from django_scheduled_tasks.exceptions import InvalidSchedule

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTH_NAMES = (
    *(gettext_lazy("January"), gettext_lazy("February"), gettext_lazy("March"), gettext_lazy("April")),
    *(gettext_lazy("May"), gettext_lazy("June"), gettext_lazy("July"), gettext_lazy("August")),
    *(gettext_lazy("September"), gettext_lazy("October"), gettext_lazy("November"), gettext_lazy("December")),
)
MONTH_SHORT_NAMES = (
    *(gettext_lazy("Jan"), gettext_lazy("Feb"), gettext_lazy("Mar"), gettext_lazy("Apr")),
    *(pgettext_lazy("short month", "May"), gettext_lazy("Jun"), gettext_lazy("Jul"), gettext_lazy("Aug")),
    *(gettext_lazy("Sep"), gettext_lazy("Oct"), gettext_lazy("Nov"), gettext_lazy("Dec")),
)
WEEKDAY_SHORT_NAMES = (
    *(gettext_lazy("Mon"), gettext_lazy("Tue"), gettext_lazy("Wed"), gettext_lazy("Thu"), gettext_lazy("Fri")),
    *(gettext_lazy("Sat"), gettext_lazy("Sun")),
)
"""From Monday, as ``date.weekday()`` counts."""
NUMBER_WORDS = (
    *(gettext_lazy("none"), gettext_lazy("one"), gettext_lazy("two"), gettext_lazy("three"), gettext_lazy("four")),
    *(gettext_lazy("five"), gettext_lazy("six"), gettext_lazy("seven"), gettext_lazy("eight"), gettext_lazy("nine")),
)
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""Names for common expressions; crontab(5)."""
LAST_WEEKEND = {0, 6, 7}
_DIGITS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, the numbers it may have, and the names that stand for numbers."""

    key: str
    label: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0

    def number(self, text: str) -> int:
        """Return the number that *text* stands for."""
        if text in self.names:
            return self.names.index(text) + self.first_name
        if not _DIGITS.fullmatch(text) or not self.low <= int(text) <= self.high:
            raise self.wrong(text)
        return int(text)

    def wrong(self, text: str) -> InvalidSchedule:
        """Return the error for a value that is not in the range."""
        values = {"field": self.label, "value": text[:40] or '""', "low": self.low, "high": self.high}
        if self.key == "weekday":
            sentence = _(
                "%(field)s: %(value)s is not between %(low)s and %(high)s (0 and 7 are Sunday) or a name like MON."
            )
        elif self.key == "month":
            sentence = _("%(field)s: %(value)s is not between %(low)s and %(high)s or a name like JAN.")
        else:
            sentence = _("%(field)s: %(value)s is not between %(low)s and %(high)s.")
        return self.error(sentence % values, text)

    def error(self, message: str, text: str) -> InvalidSchedule:
        """Return an error about *text* in this field."""
        return InvalidSchedule(message, field=self.key, value=text[:40], allowed=(self.low, self.high))


FIELDS = (
    Field("second", gettext_lazy("Second"), 0, 59),
    Field("minute", gettext_lazy("Minute"), 0, 59),
    Field("hour", gettext_lazy("Hour"), 0, 23),
    Field("day", gettext_lazy("Day"), 1, 31),
    Field("month", gettext_lazy("Month"), 1, 12, MONTHS, 1),
    Field("weekday", gettext_lazy("Weekday"), 0, 7, WEEKDAYS),
)


def split(expression: str) -> list[str]:
    """Return the six fields of *expression* in capitals, seconds first; aliases resolved.

    Raises:
        InvalidSchedule: It has not five or six parts, or an unknown alias.
    """
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in ALIASES:
            raise InvalidSchedule(
                _("%(value)s is not one of %(known)s.") % {"value": text[:40], "known": ", ".join(ALIASES)},
                field="expression",
                value=text[:40],
            )
        text = ALIASES[text.lower()]
    parts = text.upper().split()
    if len(parts) == 5:  # noqa: PLR2004
        parts.insert(0, "0")
    if len(parts) != len(FIELDS):
        count = NUMBER_WORDS[len(parts)] if len(parts) < len(NUMBER_WORDS) else len(parts)
        raise InvalidSchedule(
            _(
                "A cron expression has five parts (minute, hour, day, month, weekday), or six with seconds first."
                " This one has %(count)s."
            )
            % {"count": count},
            field="expression",
            value=text[:40],
        )
    return parts


def check(parts: list[str]) -> None:
    """Check six fields one by one, and that they can all be true together.

    Raises:
        InvalidSchedule: With the field, the value and the range.
    """
    values = [values_of(field, text) for field, text in zip(FIELDS, parts, strict=True)]
    _check_possible(parts, days=values[3], months=values[4], weekdays=values[5])


def values_of(field: Field, text: str) -> set[int]:
    """Return the plain numbers in a field; what is relative to the month's end has none."""
    found: set[int] = set()
    for term in text.split(","):
        found |= _term(field, term)
    return found


def _term(field: Field, term: str) -> set[int]:
    base, slash, step = term.partition("/")
    if slash and (not _DIGITS.fullmatch(step) or int(step) == 0):
        raise field.error(
            _("%(field)s: the step in %(value)s is not a number from 1 on.")
            % {"field": field.label, "value": term[:40]},
            term,
        )
    stride = int(step) if slash else 1
    if field.key == "day" and base in {"L", "LW"}:
        return set()
    if field.key == "weekday" and ("#" in base or (base.endswith("L") and base[:-1])):
        return _nth_weekday(field, base, stepped=bool(slash))
    if base == "*":
        return set(range(field.low, field.high + 1)[::stride])
    low, dash, high = base.partition("-")
    first = field.number(low)
    if not dash:
        return set(range(first, field.high + 1)[::stride]) if slash else {first}
    last = field.number(high)
    if last < first:
        raise field.error(
            _("%(field)s: the range %(value)s runs backwards.") % {"field": field.label, "value": base[:40]}, base
        )
    return set(range(first, last + 1)[::stride])


def _nth_weekday(field: Field, base: str, *, stepped: bool) -> set[int]:
    """Check ``5L`` (the last Friday) and ``MON#2`` (the second Monday)."""
    day, hash_sign, nth = base.partition("#")
    if stepped:
        raise field.error(
            _("%(field)s: %(value)s cannot have a step.") % {"field": field.label, "value": base[:40]}, base
        )
    if not hash_sign:
        if not _DIGITS.fullmatch(base[:-1]):
            raise field.wrong(base)
        field.number(base[:-1])
        return set()
    field.number(day)
    if nth not in {"1", "2", "3", "4", "5"}:
        raise field.error(
            _("%(field)s: in %(value)s, what follows # is not between 1 and 5.")
            % {"field": field.label, "value": base[:40]},
            base,
        )
    return set()


def _check_possible(parts: list[str], *, days: set[int], months: set[int], weekdays: set[int]) -> None:
    """Refuse what can never happen; only fields that are joined with "and" can exclude each other."""
    day, weekday = parts[3], parts[5]
    if not (day.startswith("*") or weekday.startswith("*")):
        return
    terms = {term.partition("/")[0] for term in day.split(",")}
    if not terms & {"L", "LW"} and min(days) > max(MONTH_LENGTHS[month - 1] for month in months):
        if len(months) == 1:
            where = _("%(month)s has no day %(day)s.") % {"month": MONTH_NAMES[min(months) - 1], "day": min(days)}
        else:
            where = _("none of these months has a day %(day)s.") % {"day": min(days)}
        raise InvalidSchedule(_("This never happens: %(why)s") % {"why": where}, field="day", value=day[:40])
    special = any("#" in term or term.endswith("L") for term in weekday.split(","))
    if terms == {"LW"} and not special and weekdays <= LAST_WEEKEND:
        why = _("the last working day of a month is never on a weekend.")
        raise InvalidSchedule(_("This never happens: %(why)s") % {"why": why}, field="weekday", value=weekday[:40])
