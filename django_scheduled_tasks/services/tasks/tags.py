"""Tags: words by which tasks are found and held together."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_scheduled_tasks.db.fields import words_of

MOST_TAGS, TAG_MAX_LENGTH = 20, 64
_TAG = re.compile(r"[a-z0-9_.:-]+")


def clean_tag(tag: str) -> str:
    """Return *tag* as it is stored: in lower case, so that each database compares it in the same way.

    Raises:
        ValidationError: It is too long, or has a character that is not allowed.
    """
    word = tag.strip().lower()
    if len(word) > TAG_MAX_LENGTH:
        raise ValidationError(_("A tag has at most %(limit)s characters.") % {"limit": TAG_MAX_LENGTH}, code="length")
    if not _TAG.fullmatch(word):
        raise ValidationError(
            _('"%(tag)s" is no tag: it consists of letters from a to z, digits, dashes, underscores, dots and colons.')
            % {"tag": tag},
            code="characters",
        )
    return word


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Return *tags*, or a text of them with commas, as they are stored: in order, each once.

    Raises:
        ValidationError: There are too many, or one of them is not valid.
    """
    tags = words_of(tags) if isinstance(tags, str) else tags
    found = list(dict.fromkeys(clean_tag(tag) for tag in tags))
    if len(found) > MOST_TAGS:
        raise ValidationError(_("A task has at most %(limit)s tags.") % {"limit": MOST_TAGS}, code="many")
    return found
