"""Tasks that each release of this package can read."""

from __future__ import annotations

import logging

from django_scheduled_tasks import every, scheduled_task

logger = logging.getLogger(__name__)


@scheduled_task(name="declared", schedule=every("1s"), overlap="allow", catch_up="all")
def count(start: int = 1) -> int:
    """Returns the next number, and logs it."""
    logger.warning("counted to %s", start + 1)
    return start + 1


@scheduled_task
def fail(password: str = "") -> None:
    """Fails."""
    raise ValueError(f"no way in, {len(password)}")
