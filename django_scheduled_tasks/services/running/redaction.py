"""Texts as every database takes them, and without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from django_scheduled_tasks.parameters import MASK

CUT = "… [cut] …"
"""Stands where something was taken out of a text because it was too long."""
_LEAST_PART = 4
"""A line of a secret that is shorter than this is not looked for by itself: it may be a mere bracket."""


def storable(text: str, limit: int) -> str:
    """Return *text* as every database takes it: no NUL, no lone surrogates, at most *limit* bytes, cut in the middle.

    The beginning says where, the end says what; both are kept.
    """
    raw = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode()
    half = max((limit - len(CUT.encode()) - 2) // 2, 0)
    return f"{raw[:half].decode(errors='ignore')}\n{CUT}\n{raw[len(raw) - half :].decode(errors='ignore')}"


class Masker:
    """Takes secrets out of texts, in whatever form they were written there.

    Args:
        secrets: The secrets as they are.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = {form for secret in secrets for form in _forms(secret)}
        # The longest first, so that no rest of one stays behind where a shorter one is a part of it.
        longest_first = sorted(found, key=len, reverse=True)
        self.longest = len(longest_first[0]) if longest_first else 0
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """Return *text* without the secrets."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def json(self, value: Any) -> Any:
        """Return a JSON *value* without the secrets, however deep."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(key) if isinstance(key, str) else key: self.json(item) for key, item in value.items()}
        return [self.json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _forms(secret: str) -> set[str]:
    """Return *secret* as programs write it: plain, in quotes, as JSON, in a URL, and line by line."""
    plain = {secret, *(line.strip() for line in secret.splitlines() if len(line.strip()) >= _LEAST_PART)}
    written = {
        form
        for text in plain
        for form in (repr(text)[1:-1], json.dumps(text)[1:-1], quote(text), quote(text, safe=""), quote_plus(text))
    }
    return {form for form in plain | written if form}
