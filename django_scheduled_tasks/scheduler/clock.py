"""Whether the database's clock goes as this host's does: set back, it lets everything that is due wait in silence."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

logger = logging.getLogger(__name__)
TOLERATED = timedelta(seconds=2)
"""So much is the wait for an answer, or a clock that is being adjusted."""


class ClockWatch:
    """Compares what the database's clock shows with the time that has passed here."""

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    def look(self, now: datetime, moment: float) -> None:
        """Say in the log if the clock was set back since the last look.

        Args:
            now: What the database's clock showed.
            moment: When its answer came; monotonic seconds.
        """
        if self._last is not None:
            then, earlier = self._last
            behind = then + timedelta(seconds=moment - earlier) - now
            if behind > TOLERATED:
                logger.error(
                    "The database's clock was set back by %.1f s: whatever is due starts by so much later",
                    behind.total_seconds(),
                    extra={"event": "clock_behind"},
                )
        self._last = now, moment
