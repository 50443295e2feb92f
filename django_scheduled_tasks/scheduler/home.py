"""Whether this scheduler is at home in its database; in a copy it does nothing."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import connections

from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.installation.words import why
from django_scheduled_tasks.services.scheduling.gap import hold_after_gap

logger = logging.getLogger(__name__)


class Home:
    """What one scheduler process knows of it, and has said."""

    def __init__(self) -> None:
        self._looked_at = float("-inf")
        self._connection: Any = None
        self._has_begun = False
        self._standing = state.Standing()

    def is_here(self) -> bool:
        """Whether it may act: asked at the start, at each new connection, and once a minute; in a copy more often.

        Raises:
            DatabaseError: The database does not answer.
        """
        connection = connections[write_alias()]
        connection.ensure_connection()
        wait = state.CHECK_HELD_EVERY if self._standing.is_held else state.CHECK_EVERY
        if connection.connection is self._connection and time.monotonic() - self._looked_at < wait:
            return not self._standing.is_held
        if not self._has_begun:
            state.settle_in()
            hold_after_gap()
        found = state.look(tidy=True)
        if found.cause != self._standing.cause:
            _say(found)
        self._standing, self._has_begun = found, True
        self._connection, self._looked_at = connection.connection, time.monotonic()
        return not found.is_held


def _say(found: state.Standing) -> None:
    if not found.is_held:
        logger.warning("The database is at home here; what is due runs again", extra={"event": "adopted"})
        return
    logger.error(
        "Nothing runs by schedule: %s If this is where the database is at home: manage.py adopt_database.",
        why(found),
        extra={"event": "held"},
    )
