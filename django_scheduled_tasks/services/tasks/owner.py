"""The object that a task belongs to: by the label of its model and its primary key as text."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.models import ScheduledTask


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
    return {"owner_type": label_of(type(owner)), "owner_id": str(owner._meta.pk.value_to_string(owner))}


def label_of(model: type[models.Model]) -> str:
    """Return the label by which owners of *model* are stored."""
    concrete: type[models.Model] = model._meta.concrete_model or model
    return concrete._meta.label_lower


def model_of(label: str) -> type[models.Model] | None:
    """Return the model with this label; None if there is none (any more)."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def owner_of(task: ScheduledTask) -> Any:
    """Return the object that *task* belongs to; None if to none, or if it is gone. One statement, if it has one."""
    model = model_of(task.owner_type) if task.owner_type else None
    if model is None:
        return None
    try:
        return model._base_manager.filter(pk=model._meta.pk.to_python(task.owner_id)).first()
    except (ValidationError, ValueError, TypeError):  # the model has another kind of key today
        return None
