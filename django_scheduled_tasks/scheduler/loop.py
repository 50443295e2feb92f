"""The scheduler's loop: look, handle what is due, sleep until the next due instant."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.clock import clock_step
from django_scheduled_tasks.models import PresenceKind, write_alias
from django_scheduled_tasks.scheduler.sleep import Sleeper
from django_scheduled_tasks.scheduler.tick import Done, tick
from django_scheduled_tasks.services.scheduling import prefetch, presence, recovery
from django_scheduled_tasks.services.scheduling.retention import prune_steps
from django_scheduled_tasks.services.scheduling.warmup import warm_up
from django_scheduled_tasks.services.tasks.sync import SyncResult, sync_declared_tasks
from django_scheduled_tasks.store.outlook import Outlook, look

logger = logging.getLogger(__name__)

LONGEST_WAIT_FOR_DATABASE = 10.0
"""Seconds between two tries while the database is away."""
TIME_TO_PRUNE = 0.25
"""Seconds until the next due instant that have to be left for a batch of pruning."""
SHORTEST_SLEEP = 0.001
LEAD = 0.03
"""Seconds before a due instant at which its occurrences are prepared, or, if they are many, have to be."""
LEAD_FOR_MANY = 0.95
"""Seconds before a due instant at which the loop looks, so that there is time to prepare many."""
HELD_WAIT = 0.05
"""Seconds until the next look, if what is due could not be taken: somebody holds it."""
LONGEST_WITHOUT_PRUNING = 10.0
"""Seconds after which a batch is pruned even if something is due soon."""
LOST_MESSAGES_INTERVAL = 5.0
"""Seconds between two looks for executions whose messages the broker has lost."""


class Loop:
    """The loop of one scheduler process. It keeps nothing that matters: kill it anywhere, start it anywhere.

    Args:
        on_pass: Called with what each pass did that did something.
    """

    def __init__(self, on_pass: Callable[[Done], None] = lambda _done: None) -> None:
        self._stopping = False
        self._sleeper = Sleeper()
        self._on_pass = on_pass
        self._seen_at = self._lost_at = self._pruned_at = float("-inf")
        self._pruning: Iterator[tuple[str, int]] | None = None
        self._step_at = float("-inf")

    def stop(self) -> None:
        """Let the loop end after the pass it is in; safe to call from a signal handler."""
        self._stopping = True
        self._sleeper.wake()

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
        while not self._stopping:
            try:
                if not synced:
                    self.sync()
                    warm_up()
                    synced = True
                self._pass_and_sleep()
                wait = 0.1
            except (DatabaseError, InterfaceError) as exc:
                logger.error("The database does not answer, trying again in %.1f s: %s", wait, exc)
                connections[write_alias()].close()
                self._sleeper.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_FOR_DATABASE)
            except Exception:  # whatever it is, tasks that are due must not wait for a person
                logger.exception("A pass of the scheduler failed, going on in %.1f s", wait)
                self._sleeper.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_FOR_DATABASE)
        self._sleeper.close()
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
        """Look and handle what is due; sleep until the next instant, measured from the look, and handle that."""
        self._sleeper.listen()
        looked_at = time.monotonic()
        outlook = look()
        answered_at = time.monotonic()
        done = tick(outlook)
        self._occasionally()
        if done:
            self._on_pass(done)
            self._prunes(0)
            return
        wake_at = looked_at + get_settings().POLL_INTERVAL.total_seconds()
        following = outlook.next_at()
        due_at = float("inf")
        if following is not None:
            # The database read its clock before it answered: measured from here it is never too early.
            due_at = answered_at + (following - outlook.now).total_seconds() + clock_step(connections[write_alias()])
        if self._prunes(min(wake_at, due_at) - looked_at):
            return
        if following is not None and following <= outlook.now:
            self._sleep_until(answered_at + HELD_WAIT)
        elif following is not None and due_at <= wake_at:
            self._sleep_and_start(replace(outlook, now=following), due_at)
        elif due_at - LEAD_FOR_MANY > looked_at:
            self._sleep_until(min(wake_at, due_at - LEAD_FOR_MANY))
        else:
            self._sleep_until(wake_at)

    def _sleep_and_start(self, outlook: Outlook, due_at: float) -> None:
        """Sleep until *due_at* on the monotonic clock, and handle what is due then without another look.

        Args:
            outlook: As it will be at that instant.
            due_at: When that is.
        """
        prepared = prefetch.Prefetched()
        if outlook.next_run_at == outlook.now and due_at - time.monotonic() > LEAD:
            if not prefetch.are_many(outlook.now):
                self._sleep_until(due_at - LEAD)
                if time.monotonic() < due_at - LEAD:
                    return  # woken: something has changed
            prepared = prefetch.prefetch(outlook.now, go_on=lambda: self._has_time_until(due_at - LEAD))
            due_at = prepared.moment or due_at
        self._sleep_until(due_at)
        if time.monotonic() < due_at:
            return
        # If it is no longer due, nothing is found.
        written = prefetch.record(prepared)
        done = Done(tasks=len(written), executions=len(written))
        if not prepared.is_all or len(written) < len(prepared.ready):
            done += tick(outlook)
        if done:
            self._on_pass(done)

    def _has_time_until(self, moment: float) -> bool:
        """Whether it is not yet *moment*, and nothing has changed."""
        if self._sleeper.sleep(0):
            self._sleeper.wake()  # the sleep that follows ends at once, and with it this attempt
            return False
        return time.monotonic() < moment

    def _sleep_until(self, moment: float) -> None:
        self._sleeper.sleep(max(moment - time.monotonic(), SHORTEST_SLEEP))

    def _occasionally(self) -> None:
        """Do what need not be done at each pass."""
        moment = time.monotonic()
        if moment - self._seen_at >= get_settings().PRESENCE_INTERVAL.total_seconds():
            self._seen_at = moment
            presence.seen(PresenceKind.SCHEDULER)
        if moment - self._lost_at >= LOST_MESSAGES_INTERVAL:
            self._lost_at = moment
            recovery.send_lost(limit=get_settings().BATCH_SIZE)
        if self._pruning is None and moment - self._pruned_at >= get_settings().PRUNE_INTERVAL.total_seconds():
            self._pruned_at = self._step_at = moment
            self._pruning = prune_steps()
            presence.forget_old()

    def _prunes(self, seconds: float) -> bool:
        """Prune one batch, if there is one and there are *seconds* for it or it has waited long enough."""
        moment = time.monotonic()
        if self._pruning is None or (seconds <= TIME_TO_PRUNE and moment - self._step_at < LONGEST_WITHOUT_PRUNING):
            return False
        self._step_at = moment
        try:
            if next(self._pruning, None) is None:
                self._pruning = None
        except BaseException:
            self._pruning = None  # it cannot go on; the next one begins anew
            raise
        return self._pruning is not None
