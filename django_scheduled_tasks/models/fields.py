"""Columns of our own, and how large a value they take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.schedules import format_duration, parse_duration

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""What every database holds and every zone converts."""


class UtcDateTimeField(models.DateTimeField):  # type: ignore[type-arg]  # not generic at run time
    """An instant: stored in UTC and read as an aware ``datetime`` in UTC, whatever ``USE_TZ`` says.

    Schedulers on several hosts compare these columns, and a wall-clock time that comes twice in autumn must not be
    ambiguous, so a project with ``USE_TZ = False`` gets instants here as well.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = self.to_python(value)
        if isinstance(value, datetime):
            if timezone.is_naive(value):
                value = timezone.make_aware(value, timezone.get_default_timezone())
            value = value.astimezone(UTC)
        return value

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if not prepared:
            value = self.get_prep_value(value)
        if isinstance(value, datetime) and connection.vendor != "postgresql":
            value = value.replace(tzinfo=None)  # these columns hold no zone; the digits are UTC
        return connection.ops.adapt_datetimefield_value(value)

    def from_db_value(self, value: Any, _expression: Any, connection: BaseDatabaseWrapper) -> datetime | None:
        """Return what the database holds as an aware instant in UTC."""
        if value is None:
            return None
        if connection.vendor != "postgresql":
            return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]
        if timezone.is_naive(value):  # USE_TZ = False: psycopg was told to give the project's wall clock
            value = timezone.make_aware(value, timezone.get_default_timezone())
        return value.astimezone(UTC)  # type: ignore[no-any-return]


def check_instant(moment: datetime) -> None:
    """Raise ValidationError if *moment*, aware, is one that not every database holds and every zone converts."""
    if moment < EARLIEST:
        raise _beyond(MinValueValidator, f"{EARLIEST:%Y-%m-%d}")
    if moment > LATEST:
        raise _beyond(MaxValueValidator, f"{LATEST:%Y-%m-%d}")


def check_duration(duration: timedelta) -> None:
    """Raise ValidationError if *duration* is less than nothing, or so long that instants cannot be computed with it.

    The limit is that of durations as texts, so that whatever is stored can be written and read.
    """
    if duration < timedelta(0):
        raise _beyond(MinValueValidator, 0)
    try:
        parse_duration(format_duration(duration))
    except InvalidSchedule as exc:
        raise ValidationError(exc.message, code=MaxValueValidator.code) from None


def check_number(number: int, *, least: int) -> None:
    """Raise ValidationError if *number* is less than *least*."""
    if number < least:
        raise _beyond(MinValueValidator, least)


def _beyond(validator: type[MinValueValidator | MaxValueValidator], limit: object) -> ValidationError:
    """Return the error that *validator* raises, in Django's words, with the limit as people write it."""
    return ValidationError(validator.message, code=validator.code, params={"limit_value": limit})
