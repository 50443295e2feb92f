"""What there is to translate, read from the source, and what has been translated."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po
from django.utils.translation import templatize

import django_scheduled_tasks

PACKAGE = Path(django_scheduled_tasks.__file__).parent
LANGUAGES = ("de", "es", "fr", "pt_BR", "tr", "zh_Hans")
COMPLETE = "de"
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|%s|\{\w+\}")


@dataclass(frozen=True)
class Text:
    """A text to be translated."""

    id: str
    plural: str = ""
    context: str | None = None
    files: set[str] = field(default_factory=set, compare=False)


def texts() -> list[Text]:
    """Return all that goes through gettext, as ``makemessages`` finds it."""
    found: dict[Text, Text] = {}
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix not in {".py", ".html"} or "migrations" in path.parts:
            continue
        for text in texts_in(path):
            found.setdefault(text, text).files.add(path.relative_to(PACKAGE).as_posix())
    return list(found)


def texts_in(path: Path) -> Iterator[Text]:
    """Return what goes through gettext in one file."""
    source = path.read_text()
    if path.suffix == ".html":  # as Django does: a template becomes a program, whose indentation means nothing
        source = "\n".join(line.strip() for line in templatize(source, origin=path.name).splitlines())
    file = io.BytesIO(source.encode())
    for _line, message, _comments, context in extract("python", file, keywords=KEYWORDS):
        single, plural = (message, "") if isinstance(message, str) else message[:2]
        yield Text(single, plural, context)


def catalog_path(language: str, suffix: str = ".po") -> Path:
    """Return where the translations of a language are."""
    return PACKAGE / "locale" / language / "LC_MESSAGES" / f"django{suffix}"


def catalog(language: str) -> Catalog:
    """Return the translations of a language."""
    with catalog_path(language).open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def forms(message: Message) -> tuple[str, ...]:
    """Return what *message* is translated to: one text for each form of the plural."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)
