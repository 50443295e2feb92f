"""Reading a cron expression: field by field, so that an error can name the field, the value and the range.

cronsim, which finds the next match, only says "Bad hour"; and it steps through fifty years before it gives up on an
expression that can never match. So fields are checked here first.

Source:
    crontab(5) for the fields; cronsim for ``L``, ``LW``, ``5L`` and ``1#2``.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from functools import lru_cache

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules.expression import hints
from django_scheduled_tasks.schedules.expression.fields import Fields
from django_scheduled_tasks.schedules.texts import gettext as _
from django_scheduled_tasks.schedules.texts import join_and, join_or, month_name, ngettext, number_word

MAX_LENGTH = 500
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
BOTH = "&"
"""Before the day or the weekday: both have to fit, as Celery, huey, APScheduler and systemd mean it anyway."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FIVE, _SIX = 5, 6
_SUNDAY = 7
_LAST, _LAST_WEEKDAY = "L", "LW"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        labels = {
            "second": _("Second"),
            "minute": _("Minute"),
            "hour": _("Hour"),
            "day": _("Day"),
            "month": _("Month"),
            "weekday": _("Weekday"),
        }
        return labels[self.name]

    def refusal(self, message: str, value: str, *, allowed: tuple[int, int] | None = None) -> InvalidSchedule:
        return InvalidSchedule(f"{self.label}: {message}", field=self.name, value=value, allowed=allowed)

    def out_of_range(self, value: str) -> InvalidSchedule:
        texts = {
            "month": _("%(value)s is not between %(low)s and %(high)s or a name like JAN."),
            "weekday": _("%(value)s is not between %(low)s and %(high)s (0 and 7 are Sunday) or a name like MON."),
        }
        text = texts.get(self.name) or _("%(value)s is not between %(low)s and %(high)s.")
        values = {"value": hints.short(value), "low": self.low, "high": self.high}
        return self.refusal(text % values, value, allowed=(self.low, self.high))


FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, _SUNDAY, hints.WEEKDAYS),
)


def parse(expression: str) -> Fields:
    """Read a cron expression.

    Args:
        expression: Five fields, six with seconds first, or an alias such as ``@daily``. ``&`` before the weekday (or
            the day), as in ``0 0 13 * &FRI``: both have to fit.
    Raises:
        InvalidSchedule: Some field is not valid, or it can never happen.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidSchedule(
            _("A cron expression has at most %(most)s characters; this one has %(given)s.")
            % {"most": MAX_LENGTH, "given": len(expression)},
            value=expression[:MAX_LENGTH],
            allowed=(1, MAX_LENGTH),
        )
    return _parse(expression)


@lru_cache(maxsize=4096)
def _parse(expression: str) -> Fields:
    texts = _split(expression)
    says_both = any(texts[place].startswith(BOTH) for place in (3, 5))
    texts = [text.removeprefix(BOTH) if place in {3, 5} else text for place, text in enumerate(texts)]
    terms = [_terms(field, text) for field, text in zip(FIELDS, texts, strict=True)]
    plain = [tuple(sorted({item for _text, items in each for item in items})) for each in terms]
    special = [{text for text, items in each if not items} for each in terms]
    pairs = {(int(text[0]) % 7, int(text[2])) for text in special[5] if "#" in text}
    fields = Fields(
        texts=tuple(",".join(text for text, _items in each) for each in terms),
        seconds=plain[0],
        minutes=plain[1],
        hours=plain[2],
        days=frozenset(plain[3]),
        last_day=_LAST in special[3],
        last_working_day=_LAST_WEEKDAY in special[3],
        months=plain[4],
        weekdays=frozenset(day % 7 for day in plain[5]),
        last_weekdays=frozenset(int(text[0]) % 7 for text in special[5] if text.endswith("L")),
        nth_weekdays=frozenset(pairs),
        both_days=says_both or texts[3].startswith("*") or texts[5].startswith("*"),
        says_both=says_both,
        hour_moves=texts[2].startswith("*"),
    )
    _refuse_what_never_happens(fields, expression)
    return fields


def for_cronsim(fields: Fields) -> str:
    """Return the expression as cronsim reads it.

    Before 2.8 it refuses ``0 0 31 2 WED``, which means each Wednesday of February, because of the day alone.
    """
    texts = list(fields.texts)
    if _no_month_has_the_day(fields):
        texts[3] = "*"  # then the weekday alone decides, as it does here
    return " ".join(texts)


def _no_month_has_the_day(fields: Fields) -> bool:
    longest = max(29 if month == 2 else _length(month) for month in fields.months)  # noqa: PLR2004  (in leap years)
    return bool(fields.days) and min(fields.days) > longest and not (fields.last_day or fields.last_working_day)


def _split(expression: str) -> list[str]:
    if hint := hints.about_expression(expression):
        raise InvalidSchedule(hint, value=expression)
    texts = expression.split()
    if len(texts) == 1 and texts[0].startswith("@"):
        alias = ALIASES.get(texts[0].lower())
        if alias is None:
            raise InvalidSchedule(
                _("%(alias)s is not known. Known are %(known)s.")
                % {"alias": hints.short(texts[0]), "known": join_and(list(ALIASES))},
                value=texts[0],
            )
        texts = alias.split()
    if len(texts) not in {_FIVE, _SIX}:
        raise InvalidSchedule(
            _(
                "A cron expression has five parts (minute, hour, day, month, weekday),"
                " or six with seconds first. This one has %(number)s."
            )
            % {"number": number_word(len(texts))},
            value=expression,
        )
    texts = [text.upper() if text.isascii() else text for text in texts]
    return texts if len(texts) == _SIX else ["0", *texts]


def _terms(field: _Field, text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return the parts of *text* between commas, each with what it matches; nothing for ``L`` and its like."""
    return [_term(field, part, text) for part in text.split(",")]


def _term(field: _Field, part: str, whole: str) -> tuple[str, tuple[int, ...]]:
    if not part:
        raise field.refusal(_("a value is missing in %(value)s.") % {"value": hints.short(whole)}, whole)
    if field.name == "day" and part in {_LAST, _LAST_WEEKDAY}:
        return part, ()
    if hint := hints.about_part(field.name, part):
        raise field.refusal(hint, part)
    if field.name == "weekday" and (found := _special_weekday(field, part)):
        return found, ()
    base, slash, step_text = part.partition("/")
    if field.name == "day" and slash and base in {_LAST, _LAST_WEEKDAY}:
        raise field.refusal(_("%(value)s takes no step.") % {"value": base}, part)
    low, high = _range(field, base, part, open_end=bool(slash))
    step = _step(field, step_text, part) if slash else 1
    if high < low:
        raise _backwards(field, part, low, high, step)
    if slash and "-" in base and low == high:
        part = str(low)  # cronsim would go on to the end of the range
    return part, tuple(range(low, high + 1, step))


def _range(field: _Field, text: str, part: str, *, open_end: bool) -> tuple[int, int]:
    if text == "*":
        return field.low, field.high
    start, dash, end = text.partition("-")
    low = _number(field, start, part)
    if not dash:
        return low, field.high if open_end else low
    return low, _number(field, end, part)


def _step(field: _Field, text: str, part: str) -> int:
    if not _is_number(text) or int(text) < 1:
        raise field.refusal(_("the step in %(value)s is not a number from 1 on.") % {"value": hints.short(part)}, part)
    return int(text)


def _backwards(field: _Field, part: str, low: int, high: int, step: int) -> InvalidSchedule:
    """Return the refusal of a range that runs over the end of the field, with what means the same if there is any."""
    value = hints.short(part)
    if field.name == "day" and step > 1:  # months have different lengths, so the step would arrive at different days
        return field.refusal(_("%(value)s runs backwards.") % {"value": value}, part)
    least, most = field.low, field.high
    if field.name == "weekday":
        least = 1
        low, high = (0, high) if low == _SUNDAY else (low, high or _SUNDAY)
    forward = hints.forward(low, high, step, least=least, most=most)
    return field.refusal(_("%(value)s runs backwards. Write %(forward)s.") % {"value": value, "forward": forward}, part)


def _number(field: _Field, text: str, whole: str) -> int:
    if text in field.names:
        return field.names.index(text) + field.low
    if not text:
        raise field.refusal(_("a value is missing in %(value)s.") % {"value": hints.short(whole)}, whole)
    if not _is_number(text) or not field.low <= int(text) <= field.high:
        raise field.out_of_range(text)
    return int(text)


def _special_weekday(field: _Field, part: str) -> str | None:
    """Return ``5L`` or ``1#2`` with the weekday, which may be a name, as a digit; None if it is neither."""
    if match := re.fullmatch(r"([0-9]+|[A-Z]+)L", part):
        return f"{_number(field, match[1], part)}L"
    weekday, sign, nth = part.partition("#")
    if not sign:
        return None
    if not _is_number(nth) or not 1 <= int(nth) <= _FIVE:
        message = _("in %(value)s, what follows # is not between 1 and 5.")
        raise field.refusal(message % {"value": hints.short(part)}, part, allowed=(1, _FIVE))
    return f"{_number(field, weekday, part)}#{int(nth)}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _refuse_what_never_happens(fields: Fields, expression: str) -> None:
    """Refuse an expression that no month fits. Every month of every length begins on every weekday some time."""
    lengths = [(month, length) for month in fields.months for length in ([28, 29] if month == 2 else [_length(month)])]  # noqa: PLR2004
    if any(fields.days_of(weekday, length) for _month, length in lengths for weekday in range(7)):
        return
    if _no_month_has_the_day(fields):
        text = ngettext(
            "This never happens: %(months)s has no day %(days)s.",
            "This never happens: %(months)s have no day %(days)s.",
            len(fields.months),
        )
        message = text % {
            "months": join_and([month_name(month) for month in fields.months]),
            "days": join_or([str(day) for day in sorted(fields.days)]),
        }
    else:
        message = _("This never happens: no such day of the month falls on such a weekday.")
    raise InvalidSchedule(message, field="day", value=expression)


def _length(month: int) -> int:
    return monthrange(2023, month)[1]
