"""The scheduler's loop: look, handle what is due, sleep until the next due instant."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace

from django.db import DatabaseError, InterfaceError, connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.clock import clock_step
from django_scheduled_tasks.db.connections.errors import gave_way, lacks_tables
from django_scheduled_tasks.db.limits import Watch
from django_scheduled_tasks.exceptions import HeldCopy
from django_scheduled_tasks.logs import event
from django_scheduled_tasks.models import PresenceKind, write_alias
from django_scheduled_tasks.scheduler.clock import ClockWatch
from django_scheduled_tasks.scheduler.home import Home
from django_scheduled_tasks.scheduler.sleep import Sleeper
from django_scheduled_tasks.scheduler.tick import Done, tick
from django_scheduled_tasks.scheduler.upkeep import Upkeep
from django_scheduled_tasks.services.delivery.dispatch import settle, stop_sending
from django_scheduled_tasks.services.delivery.notify import longest_sleep
from django_scheduled_tasks.services.delivery.outbox import open_outbox
from django_scheduled_tasks.services.installation.state import CHECK_HELD_EVERY, standing
from django_scheduled_tasks.services.installation.words import why
from django_scheduled_tasks.services.scheduling import prefetch, presence
from django_scheduled_tasks.services.scheduling.left import left_now, left_until
from django_scheduled_tasks.services.scheduling.warmup import warm_up
from django_scheduled_tasks.services.tasks.sync import SyncResult, sync_declared_tasks
from django_scheduled_tasks.store.reading.outlook import Outlook, look

logger = logging.getLogger(__name__)

STOP_WITHIN = 2.0
"""Seconds that the database gets to answer when the loop is to stop."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
"""Seconds until the next try while the database is away or passes fail; each wait is twice the one before."""
SHORTEST_SLEEP = 0.001
LEAD = 0.03
"""Seconds before a due instant at which its occurrences are prefetched, or, if they are many, have to be."""
LEAD_FOR_MANY = 0.95
"""Seconds before a due instant at which the loop looks, so that there is time to prefetch many."""
NEAR = 1.0
"""Seconds before a due instant from which on it needs no further look."""
HELD_WAIT = 0.05
"""Seconds until the next look, if what is due could not be locked: another process holds it."""


class Loop:
    """The loop of one scheduler process. It keeps nothing that matters: kill it anywhere, start it anywhere.

    Args:
        on_pass: Called with what each pass did that did something.
    """

    def __init__(self, on_pass: Callable[[Done], None] = lambda _done: None) -> None:
        self._is_stopping = False
        self._sleeper = Sleeper()
        self._upkeep = Upkeep(self.sync, self._sleeper.wake)
        self._home = Home()
        self._clock = ClockWatch()
        self._on_pass = on_pass

    def stop(self) -> None:
        """Let the loop end after the pass it is in; safe to call from a signal handler."""
        self._is_stopping = True
        self._sleeper.hurry(STOP_WITHIN)
        self._sleeper.wake()

    def once(self) -> Done:
        """Bring the rows of declared tasks up to date and make one pass; in a copy of a database do nothing.

        Raises:
            HeldCopy: It is a copy.
        """
        if not self._home.is_here():
            raise HeldCopy(why(standing()))
        self.sync()
        done = tick()
        self._report(done)
        return done

    def run(self) -> None:
        """Go on until :meth:`stop`, whatever happens.

        1. Bring the rows of declared tasks up to date, and warm up; once.
        2. Make one pass after another.
        3. In a copy of a database, which is looked for in each pass without asking it, wait.
        4. If the database is away, or a pass fails, wait and try again: tasks that are due must not wait for a person.
        """
        wait = FIRST_WAIT
        has_begun = False
        self._begin()
        while not self._is_stopping:
            try:
                self._sleeper.begin_work()
                if not self._home.is_here():
                    self._sleeper.sleep(CHECK_HELD_EVERY)
                    continue
                if not has_begun:
                    self.sync()
                    warm_up()
                    has_begun = True
                self._pass_and_sleep()
            except (DatabaseError, InterfaceError) as exc:
                _handle(exc, wait)
            except Exception:  # whatever it is
                logger.exception(
                    "A pass of the scheduler failed, going on in %.1f s", wait, extra={"event": "pass_failed"}
                )
            else:
                wait = FIRST_WAIT
                continue
            self._sleeper.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        self._end()

    def _begin(self) -> None:
        """Let nothing that does not answer hold the loop up: neither the engine nor the database."""
        open_outbox(self._sleeper.wake)
        limit = get_settings().DATABASE_TIMEOUT.total_seconds()
        self._sleeper.watch = Watch(connections[write_alias()], others=self._sleeper.connections, limit=limit)

    def _end(self) -> None:
        """Send what waits, and say that this scheduler is gone."""
        try:
            stop_sending()
            self._upkeep.close(STOP_WITHIN / 2)
            presence.ends(PresenceKind.SCHEDULER, pid=os.getpid())
        except (DatabaseError, InterfaceError) as exc:
            logger.warning("The database does not answer, so that it still counts this scheduler: %s", exc)
        self._sleeper.close()

    def sync(self) -> SyncResult:
        """Bring the rows of the tasks that the code declares up to date."""
        result = sync_declared_tasks()
        self._upkeep.sync_again = bool(result.postponed)
        for name in result.created:
            logger.info("Created the task %s, declared in code", name, extra={"task": name, "event": "created"})
        for name in result.retired:
            extra = {"task": name, "event": "retired"}
            logger.warning("Switched off the task %s: it is no longer in the code", name, extra=extra)
        return result

    def _pass_and_sleep(self) -> None:
        """Make one pass, and sleep until there is something to do again.

        1. Listen, so that no change between the look and the sleep is missed; see whether there is anything to hear.
           Note what could not be sent.
        2. Look: ask the database what is due, and when the next thing will be.
        3. Handle what is due now.
        4. Do the upkeep that is due, and count or prune a batch of ended executions if there is time.
        5. If anything was done, there may be more: end the pass, so that the next one looks at once.
        6. Sleep until the next due instant and handle it, or until it is time to look again.
        """
        self._sleeper.listen()
        self._sleeper.ask_for_a_word()
        settle()
        looked_at = time.monotonic()
        outlook = look(left_now())
        answered_at = time.monotonic()
        self._clock.look(outlook.now, answered_at)
        done = tick(outlook)
        self._upkeep.do_due(is_anything_pending=outlook.send_at is not None)
        if done:
            self._report(done)
            self._upkeep.do_batch()
            return
        poll_at = min(looked_at + self._longest_sleep(), self._upkeep.next_at(), left_until())
        due_at = _due_at(outlook, answered_at)
        if not self._upkeep.do_batch(time_left=min(poll_at, due_at) - looked_at):
            self._sleep(outlook, looked_at=looked_at, due_at=due_at, poll_at=poll_at)

    def _report(self, done: Done) -> None:
        """Say what a pass has done, if it has done anything."""
        if done:
            event("pass", "A pass: %s tasks, %s executions", done.tasks, done.executions, **asdict(done))
        self._on_pass(done)

    def _longest_sleep(self) -> float:
        """Return after how many seconds to look again, whatever is known to be due."""
        interval = get_settings().POLL_INTERVAL
        return (max(interval, longest_sleep()) if self._sleeper.hears else interval).total_seconds()

    def _sleep(self, outlook: Outlook, *, looked_at: float, due_at: float, poll_at: float) -> None:
        """Sleep until the next due instant and handle it, or until it is time to look again.

        Args:
            outlook: What the look said.
            looked_at: When that was; monotonic seconds, as all that follow.
            due_at: When the next thing is due.
            poll_at: When to look again in any case.
        """
        next_at = outlook.next_at()
        if next_at is not None and next_at <= outlook.now:
            # It is due already, and was not handled: another process holds it.
            self._sleep_until(time.monotonic() + HELD_WAIT)
        elif next_at is not None and due_at <= min(poll_at, looked_at + NEAR):
            self._sleep_and_start(replace(outlook, now=next_at), due_at)
        elif looked_at < due_at - LEAD_FOR_MANY < poll_at:
            self._sleep_until(due_at - LEAD_FOR_MANY)
        else:
            self._sleep_until(poll_at)

    def _sleep_and_start(self, outlook: Outlook, due_at: float) -> None:
        """Sleep until *due_at*, and handle what is due then without another look.

        1. Sleep until shortly before, unless so many tasks are due that to prefetch them takes longer.
           Whatever wakes us up has changed something: the next pass looks again.
        2. Prefetch the occurrences: plan them, without writing anything.
        3. Sleep until the instant.
        4. Record and send what was prefetched and has not changed.
        5. Handle the rest in the usual way.

        Args:
            outlook: As it will be at that instant.
            due_at: When that is, on the monotonic clock.
        """
        prefetched = prefetch.Prefetched()
        is_task = outlook.next_run_at == outlook.now
        if is_task and due_at - time.monotonic() > LEAD:
            if not prefetch.are_many(outlook.now):
                self._sleep_until(due_at - LEAD)
                if time.monotonic() < due_at - LEAD:
                    return
            prefetched = prefetch.prefetch(outlook.now, go_on=lambda: self._has_time_until(due_at - LEAD))
            due_at = prefetched.moment or due_at
        self._sleep_until(due_at)
        if time.monotonic() < due_at:
            return
        recorded = prefetch.record(prefetched)
        done = Done(tasks=len(recorded), executions=len(recorded))
        if not prefetched.is_all or len(recorded) < len(prefetched.ready):
            done += tick(outlook)
        if done:
            self._report(done)

    def _has_time_until(self, moment: float) -> bool:
        """Whether it is not yet *moment*, and nothing has changed."""
        if self._sleeper.sleep(0):
            self._sleeper.wake()  # the sleep that follows ends at once, and with it this attempt
            return False
        return time.monotonic() < moment

    def _sleep_until(self, moment: float) -> None:
        self._sleeper.sleep(max(moment - time.monotonic(), SHORTEST_SLEEP))


def _due_at(outlook: Outlook, answered_at: float) -> float:
    """Return when the next thing is due, on the monotonic clock; infinity if nothing is.

    Args:
        outlook: What the look said.
        answered_at: When it was answered. The database read its clock before: from here on we are never too early.
    """
    next_at = outlook.next_at()
    if next_at is None:
        return float("inf")
    return answered_at + (next_at - outlook.now).total_seconds() + clock_step(connections[write_alias()])


def _handle(error: Exception, wait: float) -> None:
    """Log what is wrong with the database, and leave no broken connection to the next try."""
    if gave_way(error):
        logger.warning(
            "A pass gave way to another transaction, and is made again in %.1f s: %s",
            wait,
            error,
            extra={"event": "gave_way"},
        )
        return
    if lacks_tables(error):
        logger.error(
            "The tables of scheduled tasks are missing: run manage.py migrate. Waiting for them.",
            extra={"event": "tables_missing"},
        )
    else:
        logger.error(
            "The database does not answer, trying again in %.1f s: %s",
            wait,
            error,
            extra={"event": "database_unavailable"},
        )
    connections[write_alias()].close()
