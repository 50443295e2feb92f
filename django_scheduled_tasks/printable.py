"""Texts of others, for terminals and files: control characters are written as escapes, so that they control nothing."""

from __future__ import annotations

import json
import re
from typing import Any

_CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
"""Those of ASCII and Latin-1, which move the cursor; line breaks; what turns the direction of writing; half pairs."""
_BUT_LINES = re.compile(rf"(?![\n\t])[{_CONTROLS}]")
_ALL = re.compile(rf"[{_CONTROLS}]")


def printable(text: str) -> str:
    """Return *text* with its control characters as escapes such as ``\\x1b``; line breaks and tabs stay."""
    return text if text.isascii() and text.isprintable() else _BUT_LINES.sub(_escape, text)


def on_one_line(text: str) -> str:
    """Return the same with line breaks and tabs as escapes too, so that nobody takes a part for a line of ours."""
    return text if text.isascii() and text.isprintable() else _ALL.sub(_escape, text)


def behind(start: str, text: str) -> str:
    """Return the lines of *text*, printable, the first behind *start* and each further one behind blanks.

    So none of them can be taken for a line of ours, which begins otherwise.
    """
    return "\n  ".join(f"{start}{printable(text)}".split("\n"))


def printable_json(value: Any, *, indent: int | None = None) -> str:
    """Return *value* as JSON that shows letters of all languages, and has no control characters in it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    # What JSON itself escapes is gone by now; line breaks between its parts are ours.
    return _BUT_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(found[0]) or (
        f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004
    )
