"""Notices when a task was changed by somebody else while its form was open, so that saving puts nothing back.

The page carries a version: one short hash for each field as it was when the page was made. A field whose hash no longer
fits was changed meanwhile. Changes of other columns, such as a pause, are no conflict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac

from django_scheduled_tasks.models import ScheduledTask

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


def _hash(task: ScheduledTask, name: str) -> str:
    value = json.dumps(getattr(task, name), sort_keys=True, default=str)
    return salted_hmac("django_scheduled_tasks.version", f"{task.pk}:{name}:{value}", algorithm="sha256").hexdigest()[
        :12
    ]
