"""The scheduler's loop: look, handle what is due, sleep until the next due instant."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import PresenceKind, write_alias
from django_scheduled_tasks.scheduler.tick import Done, tick
from django_scheduled_tasks.services import presence, recovery
from django_scheduled_tasks.services.tasks import SyncResult, sync_declared_tasks

logger = logging.getLogger("django_scheduled_tasks")

LONGEST_WAIT_FOR_DATABASE = 10.0
"""Seconds between two tries while the database is away."""
LOST_MESSAGES_INTERVAL = 5.0
"""Seconds between two looks for executions whose messages the broker has lost."""


class Loop:
    """The loop of one scheduler process. It keeps nothing that matters: kill it anywhere, start it anywhere.

    Args:
        on_pass: Called with what each pass did that did something.
    """

    def __init__(self, on_pass: Callable[[Done], None] = lambda _done: None) -> None:
        self.stopping = Event()
        self._on_pass = on_pass
        self._seen_at = self._lost_at = float("-inf")

    def stop(self) -> None:
        """Let the loop end after the pass it is in; safe to call from a signal handler."""
        self.stopping.set()

    def once(self) -> Done:
        """Bring rows in step with the code and make one pass."""
        self.sync()
        done = tick()
        self._on_pass(done)
        return done

    def run(self) -> None:
        """Go on until :meth:`stop`; a database that goes away is waited for."""
        wait = 0.1
        synced = False
        while not self.stopping.is_set():
            try:
                if not synced:
                    self.sync()
                    synced = True
                self._pass_and_sleep()
                wait = 0.1
            except (DatabaseError, InterfaceError) as exc:
                logger.error("The database does not answer, trying again in %.1f s: %s", wait, exc)
                connections[write_alias()].close()
                self.stopping.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT_FOR_DATABASE)
            except Exception:  # whatever it is, tasks that are due must not wait for a person
                logger.exception("A pass of the scheduler failed, going on in %.1f s", wait)
                self.stopping.wait(wait)
                wait = min(wait * 2, LONGEST_WAIT_FOR_DATABASE)
        presence.gone(PresenceKind.SCHEDULER)

    def sync(self) -> SyncResult:
        """Bring rows in step with the tasks that the code declares."""
        result = sync_declared_tasks()
        for name in result.created:
            logger.info("Created the task %s, declared in code", name)
        for name in result.retired:
            logger.warning("Switched off the task %s: it is no longer in the code", name)
        return result

    def _pass_and_sleep(self) -> None:
        """Look and handle what is due; sleep until the next instant, measured from the look."""
        looked_at = time.monotonic()
        outlook = recovery.look()
        if done := tick(outlook):
            self._on_pass(done)
            return
        self._occasionally()
        longest = get_settings().POLL_INTERVAL.total_seconds()
        following = outlook.next_at()
        if following is not None:
            longest = min(longest, (following - outlook.now).total_seconds())
        # Half of what the look took has passed on the database's clock before it answered.
        self.stopping.wait(max(longest - (time.monotonic() - looked_at), 0.001))

    def _occasionally(self) -> None:
        """Do what need not be done at each pass."""
        moment = time.monotonic()
        if moment - self._seen_at >= get_settings().PRESENCE_INTERVAL.total_seconds():
            self._seen_at = moment
            presence.seen(PresenceKind.SCHEDULER)
        if moment - self._lost_at >= LOST_MESSAGES_INTERVAL:
            self._lost_at = moment
            recovery.send_lost(limit=get_settings().BATCH_SIZE)
