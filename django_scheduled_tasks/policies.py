"""What ``@scheduled_task`` takes beside the function: columns of the task, as code writes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import time, timedelta
from typing import Any

from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import CatchUp, OnExcluded, OnWorkerLost, Overlap
from django_scheduled_tasks.schedules import format_duration, parse_duration
from django_scheduled_tasks.schedules.durations import LEAST
from django_scheduled_tasks.translation import gettext as _

_DURATIONS = frozenset(LEAST)
_OTHERS = frozenset(
    {
        *("description", "params", "enabled", "starts_at", "ends_at", "max_runs", "overlap", "catch_up"),
        *("max_attempts", "max_doublings", "retry_on", "on_worker_lost", "pause_after_failures", "queue"),
        *("concurrency_group", "keep_last", "log_level", "confirm", "environments", "tags", "must_finish_by"),
        *("contact", "runbook", "calendars", "on_excluded"),
    }
)
DECLARABLE: frozenset[str] = _DURATIONS | _OTHERS
"""The columns that ``@scheduled_task`` can set, besides name, function and schedule."""


def columns_of(policies: Mapping[str, Any]) -> dict[str, Any]:
    """Return *policies* as columns.

    Raises:
        InvalidSchedule: A duration cannot be read, or is too short.
        TypeError: One is unknown, or of another type.
    """
    if unknown := sorted(policies.keys() - DECLARABLE):
        raise TypeError(f"@scheduled_task has no {', '.join(unknown)}. Known are: {', '.join(sorted(DECLARABLE))}.")
    columns = {name: value for name, value in policies.items() if value is not None}
    for name in _DURATIONS & columns.keys():
        columns[name] = _duration(name, columns[name])
    if "log_level" in columns:
        columns["log_level"] = str(columns["log_level"]).upper()
    if "must_finish_by" in columns:
        columns["must_finish_by"] = _time(columns["must_finish_by"])
    if "environments" in columns:
        if isinstance(columns["environments"], str):
            raise TypeError('@scheduled_task: environments is a tuple of names, such as ("production",).')
        columns["environments"] = list(columns["environments"])
    if "tags" in columns:
        columns["tags"] = list(columns["tags"])
    if "calendars" in columns:
        if isinstance(columns["calendars"], str):
            raise TypeError('@scheduled_task: calendars is a list of names, such as ["de"].')
        columns["calendars"] = list(columns["calendars"])
    if "retry_on" in columns:
        columns["retry_on"] = [exception_name(kind) for kind in columns["retry_on"]]
    return {
        name: str(value) if isinstance(value, (Overlap, CatchUp, OnWorkerLost, OnExcluded)) else value
        for name, value in columns.items()
    }


def _duration(name: str, value: object) -> timedelta:
    found = parse_duration(value) if isinstance(value, str) else value
    if not isinstance(found, timedelta):
        raise TypeError(f"@scheduled_task: {name} is a timedelta or a text like 90s, not {found!r}.")
    if found < LEAST[name]:
        least = format_duration(LEAST[name])
        raise InvalidSchedule(
            _("%(name)s has to be %(least)s or longer.") % {"name": name, "least": least},
            field=name,
            value=format_duration(found),
        )
    return found


def _time(value: object) -> time:
    with suppress(ValueError):
        value = time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(value, time) or value.tzinfo is not None or value.microsecond:
        raise TypeError(f"@scheduled_task: must_finish_by is a time of day such as 06:00, not {value!r}.")
    return value


def exception_name(kind: type[BaseException]) -> str:
    """Return the text by which an exception type is stored and compared: ``ConnectionError``, ``app.errors.Busy``."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
