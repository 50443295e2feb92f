"""The object that a task belongs to: kept as the label of its model and its primary key as text."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models


def label_of(model: type[models.Model]) -> str:
    """Return the label by which owners of *model* are stored; of a proxy that of the model behind it."""
    concrete: type[models.Model] = model._meta.concrete_model or model
    return concrete._meta.label_lower


def model_of(label: str) -> type[models.Model] | None:
    """Return the model with this label; None if there is none (any more)."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def read_keys(model: type[models.Model], texts: Iterable[str]) -> dict[Any, str]:
    """Return the primary keys of *model* that these texts say, each with its text; those that say none are left out."""
    keys: dict[Any, str] = {}
    for text in texts:
        with suppress(ValidationError, ValueError, TypeError):  # the model has another kind of key today
            keys[model._meta.pk.to_python(text)] = text
    return keys


def find_owners(label: str, ids: Iterable[str]) -> dict[str, models.Model]:
    """Return the objects of the model with this label that have these keys, by key; one statement, or none."""
    model = model_of(label) if label else None
    if model is None:
        return {}
    keys = read_keys(model, ids)
    return {keys[row.pk]: row for row in model._base_manager.filter(pk__in=list(keys))} if keys else {}
