"""JSON that every database can store, and that whoever reads it later can write out again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from django_scheduled_tasks.translation import gettext as _

MOST_NESTED = 100
"""How deep lists and objects may be in one another; some Pythons read any depth, but nothing behind us can."""
MOST_BITS = 14_000
"""The largest whole number; of one with more than 4,300 digits Python itself makes no text."""


class NotStorable(ValueError):
    """A value that is JSON for Python, but not for the databases; its text is a plain sentence."""


def read_json(text: str) -> Any:
    """Return what *text* says.

    Raises:
        NotStorable: It has in it what :func:`check_storable` refuses.
        ValueError: It is not JSON.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise too_deep() from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number with more digits than Python reads
        raise NotStorable(_("A number is too large.")) from None
    check_storable(found)
    return found


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: ``true`` is another value than ``1``, whatever Python's ``==`` says."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_json(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def check_storable(value: Any) -> None:
    """Refuse what some database does not take: NUL, half a surrogate pair, infinity, NaN, great depth.

    Args:
        value: JSON as Python has it; a large one is looked through once, level by level.
    Raises:
        NotStorable: There is such a thing in it.
    """
    level, depth = [value], 0
    while level:
        if depth > MOST_NESTED:
            raise too_deep()
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                check_text(item)
            elif isinstance(item, Mapping):
                below += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                below += item
            elif isinstance(item, float):
                _check_float(item)
            elif isinstance(item, int) and item.bit_length() > MOST_BITS:
                raise NotStorable(_("A number is too large."))
        level, depth = below, depth + 1


def check_text(text: str) -> None:
    """Raise NotStorable for a text that some database does not take."""
    if "\x00" in text:
        raise NotStorable(_("A text has a NUL character in it."))
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotStorable(_("A text has half a surrogate pair in it.")) from None


def too_deep() -> NotStorable:
    """Return the error for what is nested too deeply."""
    return NotStorable(_("The JSON is nested too deeply."))


def _check_float(number: float) -> None:
    if math.isnan(number):
        raise NotStorable(_("%(type)s cannot be given as JSON.") % {"type": "NaN"})
    if math.isinf(number):
        raise NotStorable(_("A number is too large."))
