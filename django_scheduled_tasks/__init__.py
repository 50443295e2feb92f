"""Scheduled tasks for Django, on django-q2: each due time runs once, and everything is visible.

The names below are all that most projects need. They are imported when first used, since this package is imported
before Django's models are ready.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_scheduled_tasks.client import get_task, start, task, tasks_of, upsert_task, upsert_tasks
    from django_scheduled_tasks.declarations import Alerts
    from django_scheduled_tasks.exceptions import TaskCancelled, TaskTimedOut
    from django_scheduled_tasks.install import q_cluster, with_scheduled_tasks
    from django_scheduled_tasks.owners import owns_tasks
    from django_scheduled_tasks.parameters import ModelKey
    from django_scheduled_tasks.registry import calendar, management_command, scheduled_task
    from django_scheduled_tasks.runner.context import context
    from django_scheduled_tasks.schedules import at, cron, every, workday
    from django_scheduled_tasks.services.tasks.holds import hold, release

__version__ = "0.1.0"
__all__ = [
    "Alerts",
    "ModelKey",
    "TaskCancelled",
    "TaskTimedOut",
    "at",
    "calendar",
    "context",
    "cron",
    "every",
    "get_task",
    "hold",
    "management_command",
    "owns_tasks",
    "q_cluster",
    "release",
    "scheduled_task",
    "start",
    "task",
    "tasks_of",
    "upsert_task",
    "upsert_tasks",
    "with_scheduled_tasks",
    "workday",
]

_HOME = {
    "Alerts": "declarations",
    "ModelKey": "parameters",
    "TaskCancelled": "exceptions",
    "TaskTimedOut": "exceptions",
    "at": "schedules",
    "calendar": "registry",
    "context": "runner.context",
    "cron": "schedules",
    "every": "schedules",
    "get_task": "client",
    "hold": "services.tasks.holds",
    "management_command": "registry",
    "owns_tasks": "owners",
    "q_cluster": "install",
    "release": "services.tasks.holds",
    "scheduled_task": "registry",
    "start": "client",
    "task": "client",
    "tasks_of": "client",
    "upsert_task": "client",
    "upsert_tasks": "client",
    "with_scheduled_tasks": "install",
    "workday": "schedules",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
