"""Read ids and numbers as people and programs write them."""

from __future__ import annotations

from uuid import UUID

BIGGEST_ID = 2**63 - 1
"""The largest number that a column for ids holds."""
_MOST_DIGITS = len(str(BIGGEST_ID))


def as_uuid(text: object) -> UUID | None:
    """Return *text* as a UUID, or None if it is not one."""
    if isinstance(text, UUID):
        return text
    try:
        return UUID(str(text))
    except ValueError:
        return None


def read_number(text: object, *, most: int = BIGGEST_ID) -> int | None:
    """Return the whole number that *text* says in plain digits, or None if it says none or one above *most*.

    What :func:`int` reads besides, or not at all, is none: signs, blanks, digits of other scripts, thousands of digits.
    """
    digits = str(text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        return None
    number = int(digits)
    return number if number <= most else None
