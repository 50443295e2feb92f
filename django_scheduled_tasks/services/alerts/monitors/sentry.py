"""Check-ins of Sentry's Crons, with which a monitor comes into being and follows the task's schedule.

Source: "Crons: Check-Ins (Upsert)", https://develop.sentry.dev/sdk/telemetry/check-ins/
"""

from __future__ import annotations

import hashlib
import os
import time
from datetime import timedelta
from importlib import import_module
from multiprocessing.util import Finalize
from typing import Any

from django.db import DatabaseError, connections

from django_scheduled_tasks.alerting import MARGINS, Kind, Terms, terms_of
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.schedules import Cron, Interval, parse_duration
from django_scheduled_tasks.services.alerts.monitors.lines import AT_THE_END, line
from django_scheduled_tasks.services.alerts.monitors.pings import slug_of
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules

SLUG_MAX_LENGTH = 50
READ_RULES_EVERY = 600.0
"""Seconds between two looks at the rules, from which thresholds come."""
RETRY_AFTER = 60.0
"""Seconds until the next look, if the database did not answer."""
_DIGEST = 6
_MINUTE = timedelta(minutes=1)
_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": _MINUTE}
_CRON_FIELDS = 5


def check_in(execution: Execution, status: str) -> None:
    """Let Sentry be told of *execution*; nobody waits for it.

    Args:
        execution: Which; its task is not read for this, but used if it was read.
        status: ``in_progress``, ``ok`` or ``error``.
    """
    task: Any = Execution._meta.get_field("task").get_cached_value(execution, default=None)
    slug, number = slug_of_monitor(execution.task_name), execution.tracking_id.hex
    line("sentry", "sentry", waits=()).say(lambda: _send(slug, number, status, task))


def slug_of_monitor(task: str) -> str:
    """Return what Sentry calls *task*: as monitors do, but no longer than it allows, and not only digits."""
    slug = slug_of(task)
    if slug.isdigit():
        slug = f"task-{slug}"
    if len(slug) <= SLUG_MAX_LENGTH:
        return slug
    digest = hashlib.sha256(slug.encode()).hexdigest()[:_DIGEST]
    return f"{slug[: SLUG_MAX_LENGTH - _DIGEST - 1]}-{digest}"


def monitor_config(task: ScheduledTask, terms: Terms) -> dict[str, Any] | None:
    """Return how Sentry is to watch *task*; None if it cannot express its schedule.

    Args:
        task: Which.
        terms: What the rules say of failures in a row.
    """
    schedule = _schedule(task)
    if schedule is None:
        return None
    margin = MARGINS[Kind.LATE] + (task.spread or timedelta(0))
    longest = task.max_runtime or task.timeout
    return {
        "schedule": schedule,
        "timezone": task.timezone,
        "checkin_margin": _minutes(margin),
        **({"max_runtime": _minutes(longest)} if longest else {}),
        "failure_issue_threshold": terms.after,
        "recovery_threshold": terms.closes_after,
    }


def _schedule(task: ScheduledTask) -> dict[str, Any] | None:
    """Return the schedule as Sentry has it: minutes are its smallest unit."""
    if task.schedule_kind == Cron.kind:
        fields = task.expression.split()
        is_known = len(fields) == _CRON_FIELDS or fields[0].startswith("@")
        return {"type": "crontab", "value": task.expression} if is_known else None
    if task.schedule_kind == Interval.kind:
        every = parse_duration(task.expression)
        found = ((unit, every // length) for unit, length in _UNITS.items() if not every % length)
        return next(({"type": "interval", "value": count, "unit": unit} for unit, count in found), None)
    return None


def _minutes(duration: timedelta) -> int:
    return -(-duration // _MINUTE)


class _KnownRules:
    """The rules as this process has read them last; in the thread of the line alone."""

    def __init__(self) -> None:
        self._rules, self._read_at = Rules(), float("-inf")

    def terms(self, task: ScheduledTask) -> Terms:
        if time.monotonic() - self._read_at >= READ_RULES_EVERY:
            self._read_at = time.monotonic()
            try:
                self._rules = read_rules()
            except DatabaseError:
                self._read_at += RETRY_AFTER - READ_RULES_EVERY
            finally:
                connections.close_all()  # those of this thread
        return terms_of(Kind.FAILING, self._rules.about(task))


known_rules = _KnownRules()


def _send(slug: str, number: str, status: str, task: ScheduledTask | None) -> None:
    try:
        crons = import_module("sentry_sdk.crons")
    except ImportError:
        raise NotDelivered("sentry-sdk is not installed: pip install django-scheduled-tasks-q2[sentry]") from None
    config = monitor_config(task, known_rules.terms(task)) if task is not None else None
    sent = crons.capture_checkin(monitor_slug=slug, check_in_id=number, status=status, monitor_config=config)
    if sent is None:
        raise NotDelivered("It takes nothing. Is sentry_sdk.init called, with a DSN?")
    if os.getpid() not in _flushing:
        _flushing.add(os.getpid())
        # After the lines have ended. Workers are forked: for them there is no ``atexit``.
        Finalize(None, _flush, exitpriority=5)


_flushing: set[int] = set()


def _flush() -> None:
    import_module("sentry_sdk").flush(timeout=AT_THE_END)
