"""Notices when a task was changed by somebody else while its form was open, so that saving puts nothing back.

The page carries a version: one short hash for each field as it was when the page was made. A field whose hash no longer
fits was changed meanwhile. Changes of other columns, such as a pause, are no conflict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac

from django_scheduled_tasks.admin.tasks.preview import shown
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.edit import is_same

VERSION = "dst_version"
"""The name of the hidden input."""
_FIELDS = tuple(field.name for field in ScheduledTask._meta.concrete_fields if field.editable)
"""The columns that the form decides."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that was changed meanwhile."""

    label: Any
    stored: str
    """Its present value as text."""
    entered: str
    """Its value in the form as text."""


def version_of(task: ScheduledTask) -> str:
    """Return the version of *task* for the hidden input. The hashes are keyed: they tell nothing about secrets."""
    return " ".join(f"{name}:{_hash(task, name)}" for name in _FIELDS)


def changed_since(task: ScheduledTask, version: str) -> list[str]:
    """Return the fields of *task* that differ from those of the page with this version."""
    known = set(version.split())
    return [name for name in _FIELDS if f"{name}:{_hash(task, name)}" not in known]


def conflicts_in(form: Any, cleaned: Mapping[str, Any]) -> list[Conflict]:
    """Return the fields that somebody has changed since the page of *form* was made, to another value than the form's.

    Args:
        form: Of a task, bound.
        cleaned: Its cleaned values; of a field that is wrong what was sent counts.
    """
    version = form.data.get(VERSION)
    if version is None or form.instance._state.adding:
        return []
    found = []
    for name in changed_since(form.instance, version):
        inputs = form.expression_input if name == "expression" else name
        stored, entered = getattr(form.instance, name), cleaned.get(name, form.data.get(inputs))
        # Of secrets an answer that depends on them would tell whether they were guessed.
        is_secret = name == "params" and shown_params(form.instance) != stored
        if (is_secret or not is_same(name, stored, entered)) and (stored or entered):
            column: Any = ScheduledTask._meta.get_field(name)
            if name == "params":  # what is stored may meanwhile be of another function
                stored = shown_params(form.instance)
                entered = form.parameters.masked(entered or {}, form.parameters.known)
            found.append(Conflict(column.verbose_name, *(_as_text(form, name, value) for value in (stored, entered))))
    return found


def _as_text(form: Any, name: str, value: Any) -> str:
    if name == "params":
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    choices: Any = getattr(form.fields.get(name), "choices", ())
    return str(dict(choices).get(value) or shown(value))


def _hash(task: ScheduledTask, name: str) -> str:
    value = json.dumps(getattr(task, name), sort_keys=True, default=str)
    return salted_hmac("django_scheduled_tasks.version", f"{task.pk}:{name}:{value}", algorithm="sha256").hexdigest()[
        :12
    ]
