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
from uuid import UUID

from django.db import DatabaseError, connections

from django_scheduled_tasks.alerting import MARGINS, Kind, Terms, terms_of
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.schedules import Cron, Interval, Weeks, parse_duration
from django_scheduled_tasks.services.alerts.monitors.lines import AT_THE_END, line
from django_scheduled_tasks.services.alerts.monitors.pings import slug_of
from django_scheduled_tasks.services.alerts.rules import Rules, read_rules

SLUG_MAX_LENGTH = 50
READ_EVERY = 600.0
"""Seconds between two looks at a task, and at the rules, from which thresholds come."""
WAIT_FOR_DATABASE = 60.0
"""Seconds until the next look, if the database did not answer."""
MOST_KNOWN = 10_000
"""Of so many tasks it is remembered."""
_DIGEST = 6
_MINUTE = timedelta(minutes=1)
_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": _MINUTE}
_CRON_FIELDS = 5


def check_in(execution: Execution, status: str) -> None:
    """Let Sentry be told of *execution*; nobody waits for it.

    Args:
        execution: Which.
        status: ``in_progress``, ``ok`` or ``error``.
    """
    task, slug, number = execution.task_id, slug_of_monitor(execution.task_name), execution.tracking_id.hex
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
    if task.schedule_kind in {Interval.kind, Weeks.kind}:  # Sentry counts from one check-in to the next
        every = parse_duration(task.expression.partition(" ")[0])
        found = ((unit, every // length) for unit, length in _UNITS.items() if not every % length)
        return next(({"type": "interval", "value": count, "unit": unit} for unit, count in found), None)
    return None


def _minutes(duration: timedelta) -> int:
    return -(-duration // _MINUTE)


class Configs:
    """How Sentry is to watch each task, as this process has read it last; for the thread of the line alone.

    It has a connection of its own, which is closed after each look.
    """

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[float, dict[str, Any] | None]] = {}
        self._rules, self._rules_at, self._wait_until = Rules(), float("-inf"), float("-inf")

    def of(self, task: UUID | None) -> dict[str, Any] | None:
        """Return what is known of *task*; after a while, or if nothing is, look. None: nothing can be said of it."""
        now = time.monotonic()
        read_at, config = self._known.get(task, (float("-inf"), None)) if task else (now, None)
        if task is None or now - read_at < READ_EVERY or now < self._wait_until:
            return config
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        try:
            self._known[task] = now, self._read(task, now)
        except DatabaseError:
            self._wait_until = now + WAIT_FOR_DATABASE
            return config
        finally:
            connections.close_all()
        return self._known[task][1]

    def _read(self, task: UUID, now: float) -> dict[str, Any] | None:
        if now - self._rules_at >= READ_EVERY:
            self._rules, self._rules_at = read_rules(), now
        row = ScheduledTask.objects.using(write_alias()).filter(pk=task).first()
        return monitor_config(row, terms_of(Kind.FAILING, self._rules.about(row))) if row is not None else None


configs = Configs()


def _send(slug: str, number: str, status: str, task: UUID | None) -> None:
    try:
        sdk, crons = import_module("sentry_sdk"), import_module("sentry_sdk.crons")
    except ImportError:
        raise NotDelivered("sentry-sdk is not installed: pip install django-scheduled-tasks-q2[sentry]") from None
    if not sdk.get_client().is_active():
        raise NotDelivered("It takes nothing. Is sentry_sdk.init called, with a DSN?")
    crons.capture_checkin(monitor_slug=slug, check_in_id=number, status=status, monitor_config=configs.of(task))
    if os.getpid() not in _flushing:
        _flushing.add(os.getpid())
        # After the lines have ended. Workers are forked: for them there is no ``atexit``.
        Finalize(None, _flush, exitpriority=5)


_flushing: set[int] = set()


def _flush() -> None:
    import_module("sentry_sdk").flush(timeout=AT_THE_END)
