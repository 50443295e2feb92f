"""Whom a task belongs to."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.models.owner import label_of
from django_scheduled_tasks.models.task import KEY_MAX_LENGTH


def owner_columns(owner: Any) -> dict[str, str]:
    """Return the columns that say whom a task belongs to.

    Args:
        owner: A stored object of any model; of a proxy it is that of the model behind it. None: nobody.
    Raises:
        InvalidInput: It is no object of a model, or not stored yet.
    """
    if owner is None:
        return {"owner_type": "", "owner_id": ""}
    if not isinstance(owner, models.Model):
        text = _("it has to be an object of a model, not %(type)s.") % {"type": type(owner).__name__}
        raise InvalidInput([FieldError("owner", text, "invalid")])
    if owner.pk is None:
        raise InvalidInput([FieldError("owner", _("it has to be saved first."), "unsaved")])
    key = str(owner._meta.pk.value_to_string(owner))
    if len(key) > KEY_MAX_LENGTH:
        text = _("its primary key has more than %(limit)s characters.") % {"limit": KEY_MAX_LENGTH}
        raise InvalidInput([FieldError("owner", text, "length")])
    return {"owner_type": label_of(type(owner)), "owner_id": key}
