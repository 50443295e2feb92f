"""Columns of our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone


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
