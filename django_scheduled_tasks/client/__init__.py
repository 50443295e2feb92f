"""What Python code of a project calls: tasks are started and looked at, and made and changed."""

from django_scheduled_tasks.client.answers import Answer, ManyAnswer, SkipAnswer, SkipInfo
from django_scheduled_tasks.client.definitions import (
    KnownTask,
    TaskFields,
    TaskRow,
    Tasks,
    get_task,
    tasks_of,
    upsert_task,
    upsert_tasks,
)
from django_scheduled_tasks.client.handle import RunOnceOptions, TaskHandle, task
from django_scheduled_tasks.client.start import start

__all__ = [
    "Answer",
    "KnownTask",
    "ManyAnswer",
    "RunOnceOptions",
    "SkipAnswer",
    "SkipInfo",
    "TaskFields",
    "TaskHandle",
    "TaskRow",
    "Tasks",
    "get_task",
    "start",
    "task",
    "tasks_of",
    "upsert_task",
    "upsert_tasks",
]
