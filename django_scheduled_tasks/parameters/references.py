"""Secrets by reference: ``{"$secret": "STRIPE_KEY"}`` stands for a value that only the worker looks up.

The name has to be in the setting ``SECRETS``. The value is the Django setting of that name, else the environment
variable. The reference is no secret: it is stored, shown, exported and recorded as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import FieldError, InvalidParameters

KEY = "$secret"
STAND_IN = "secret"
"""What is checked in place of a value that this process does not have."""


def is_reference(value: Any) -> bool:
    """Whether *value* stands for a secret."""
    return isinstance(value, dict) and value.keys() == {KEY} and isinstance(value[KEY], str)


def references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the name of each reference in *value*, JSON."""
    if is_reference(value):
        yield path, value[KEY]
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, (*path, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from references(item, (*path, str(number)))


def check_names(params: Mapping[str, Any]) -> None:
    """Refuse references to what the settings do not list.

    Raises:
        InvalidParameters: One item for each; its code is ``secret_unknown``.
    """
    listed = get_settings().SECRETS
    wrong = [(path, name) for path, name in references(params) if name not in listed]
    if not wrong:
        return
    text = _('the settings do not list "%(name)s": add it to SCHEDULED_TASKS["SECRETS"].')
    raise InvalidParameters(
        [FieldError(".".join(path), text % {"name": name[:100]}, "secret_unknown") for path, name in wrong]
    )


def resolved(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return *params* with the values of all references, for the call.

    Raises:
        InvalidParameters: One is not listed (``secret_unknown``), or has no value here (``secret_missing``).
    """
    check_names(params)
    missing = [(path, name) for path, name in references(params) if value_of(name) is None]
    if missing:
        text = _('neither the settings nor the environment of this worker have "%(name)s".')
        raise InvalidParameters(
            [FieldError(".".join(path), text % {"name": name}, "secret_missing") for path, name in missing]
        )
    found: dict[str, Any] = replaced(params)
    return found


def replaced(value: Any) -> Any:
    """Return *value* with what this process knows of references, and :data:`STAND_IN` for the others."""
    if is_reference(value):
        known = value_of(value[KEY])
        return STAND_IN if known is None else known
    if isinstance(value, Mapping):
        return {key: replaced(item) for key, item in value.items()}
    return [replaced(item) for item in value] if isinstance(value, list) else value


def value_of(name: str) -> str | int | float | None:
    """Return the value of the secret called *name*; None if it is not listed, or not there."""
    if name not in get_settings().SECRETS:
        return None
    found = getattr(settings, name, None)
    if isinstance(found, (str, int, float)) and not isinstance(found, bool):
        return found
    return os.environ.get(name)


def texts_of(params: Mapping[str, Any]) -> frozenset[str]:
    """Return the values of all references in *params*, as texts that are to be taken out of logs."""
    values = (value_of(name) for _path, name in references(params))
    return frozenset(str(value) for value in values if value is not None and str(value))
