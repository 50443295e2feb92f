"""Rows to test with, as plain functions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from django_scheduled_tasks.lifecycle import ENDED, Outcome, Status, Trigger
from django_scheduled_tasks.models import (
    AlertRule,
    Channel,
    Execution,
    Presence,
    PresenceKind,
    Release,
    ScheduledTask,
    read_now,
)
from django_scheduled_tasks.services.releases.own import ensure_written
from django_scheduled_tasks.services.tasks.edit import create_task

_numbers = itertools.count(1)


def make_task(**values: Any) -> ScheduledTask:
    """Create a task through the service; by default one that is only run by hand."""
    values.setdefault("name", f"task {next(_numbers)}")
    values.setdefault("function", "testapp.noop")
    return create_task(**values)


def make_execution(task: ScheduledTask | None = None, **values: Any) -> Execution:
    """Create an execution's row in any legal state, without running anything."""
    task = task or make_task()
    now = datetime.now(UTC)
    status = values.get("status", Status.PENDING)
    defaults: dict[str, Any] = {
        "task": task,
        "task_name": task.name,
        "function": task.function,
        "trigger": Trigger.PYTHON,
        "triggered_at": now,
        "params": task.params,
    }
    if status in ENDED:
        defaults |= {"started_at": now, "completed_at": now}
        defaults["outcome"] = Outcome.SUCCEEDED if status == Status.COMPLETED else Outcome.FAILED
    if status == Status.PROCESSING:
        defaults |= {"started_at": now, "lease_until": datetime(2100, 1, 1, tzinfo=UTC)}
    return Execution.objects.create(**(defaults | values))


def make_first_rule() -> AlertRule:
    """Return the rule of a new installation, the only one: a test before this one may have emptied its table."""
    AlertRule.objects.all().delete()
    Channel.objects.filter(name="ADMINS by mail").delete()
    kinds = ["failing", "missed", "stale", "deadline", "no_scheduler", "no_worker"]
    rule = AlertRule.objects.create(name="Default", kinds=kinds)
    rule.channels.add(Channel.objects.create(name="ADMINS by mail", kind="mail"))
    return rule


def make_release(
    name: str = "other", *, kind: PresenceKind | None = PresenceKind.SCHEDULER, host: str = "elsewhere", **values: Any
) -> Release:
    """Write another release, and let one process of it be seen now.

    Args:
        name: As people call it.
        kind: What was seen of it; None: nothing.
        host: Where.
        values: Columns; ``functions`` may be a list of names. First seen a day ago, if nothing else is said.
    """
    now = read_now()
    functions = values.pop("functions", {})
    if not isinstance(functions, dict):
        functions = {one: {"digest": "x", "required": [], "optional": [], "more": False} for one in functions}
    own = ensure_written()
    given = {"first_seen_at": now - timedelta(days=1), "versions": own.versions, "schedule_kinds": own.schedule_kinds}
    key = f"{name}{next(_numbers)}"[:16]
    release = Release.objects.create(key=key, name=name, functions=functions, **(given | values))
    if kind is not None:
        Presence.objects.create(
            kind=kind, identity=f"{kind}:{key}", host=host, release=key, started_at=now, last_seen_at=now
        )
    return release


def make_user(*permissions: str, name: str = "", staff: bool = True, superuser: bool = False) -> Any:
    """Create a user who may log in to the admin and has *permissions*, by codename."""
    model = get_user_model()
    who = {model.USERNAME_FIELD: name or f"user{next(_numbers)}"}
    user = model.objects.create_user(**who, password="secret", is_staff=staff, is_superuser=superuser)
    if permissions:
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


VIEWER = ("view_scheduledtask", "view_execution", "view_hold", "view_alert")
LOG_VIEWER = (*VIEWER, "view_execution_logs")
OPERATOR = (*LOG_VIEWER, "run_scheduledtask", "cancel_execution", "comment_execution", "change_alert")
HOLDER = ("add_hold", "change_hold")
EDITOR = (*OPERATOR, "add_scheduledtask", "change_scheduledtask", "pause_scheduledtask", *HOLDER)
_VERBS = ("view", "add", "change", "delete")
TELLER = tuple(f"{verb}_{model}" for verb in _VERBS for model in ("channel", "alertrule"))
PLANNER = tuple(f"{verb}_calendar" for verb in _VERBS)
AUDITOR = ("view_change", "export_changes")
OWNER = (*EDITOR, "delete_scheduledtask", "delete_execution", "export_executions", *TELLER, *PLANNER, *AUDITOR)
"""The groups of users that the documentation speaks of, as codenames of permissions."""
