"""Translations that also work before Django is ready, for example while an app's tasks are imported.

For modules that know nothing else of Django: errors, and sentences about schedules.
"""

from __future__ import annotations

from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.utils import formats, translation


def gettext_noop(text: str) -> str:
    """Return *text* as it is; it is stored in English, and translated when it is shown."""
    return text


def gettext(text: str) -> str:
    """Translate *text*; leave it as it is while Django is not ready."""
    try:
        return translation.gettext(text)
    except (AppRegistryNotReady, ImproperlyConfigured):
        return text


def pgettext(context: str, text: str) -> str:
    """Translate *text*, which has this meaning in *context*."""
    try:
        return translation.pgettext(context, text)
    except (AppRegistryNotReady, ImproperlyConfigured):
        return text


def ngettext(singular: str, plural: str, number: int) -> str:
    """Translate *singular* or *plural*, whichever fits *number*."""
    try:
        return translation.ngettext(singular, plural, number)
    except (AppRegistryNotReady, ImproperlyConfigured):
        return singular if number == 1 else plural


def say_number(number: int) -> str:
    """Return a large whole number as people read it: 1,440 or 1.440."""
    try:
        return str(formats.number_format(number, use_l10n=True, force_grouping=True))
    except (AppRegistryNotReady, ImproperlyConfigured):
        return f"{number:,}"
