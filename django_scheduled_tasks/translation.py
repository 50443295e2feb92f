"""Translating also where Django may not be ready yet, e.g. while an app's tasks are imported.

For the modules that know nothing else of Django: errors, and sentences about schedules.
"""

from __future__ import annotations

from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.utils import formats, translation


def gettext(text: str) -> str:
    """Translate *text*; as it is if Django is not ready."""
    try:
        return translation.gettext(text)
    except (AppRegistryNotReady, ImproperlyConfigured):
        return text


def pgettext(context: str, text: str) -> str:
    """Translate *text* as it is meant in *context*."""
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
