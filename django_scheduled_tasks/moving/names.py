"""Names and texts of another scheduler, as they may be said here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from django_scheduled_tasks.models.task import NAME_MAX_LENGTH, NAME_MIN_LENGTH, RESERVED_NAMES, name_key
from django_scheduled_tasks.parameters import MASK, sounds_secret

_NOT_IN_NAMES = re.compile(r"[^\w -]+")
_ASSIGNED = re.compile(r"(?P<name>--?[A-Za-z][\w-]*|[A-Za-z_]\w*)(?P<sign>=|\s+)(?P<value>'[^']*'|\"[^\"]*\"|\S+)")
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
        is_value = found["sign"] == "=" or found["name"].startswith("-")
        if not is_value or not sounds_secret(found["name"].lstrip("-")):
            return found[0]
        return f"{found['name']}{found['sign']}{MASK}"

    return _ASSIGNED.sub(hide, _IN_URL.sub(rf"\1:{MASK}@", command))
