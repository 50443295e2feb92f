"""Telling monitors outside how executions begin and end: pings as Healthchecks has them, and check-ins of Sentry.

It is done where a begin or an end is written, which is mostly a worker, by its signals: that costs no statement. What
is to be said is handed to a thread, so that nobody waits; see :mod:`.lines` for what gets lost.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.alerts.monitors import pings, sentry
from django_scheduled_tasks.services.installation.state import is_known_as_held
from django_scheduled_tasks.signals import execution_finished, execution_started

_UID = "scheduled-tasks-monitors"


class Sign(StrEnum):
    """What is said of an execution."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


_NO_FAILURES = frozenset({Outcome.EXPIRED, Outcome.SKIPPED, Outcome.MISSED})
"""These never started: the monitor misses them by itself."""


def connect() -> None:
    """Listen to executions."""
    execution_started.connect(_started, sender=Execution, dispatch_uid=_UID)
    execution_finished.connect(_finished, sender=Execution, dispatch_uid=_UID)


def disconnect() -> None:
    """Listen no longer; for tests."""
    execution_started.disconnect(sender=Execution, dispatch_uid=_UID)
    execution_finished.disconnect(sender=Execution, dispatch_uid=_UID)


def scheduler_is_alive() -> None:
    """Say so, if the settings name somebody to say it to; nobody waits for it."""
    if name := get_settings().SCHEDULER_PING:
        pings.ping(name, slug="scheduler")


def _started(*, execution: Execution, **_named: Any) -> None:
    _tell(execution, Sign.START)


def _finished(*, execution: Execution, **_named: Any) -> None:
    began: datetime | None = execution.started_at
    if execution.outcome == Outcome.SUCCEEDED:
        _tell(execution, Sign.SUCCESS)
    elif execution.outcome not in _NO_FAILURES and began is not None:
        _tell(execution, Sign.FAIL)


def _tell(execution: Execution, sign: Sign) -> None:
    if is_known_as_held():  # a copy does not speak for its original
        return
    settings, task = get_settings(), execution.task_name
    if name := _match(task, settings.PINGS):
        pings.ping(name, slug=pings.slug_of(task), run=str(execution.tracking_id), sign=_SAID[sign])
    if any(fnmatchcase(task, pattern) for pattern in settings.SENTRY_MONITORS):
        sentry.check_in(execution, _STATUSES[sign])


_SAID = {Sign.START: "start", Sign.SUCCESS: "", Sign.FAIL: "fail"}
_STATUSES = {Sign.START: "in_progress", Sign.SUCCESS: "ok", Sign.FAIL: "error"}


def _match(task: str, named: Any) -> str:
    """Return what *named* has for *task*: under its name, or else under the first pattern that fits."""
    found: str = named.get(task) or next((named[one] for one in named if fnmatchcase(task, one)), "")
    return found
