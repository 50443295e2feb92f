"""What a scheduler does beside starting tasks, none of it at each pass: it says that it is there, and tidies up."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import PresenceKind
from django_scheduled_tasks.services.scheduling import presence, recovery
from django_scheduled_tasks.services.scheduling.retention import prune_steps

LOST_MESSAGES_INTERVAL = 5.0
"""Seconds between two searches for executions whose messages the broker has lost."""
TIME_TO_PRUNE = 0.25
"""Seconds until the next due instant that have to be left for a batch of pruning."""
LONGEST_WITHOUT_PRUNING = 10.0
"""Seconds after which a batch is pruned even if something is due soon."""


class Upkeep:
    """The upkeep of one scheduler process. What it remembers is only when it last did what."""

    def __init__(self) -> None:
        self._present_at = self._searched_at = self._pruned_at = self._batch_at = float("-inf")
        self._pruning: Iterator[tuple[str, int]] | None = None

    def do_due(self) -> None:
        """Do what has not been done for a while.

        1. Say that this scheduler is there.
        2. Send executions again whose messages the broker has lost.
        3. Begin to prune old executions, unless that is still going on; :meth:`prune_batch` goes on with it.
        """
        moment, settings = time.monotonic(), get_settings()
        if moment - self._present_at >= settings.PRESENCE_INTERVAL.total_seconds():
            self._present_at = moment
            presence.seen(PresenceKind.SCHEDULER)
        if moment - self._searched_at >= LOST_MESSAGES_INTERVAL:
            self._searched_at = moment
            recovery.send_lost(limit=settings.BATCH_SIZE)
        if self._pruning is None and moment - self._pruned_at >= settings.PRUNE_INTERVAL.total_seconds():
            self._pruned_at = self._batch_at = moment
            self._pruning = prune_steps()
            presence.forget_old()

    def prune_batch(self, *, time_left: float = 0.0) -> bool:
        """Prune one batch, if there is time for it or it has waited long enough.

        Args:
            time_left: Seconds until something is due.
        Returns:
            Whether a batch was pruned and there may be another one.
        """
        moment = time.monotonic()
        has_time = time_left > TIME_TO_PRUNE or moment - self._batch_at >= LONGEST_WITHOUT_PRUNING
        if self._pruning is None or not has_time:
            return False
        self._batch_at = moment
        try:
            is_over = next(self._pruning, None) is None
        except BaseException:
            self._pruning = None  # it cannot go on; the next one begins anew
            raise
        if is_over:
            self._pruning = None
        return not is_over
