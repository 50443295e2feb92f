"""The least and the greatest value that columns take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.printable import on_one_line
from django_scheduled_tasks.schedules import format_duration, parse_duration
from django_scheduled_tasks.schedules.durations import LEAST

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""What every database holds and every zone converts."""


def check_instant(moment: datetime) -> None:
    """Raise ValidationError if *moment*, aware, is outside of what every database holds and every zone converts."""
    if moment < EARLIEST:
        raise _beyond(MinValueValidator, f"{EARLIEST:%Y-%m-%d}")
    if moment > LATEST:
        raise _beyond(MaxValueValidator, f"{LATEST:%Y-%m-%d}")


def check_duration(duration: timedelta, *, name: str = "") -> None:
    """Raise ValidationError if *duration* is too short, or so long that instants cannot be computed with it.

    The upper limit is that of durations as texts, so that whatever is stored can be written and read.

    Args:
        duration: Any.
        name: Which duration of a task it is; each has its own least value. Without a name 0 is the least.
    """
    least = LEAST.get(name, timedelta(0))
    if duration < least:
        raise _beyond(MinValueValidator, format_duration(least) if least else 0)
    try:
        parse_duration(format_duration(duration))
    except InvalidSchedule as exc:
        raise ValidationError(exc.message, code=MaxValueValidator.code) from None


def check_number(number: int, *, least: int) -> None:
    """Raise ValidationError if *number* is less than *least*."""
    if number < least:
        raise _beyond(MinValueValidator, least)


def is_word(text: str) -> bool:
    """Whether *text* may be a name that stands in logs and in terminals: it breaks no line and controls nothing."""
    return on_one_line(text) == text


def check_words(texts: Iterable[str]) -> None:
    """Raise ValidationError, in Django's words, unless each of *texts* may be such a name."""
    if not all(map(is_word, texts)):
        raise ValidationError(RegexValidator.message, code="characters")


def _beyond(validator: type[MinValueValidator | MaxValueValidator], limit: object) -> ValidationError:
    """Return the error that *validator* raises, in Django's words, with the limit as people write it."""
    return ValidationError(validator.message, code=validator.code, params={"limit_value": limit})
