"""Reading query parameters: each says one thing, and what is wrong is told by its name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from django_scheduled_tasks.api.serializers.base import InstantField, check_known, read_instant

PATH_NAMES = frozenset({"task", "key", "trackingId", "hold", "alert", "rule", "channel", "change", "calendar", "year"})
"""What our addresses name; a project may put more in front of them, such as a version."""
_MOST_DIGITS = 1_000
"""Python itself refuses to read a few thousand."""


def check_query(request: Request, known: Iterable[str]) -> None:
    """Refuse a parameter that is not known, and one that is given more than once: which of them would count?

    Args:
        request: Whose query.
        known: The parameters of the call.
    Raises:
        ValidationError: One item for each such parameter.
    """
    repeated = [name for name, values in request.query_params.lists() if len(values) > 1]
    if repeated:
        error = ErrorDetail("It is given more than once.", code="repeated")
        raise ValidationError({name: [error] for name in repeated})
    check_known(request.query_params, known, noun="query parameter")


def asked_number(request: Request, name: str, *, default: int, least: int, most: int | None = None) -> int:
    """Return the whole number that a query parameter says.

    Args:
        request: Whose query.
        name: Of the parameter.
        default: What counts if it is not there; an empty one is wrong.
        least: The smallest.
        most: The largest; None: there is none.
    Raises:
        ValidationError: It is none, or out of range.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    number = int(text[:_MOST_DIGITS]) if text.isascii() and text.isdigit() else least - 1
    if number < least or (most is not None and number > most):
        words = f"from {least}" + (f" to {most}" if most is not None else "")
        raise ValidationError({name: [f"Write a whole number {words}."]})
    return number


def asked_instant(request: Request, name: str) -> datetime | None:
    """Return the instant that a query parameter says; None if it is not there.

    Raises:
        ValidationError: It is none.
    """
    text = request.query_params.get(name)
    found = read_instant(text) if text is not None else None
    if text is not None and found is None:
        raise ValidationError({name: [InstantField.default_error_messages["invalid"]]})
    return found
