"""Names and texts of another scheduler, as they may be said here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from django_scheduled_tasks.models.task import NAME_MAX_LENGTH, NAME_MIN_LENGTH, RESERVED_NAMES, name_key
from django_scheduled_tasks.parameters import MASK, sounds_secret

_NOT_IN_NAMES = re.compile(r"[^\w -]+")
_VALUE = r"('[^']*'|\"[^\"]*\"|\S+)"
_ASSIGNED = re.compile(
    rf"(?P<option>(?<!\S)--?[A-Za-z][\w-]*)(?P<sign>=|\s+(?!-)){_VALUE}|(?P<name>\b[A-Za-z_]\w*)={_VALUE}"
)
_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")


def task_name(name: str, taken: Collection[str]) -> str:
    """Return *name* as a task may be called here, and as no other is.

    Args:
        name: With any characters.
        taken: The keys of the names that others have.
    """
    text = _NOT_IN_NAMES.sub("-", unicodedata.normalize("NFC", name))
    text = re.sub(r"\s+", " ", re.sub(r"(?<=[ -])-+|-+(?=\s)", "", text)).strip(" -_")[:NAME_MAX_LENGTH].strip(" -")
    if len(text) < NAME_MIN_LENGTH or text.casefold() in RESERVED_NAMES:
        text = f"task {text}".strip()
    found, number = text, 1
    while name_key(found) in taken:
        number += 1
        end = f" {number}"
        found = text[: NAME_MAX_LENGTH - len(end)] + end
    return found


def without_secrets(command: str) -> str:
    """Return a command line with values hidden that have the name of a secret before them, or a password in a URL."""

    def hide(found: re.Match[str]) -> str:
        name, sign = (found["name"], "=") if found["option"] is None else (found["option"], found["sign"])
        return f"{name}{sign}{MASK}" if sounds_secret(name.lstrip("-")) else found[0]

    return _ASSIGNED.sub(hide, _IN_URL.sub(rf"\1:{MASK}@", command))
