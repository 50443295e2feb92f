"""What a scheduler does beside starting tasks, none of it at each pass: it says that it is there, and tidies up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import PresenceKind
from django_scheduled_tasks.scheduler.counting import Counting
from django_scheduled_tasks.services.alerts import monitors
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from django_scheduled_tasks.services.alerts.telling.sender import Sender
from django_scheduled_tasks.services.scheduling import presence, recovery
from django_scheduled_tasks.services.scheduling.done import done_steps
from django_scheduled_tasks.services.scheduling.retention import prune_steps
from django_scheduled_tasks.services.tasks.broken import resume_known
from django_scheduled_tasks.services.tasks.orphans import orphan_steps

WATCH_INTERVAL = 10.0
"""Seconds between two looks for what people are to be told; it costs no wake-up of its own."""
PING_INTERVAL = 60.0
"""Seconds between two words to somebody outside that this scheduler is alive."""
LOST_MESSAGES_INTERVAL = 5.0
"""Seconds between two searches for executions whose messages the broker has lost."""
NEARLY = 0.9
"""Which part of an interval has to be over; else what is due a moment after a pass would wait for the next."""
BROKEN_INTERVAL = 20.0
"""Seconds between two looks at tasks that are paused as broken, while there are some."""
LOOK_FOR_BROKEN_INTERVAL = 60.0
"""Seconds between two such looks while none is known, since another process may pause one. It reads all tasks."""
SYNC_INTERVAL = 20.0
"""Seconds between two tries of what a sync had to leave undone."""
ORPHANS_INTERVAL = 24 * 3600.0
"""Seconds between two searches for tasks whose owner is gone without a signal."""
TIME_TO_PRUNE = 0.25
"""Seconds until the next due instant that have to be left for a batch of pruning."""
LONGEST_WITHOUT_PRUNING = 10.0
"""Seconds after which a batch is pruned even if something is due soon."""


class Upkeep:
    """The upkeep of one scheduler process. What it remembers is only when it last did what.

    Args:
        sync: Brings the rows of declared tasks up to date.
        wake: Ends the scheduler's sleep; called when a channel has answered.
    """

    def __init__(self, sync: Callable[[], object] = lambda: None, wake: Callable[[], None] = lambda: None) -> None:
        self._present_at = self._searched_at = self._pruned_at = self._batch_at = float("-inf")
        self._resumed_at = self._watched_at = self._pinged_at = self._orphans_at = float("-inf")
        self._watch, self._sender, self._counting = Watch(), Sender(wake), Counting()
        self._synced_at = time.monotonic()
        self._sync = sync
        self._has_broken = False
        self.sync_again = False
        """Whether the last sync left something to do, since another release runs."""
        self._pruning: Iterator[tuple[str, int]] | None = None

    def next_at(self) -> float:
        """Return when this scheduler has to say again that it is there; the rest has time until the next pass."""
        return self._present_at + get_settings().PRESENCE_INTERVAL.total_seconds()

    def do_due(self, *, is_anything_pending: bool = True) -> None:
        """Do what has not been done for a while.

        1. See whether anything is wrong, and let people be told; and whether executions have ended, which
           :meth:`do_batch` counts.
        2. Say that this scheduler is there, and now and then to somebody outside as well.
        3. Send executions again whose messages the broker has lost; without a pending one there is none.
        4. Resume tasks that are paused as broken and that this process knows; go on with the sync of declared tasks.
        5. Begin to prune old executions, tasks that are done and those whose owner is gone, unless that is still going
           on; :meth:`do_batch` goes on with it.

        Args:
            is_anything_pending: Whether there are pending executions, as far as the last look said.
        """
        moment, settings = time.monotonic(), get_settings()
        self._sender.settle()
        if moment - self._watched_at >= WATCH_INTERVAL * NEARLY:
            self._watched_at = moment
            if self._watch.look():  # before this scheduler says that it is there: was one?
                self._sender.send_due()
            if self._watch.signs is not None:
                self._counting.look(self._watch.signs)
        if moment - self._present_at >= settings.PRESENCE_INTERVAL.total_seconds() * NEARLY:
            self._present_at = moment
            presence.seen(PresenceKind.SCHEDULER)
        if moment - self._pinged_at >= PING_INTERVAL * NEARLY:
            self._pinged_at = moment
            monitors.scheduler_is_alive()
        if is_anything_pending and moment - self._searched_at >= LOST_MESSAGES_INTERVAL * NEARLY:
            self._searched_at = moment
            recovery.send_lost(limit=settings.BATCH_SIZE)
        self._resume_and_sync(moment)
        if self._pruning is None and moment - self._pruned_at >= settings.PRUNE_INTERVAL.total_seconds():
            self._pruned_at = self._batch_at = moment
            self._pruning = chain(prune_steps(), done_steps(), self._orphan_steps(moment))
            presence.forget_old()

    def close(self, within: float) -> None:
        """Wait a moment for notices that are being sent."""
        self._sender.close(within)

    def _resume_and_sync(self, moment: float) -> None:
        wait = BROKEN_INTERVAL if self._has_broken else LOOK_FOR_BROKEN_INTERVAL
        if moment - self._resumed_at >= wait:
            self._resumed_at = moment
            self._has_broken = resume_known().still_broken > 0
        if self.sync_again and moment - self._synced_at >= SYNC_INTERVAL:
            self._synced_at = moment
            self._sync()

    def _orphan_steps(self, moment: float) -> Iterator[tuple[str, int]]:
        if moment - self._orphans_at < ORPHANS_INTERVAL:
            return
        self._orphans_at = moment
        yield from orphan_steps()

    def do_batch(self, *, time_left: float = 0.0) -> bool:
        """Count a batch of executions that have ended, or else prune one; if there is time, or it has waited long.

        Args:
            time_left: Seconds until something is due.
        Returns:
            Whether there may be another batch.
        """
        return self._counting.step(has_time=time_left > TIME_TO_PRUNE) or self._prune_batch(time_left)

    def _prune_batch(self, time_left: float) -> bool:
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
