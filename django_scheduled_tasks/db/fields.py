"""Columns of our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext as _


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


class ExactCharField(models.CharField):  # type: ignore[type-arg]  # not generic at run time
    """A text that is compared letter by letter on every database: MariaDB and MySQL take ``a`` and ``A`` for the same.

    The character set is named since the column may be in a table that has another one, which has no such order.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return the column's type, with its order where that is another one by default."""
        found = super().db_type(connection)
        if connection.vendor != "mysql" or found is None:
            return found
        return f"{found} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


class TagsField(models.CharField):  # type: ignore[type-arg]  # not generic at run time
    """Words, kept as one text in which each stands between commas, so that any database finds one with LIKE.

    ``["mail", "night"]`` is stored as ``,mail,night,``; no words are the empty text.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        own = {"max_length": 1_400, "blank": True, "default": list, "db_default": models.Value("")}
        super().__init__(*args, **{**own, **kwargs})

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> list[str]:
        """Return the words."""
        return words_of(value or "")

    def to_python(self, value: Any) -> list[str]:
        """Return the words of a list, or of a text with commas."""
        if isinstance(value, str):
            return words_of(value)
        return list(value or ())

    def run_validators(self, value: Any) -> None:
        """Refuse words that have a comma, and more of them than the column holds.

        Raises:
            ValidationError: As said.
        """
        if any("," in word or not word.strip() for word in value):
            raise ValidationError(_("A word has no comma and is not empty."), code="comma")
        if len(self.get_prep_value(value)) > (self.max_length or 0):
            raise ValidationError(_("These are too many words."), code="long")

    def get_prep_value(self, value: Any) -> Any:
        """Return the text."""
        if isinstance(value, (list, tuple)):
            return f",{','.join(value)}," if value else ""
        return super(models.CharField, self).get_prep_value(value)


def words_of(text: str) -> list[str]:
    """Return the words between commas."""
    return [word for part in text.split(",") if (word := part.strip())]
