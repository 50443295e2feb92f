"""When a scheduler counts executions that have ended: only if some have, and while nothing is due."""

from __future__ import annotations

import time

from django.db import OperationalError, ProgrammingError

from django_scheduled_tasks.db.connections.errors import lacks_tables
from django_scheduled_tasks.services.scheduling.rollup import count_step
from django_scheduled_tasks.store.alerts import Signs

RANGES_INTERVAL = 60.0
"""Seconds between two looks at what was passed by, while nothing is open."""
LONGEST_WAIT = 0.25
"""Seconds after which a step is made even if something is due, so that counting keeps up under load."""


class Counting:
    """What one process remembers of it: nothing that matters."""

    def __init__(self) -> None:
        self._next_id = 0
        """What has a lower id was passed by."""
        self._has_ranges = True
        self._looked_at = self._step_at = float("-inf")
        self._is_due = False

    def look(self, signs: Signs) -> None:
        """See whether there is anything to count; no statement of its own.

        What is passed by while it is open is looked for again as long as anything is open, and now and then.
        """
        is_open = signs.runs_since is not None or signs.ready_since is not None
        waits = time.monotonic() - self._looked_at < RANGES_INTERVAL
        if signs.newest_id >= self._next_id > 0 or (self._has_ranges and (is_open or not waits)):
            self._is_due = True

    def step(self, *, has_time: bool) -> bool:
        """Count a batch if there is anything to count, and time for it or it has waited long enough.

        Returns:
            Whether there may be more.
        """
        moment = time.monotonic()
        if not self._is_due or not (has_time or moment - self._step_at >= LONGEST_WAIT):
            return False
        self._looked_at = self._step_at = moment
        self._is_due = False  # whatever becomes of it: the next look says
        try:
            done = count_step()
        except (OperationalError, ProgrammingError) as exc:
            if lacks_tables(exc):  # a deploy that migrates last
                return False
            raise
        if done is None:
            return False
        self._next_id, self._has_ranges = done.next_id, done.has_ranges
        self._is_due = not done.is_all
        return self._is_due
