"""Texts as every database takes them, and without secrets."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from django_scheduled_tasks.parameters import MASK, sounds_secret

CUT = "… [cut] …"
"""Stands where something was taken out of a text because it was too long."""
PIECE = 8
"""So many characters in a row of a secret are taken out wherever they stand, whatever is before and behind them."""
MOST_PIECES = 50_000
"""The most pieces of secrets that are kept; of longer secrets only every second, third, … piece is, so that a part has
to be a little longer to be found."""
_LEAST_PART = 4
"""A line of a secret, or its base64, that is shorter than this is not looked for by itself: it may be a bracket."""
_MOST_NESTED = 100
_HALF = PIECE // 2
_IN_HALVES = re.compile(rf".{{{_HALF}}}", re.DOTALL)
_BLOCK = 16_384 * _HALF
"""So many characters are cut at once: the memory does not grow with the text."""


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
    """Takes secrets out of texts, in whatever form they were written there, and long pieces of them as well.

    The time is that of looking once at each place of the text, the memory is bounded.

    Args:
        secrets: The secrets as they are.
        words: Secrets of which short ones are taken out as whole words only: what is called a password need not be one.
    """

    def __init__(self, secrets: Iterable[str] = (), words: Iterable[str] = ()) -> None:
        anywhere = {form for secret in secrets for form in _forms(secret)}
        whole = {form for secret in words for form in _forms(secret)} - anywhere
        self._pattern = _pattern(_short(anywhere), _short(whole))
        self._pieces, self._step = _pieces_of([form for form in anywhere | whole if len(form) >= PIECE])
        # Pieces that follow each other have all halves but one in common; if only some are kept, there are too many.
        self._halves = _halves_of(self._pieces) if self._step == 1 else None
        self.longest = max([PIECE + self._step if self._pieces else 0, *map(len, _short(anywhere | whole))])
        """A text that was cut may have at its end so many characters of a secret that are not recognised any more."""

    def __call__(self, text: str) -> str:
        """Return *text* without the secrets."""
        found = [match.span() for match in self._pattern.finditer(text)] if self._pattern else []
        if self._pieces:
            found = sorted([*found, *_joined(self._spans(text))])
        if not found:
            return text
        parts, done = [], 0
        for begin, end in _joined(iter(found)):
            parts += [text[done:begin], MASK]
            done = end
        return "".join([*parts, text[done:]])

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where a kept piece stands, with the neighbours that may belong to it but were not kept."""
        pieces, beside = self._pieces, self._step - 1
        for at in self._places(text):
            if text[at : at + PIECE] in pieces:
                yield max(at - beside, 0), min(at + PIECE + beside, len(text))

    def _places(self, text: str) -> Iterator[int]:
        """Yield the places where a piece may begin, in order.

        The text is cut into halves of a piece, a block at a time, which ``re`` does fast: wherever a piece stands, one
        cut lies wholly in it. So Python looks only at what is beside those halves that pieces have.
        """
        last = len(text) - PIECE
        if self._halves is None:
            yield from range(last + 1)
            return
        halves = self._halves
        for start in range(0, len(text), _BLOCK):
            cut = _IN_HALVES.findall(text, start, start + _BLOCK)
            for at in [start + number * _HALF for number, half in enumerate(cut) if half in halves]:
                yield from range(max(at - _HALF, 0), min(at, last) + 1)

    def json(self, value: Any) -> Any:
        """Return a JSON *value* without the secrets, however deep, and without what keys call a secret."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {
                self(key) if isinstance(key, str) else key: MASK if _is_named(key, item) else self.json(item)
                for key, item in value.items()
            }
        return [self.json(item) for item in value] if isinstance(value, (list, tuple)) else value


def without_named(value: Any, depth: int = 0) -> Any:
    """Return a Python *value* without what keys of its dictionaries call a secret; deeper than 100 it stays."""
    if depth > _MOST_NESTED:
        return value
    if type(value) is dict:
        return {key: MASK if _is_named(key, item) else without_named(item, depth + 1) for key, item in value.items()}
    return type(value)(without_named(item, depth + 1) for item in value) if type(value) in {list, tuple} else value


def _is_named(key: object, value: object) -> bool:
    """Whether *key* calls *value* a secret; nothing, true and false are none."""
    return value is not None and not isinstance(value, bool) and isinstance(key, str) and sounds_secret(key)


# --- in which forms -----------------------------------------------------------------------------------------------


def _forms(secret: str) -> Iterator[str]:
    """Yield *secret* as programs write it: plain, in quotes, as JSON, HTML, bytes, in a URL, base64, line by line."""
    for text in {secret, *(line.strip() for line in secret.splitlines() if len(line.strip()) >= _LEAST_PART)} - {""}:
        raw = text.encode("utf-8", "replace")
        yield from (text, repr(text)[1:-1], repr(raw)[2:-1], html.escape(text), html.escape(text, quote=False))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (quote(raw), quote(raw, safe=""), quote_plus(raw))
        yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[str]:
    """Yield what *raw* is in the base64 of a longer text (``user:password``), wherever it begins there."""
    for offset in range(3):
        first = -(-offset * 8 // 6)  # the characters before it have bits of what stands before *raw*
        last = (offset + len(raw)) * 8 // 6  # and those from here on of what stands behind
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode(b"\0" * offset + raw).decode()[first:last]
            if len(form) >= _LEAST_PART:
                yield form


def _short(forms: Iterable[str]) -> set[str]:
    return {form for form in forms if len(form) < PIECE}


def _pattern(anywhere: set[str], words: set[str]) -> re.Pattern[str] | None:
    # The longest first, so that no rest of one stays behind where a shorter one is a part of it.
    found = [(form, re.escape(form)) for form in anywhere] + [
        (form, rf"(?<!\w){re.escape(form)}(?!\w)") for form in words - anywhere
    ]
    found.sort(key=lambda pair: len(pair[0]), reverse=True)
    return re.compile("|".join(pattern for _form, pattern in found)) if found else None


def _pieces_of(forms: list[str]) -> tuple[frozenset[str], int]:
    """Return the pieces of *forms* that are looked for, and how far apart they are."""
    count = sum(len(form) - PIECE + 1 for form in forms)
    step = max(-(-count // MOST_PIECES), 1)
    places = ((form, at) for form in forms for at in (*range(0, len(form) - PIECE + 1, step), len(form) - PIECE))
    return frozenset(form[at : at + PIECE] for form, at in places), step


def _halves_of(pieces: Iterable[str]) -> frozenset[str]:
    """Return what of a piece may stand at the places at which a text is cut."""
    return frozenset(piece[at : at + _HALF] for piece in pieces for at in range(PIECE - _HALF + 1))


def _joined(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield *spans*, which are sorted, those that overlap as one."""
    begin = end = 0
    for first, last in spans:
        if first >= end:
            if end:
                yield begin, end
            begin = first
        end = max(end, last)
    if end:
        yield begin, end
