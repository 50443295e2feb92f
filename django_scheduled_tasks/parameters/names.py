"""Which names say that a value is secret: ``password``, ``apiKey``, ``X-Auth-Token``."""

from __future__ import annotations

import re
from functools import lru_cache

from django_scheduled_tasks.conf import get_settings

_SECRET = frozenset(
    {
        *("password", "passwd", "passphrase", "passcode", "pwd", "pw", "pin", "otp", "totp"),
        *("secret", "token", "jwt", "bearer", "csrf", "cookie", "sessionid", "dsn"),
        *("credential", "cred", "auth", "authorization", "authorisation", "authentication", "key"),
        *("apikey", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey", "authkey", "sshkey"),
    }
)
"""Words that make a name secret, in the singular."""
_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "credential")
"""The same where words are written together: ``accesstoken``."""
_PHRASES = (
    *(("connection", "string"), ("connection", "url"), ("connection", "uri"), ("conn", "str")),
    *(("database", "url"), ("session", "id")),
)
"""Several words in a row. A connection string usually has a password in it."""
_HARMLESS_KEYS = frozenset({"cache", "foreign", "group", "partition", "primary", "public", "sort"})
"""What stands before "key" where it is no secret."""
_MEASURES = frozenset({"max", "min", "num", "total"})
_ABOUT = frozenset(
    {
        *("count", "length", "limit", "size", "algorithm", "method", "name", "type"),
        *("dir", "directory", "file", "filename", "path"),
    }
)
"""What ends a name that says something about a secret, and not the secret itself: ``token_type``, ``key_file``."""
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")
_LONGEST_KEPT = 100


def sounds_secret(name: object, added: tuple[str, ...] | None = None) -> bool:
    """Whether what is called *name* is secret: whole words count, so that ``author`` and ``monkey`` are not.

    Args:
        name: In ``snake_case``, ``kebab-case`` or ``camelCase``.
        added: Names beside our own; None: those of the setting ``SECRET_NAMES``.
    """
    text = str(name)
    if added is None:
        added = get_settings().SECRET_NAMES
    return _sounds(text, added) if len(text) <= _LONGEST_KEPT else _sounds.__wrapped__(text, added)


@lru_cache(maxsize=2_048)
def _sounds(name: str, added: tuple[str, ...]) -> bool:
    words = _words(name)
    if any(_follow(_words(phrase), words) for phrase in added):
        return True
    if not words or words[0] in _MEASURES or words[-1] in _ABOUT:
        return False
    if words[-1] == "pass" or any(_follow(phrase, words) for phrase in _PHRASES):
        return True
    return any(
        (word in _SECRET or word.endswith(_ENDINGS)) and not (word == "key" and before in _HARMLESS_KEYS)
        for before, word in zip(("", *words), words, strict=False)
    )


@lru_cache(maxsize=256)
def _words(name: str) -> tuple[str, ...]:
    """Return the words of *name*, in lower case, in the singular, without digits at their ends."""
    found = (word.lower().rstrip("0123456789") for word in _BOUNDARY.sub(" ", name).split())
    return tuple(word if word.endswith("ss") else word.removesuffix("s") for word in found if word)


def _follow(phrase: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Whether the words of *phrase* stand in a row among *words*."""
    length = len(phrase)
    return bool(phrase) and any(words[at : at + length] == phrase for at in range(len(words) - length + 1))
