"""What runs for longer than its task's max_runtime."""

from __future__ import annotations

import logging

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.runner.attempt import Running, current
from django_scheduled_tasks.signals import execution_overran, send

logger = logging.getLogger(__name__)


def alert(running: Running) -> None:
    """Say once that *running* runs longer than its task's ``max_runtime``; it goes on."""
    task = running.execution.task
    if (
        task is None
        or task.max_runtime is None
        or running.overran
        or running.elapsed < task.max_runtime.total_seconds()
    ):
        return
    running.overran = True
    message = f"Execution #{running.execution.pk} of {running.execution.task_name} runs longer than {task.max_runtime}."
    logger.warning("%s", message)
    if running.capture is not None and current() is not running:  # else it is among its lines already
        running.capture.add("WARNING", logger.name, message)
    send(execution_overran, Execution, execution=running.execution)
