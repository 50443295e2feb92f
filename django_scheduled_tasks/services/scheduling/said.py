"""What a scheduler logs of what it has recorded, for machines that count it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution

logger = logging.getLogger(__name__)


def say_planned(executions: Sequence[Execution]) -> None:
    """Log how many occurrences were recorded, and how many of them start, if the project wants to know."""
    if not executions or not logger.isEnabledFor(logging.INFO):
        return
    starting = sum(execution.status == Status.PENDING for execution in executions)
    extra = {"event": "planned", "count": len(executions), "starting": starting}
    logger.info("Recorded %s occurrences, of which %s start", len(executions), starting, extra=extra)
