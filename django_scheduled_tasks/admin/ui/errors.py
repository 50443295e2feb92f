"""Errors of the services as the admin says them: fields are called as on its forms."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.utils.text import capfirst

from django_scheduled_tasks.exceptions import InvalidInput, InvalidParameters, ScheduledTasksError
from django_scheduled_tasks.models import Execution, ScheduledTask


def column_label(name: str) -> str:
    """Return what a form calls a column of a task, or of an execution where tasks have none; else *name*."""
    for model in (ScheduledTask, Execution):
        try:
            field: Any = model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        return str(capfirst(field.verbose_name))
    return name


def error_text(error: ScheduledTasksError) -> str:
    """Return the sentence of *error*; a parameter is called as the function does, as on its form."""
    if not isinstance(error, InvalidInput):
        return error.message
    is_of_function = isinstance(error, InvalidParameters)
    return " ".join(f"{item.field if is_of_function else _label(item.field)}: {item.message}" for item in error.errors)


def _label(field: str) -> str:
    first, _dot, rest = field.partition(".")
    return f"{column_label(first)}: {rest}" if rest else column_label(first)
