"""Rows to test with, as plain functions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from django_scheduled_tasks.lifecycle import ENDED, Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask
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


def make_user(*permissions: str, name: str = "", staff: bool = True, superuser: bool = False) -> Any:
    """Create a user who may log in to the admin and has *permissions*, by codename."""
    model = get_user_model()
    who = {model.USERNAME_FIELD: name or f"user{next(_numbers)}"}
    user = model.objects.create_user(**who, password="secret", is_staff=staff, is_superuser=superuser)
    if permissions:
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


VIEWER = ("view_scheduledtask", "view_execution", "view_hold")
LOG_VIEWER = (*VIEWER, "view_execution_logs")
OPERATOR = (*LOG_VIEWER, "run_scheduledtask", "cancel_execution")
HOLDER = ("add_hold", "change_hold")
EDITOR = (*OPERATOR, "add_scheduledtask", "change_scheduledtask", "pause_scheduledtask", *HOLDER)
OWNER = (*EDITOR, "delete_scheduledtask", "delete_execution")
"""The groups of users that the documentation speaks of, as codenames of permissions."""
