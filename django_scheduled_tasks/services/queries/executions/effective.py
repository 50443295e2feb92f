"""With which parameters an execution runs: those of the task, those of this run, and the defaults of the function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.parameters import MASK, sounds_secret
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.releases.own import own
from django_scheduled_tasks.services.secrets import shown_params


class Source(StrEnum):
    """Where the value of a parameter is from."""

    TASK = "task"
    """The task, as it was then."""
    RUN = "run"
    """Whoever started this run."""
    DEFAULT = "default"
    """The function, of the release that ran it."""


@dataclass(frozen=True, slots=True)
class EffectiveParameter:
    """One parameter with which the function was called."""

    name: str
    value: str
    """As JSON; secrets are masked. Of a default that is no JSON the name of its type."""
    source: Source | None
    """None: that was not recorded."""


def effective_parameters(execution: Execution) -> list[EffectiveParameter]:
    """Return the parameters of *execution*, those that were given first.

    Defaults are those of the release that ran it; of one that has not started yet, those of this process. One statement
    for a release that this process has not read yet.
    """
    given, own_names = shown_params(execution), set(execution.own_params or ())
    defaults = _defaults(execution)
    of_others = None if defaults is None else Source.TASK
    found = [
        EffectiveParameter(name, _text(value), Source.RUN if name in own_names else of_others)
        for name, value in given.items()
    ]
    rest = ((name, text) for name, text in (defaults or {}).items() if name not in given)
    return found + [
        EffectiveParameter(name, MASK if sounds_secret(name) and text != "null" else text, Source.DEFAULT)
        for name, text in rest
    ]


def _text(value: object) -> str:
    return MASK if value == MASK else json.dumps(value, ensure_ascii=False)


def _defaults(execution: Execution) -> Mapping[str, str] | None:
    """Return the defaults of its function; None if a version ran it that recorded neither them nor sources."""
    if execution.release:
        release = live.releases([execution.release]).get(execution.release)
    else:
        release = own() if execution.started_at is None else None
    signature: Mapping[str, Any] = release.functions.get(execution.function, {}) if release is not None else {}
    found: Mapping[str, str] | None = signature.get("defaults")
    return found
