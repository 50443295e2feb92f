"""What Python code of a project calls: tasks are started and looked at, and made and changed."""

from django_scheduled_tasks.client.definitions import TaskRow, Tasks, get_task, tasks_of, upsert_task, upsert_tasks
from django_scheduled_tasks.client.handle import (
    Answer,
    RunOnceOptions,
    SkipAnswer,
    SkipInfo,
    TaskHandle,
    task,
)

__all__ = [
    "Answer",
    "RunOnceOptions",
    "SkipAnswer",
    "SkipInfo",
    "TaskHandle",
    "TaskRow",
    "Tasks",
    "get_task",
    "task",
    "tasks_of",
    "upsert_task",
    "upsert_tasks",
]
