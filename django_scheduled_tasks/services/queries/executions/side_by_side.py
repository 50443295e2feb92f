"""Two texts side by side, line by line, with what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

MOST_LINES = 1_000
"""The most lines of each text that are compared: to compare takes the longer the more there are."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of both."""

    left: str | None
    """None: there is none on this side."""
    right: str | None
    differs: bool


def side_by_side(left: Sequence[str], right: Sequence[str]) -> list[Line]:
    """Return the lines of both, those that are the same beside each other; at most :data:`MOST_LINES` of each."""
    return list(_lines(left[:MOST_LINES], right[:MOST_LINES]))


def _lines(left: Sequence[str], right: Sequence[str]) -> Iterator[Line]:
    for tag, left_from, left_to, right_from, right_to in SequenceMatcher(None, left, right).get_opcodes():
        for one, other in zip_longest(left[left_from:left_to], right[right_from:right_to]):
            yield Line(one, other, differs=tag != "equal")
