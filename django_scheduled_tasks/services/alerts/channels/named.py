"""What a setting or an environment variable holds, by its name."""

from __future__ import annotations

import os
import re

from django.conf import settings
from django.utils.translation import gettext as _

from django_scheduled_tasks.channels import InvalidChannel, NotDelivered

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def named_secret(name: str) -> str:
    """Return what the setting, or else the environment variable, called *name* holds.

    Raises:
        NotDelivered: There is none, or it is no text, or empty.
    """
    found = getattr(settings, name, None) or os.environ.get(name, "")
    if not isinstance(found, str) or not found:
        raise NotDelivered(f"There is no secret called {name}, neither in the settings nor in the environment.")
    return found


def check_name(name: str) -> None:
    """Raise InvalidChannel if *name* cannot be one, such as a secret that somebody has typed by mistake."""
    if name and not _NAME.fullmatch(name):
        raise InvalidChannel(
            "secret_name", _("It is the name of a setting or an environment variable, never the secret itself.")
        )
