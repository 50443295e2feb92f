"""One pass over everything that is due."""

from __future__ import annotations

from dataclasses import dataclass, fields

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.scheduling import occurrences, recovery
from django_scheduled_tasks.services.scheduling.left import left_now
from django_scheduled_tasks.services.tasks import holds
from django_scheduled_tasks.store.reading.outlook import Outlook, look

FIRST_BATCH = 20
"""How many due tasks the first batch of a pass takes; each that follows takes twice as many. So of many tasks that are
due at once, the first run while the others are planned."""


@dataclass
class Done:
    """What a pass did."""

    tasks: int = 0
    executions: int = 0
    sent: int = 0
    lost: int = 0
    paused: int = 0
    released: int = 0
    """Holds that are over."""

    def __add__(self, other: Done) -> Done:
        return Done(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})

    def __bool__(self) -> bool:
        return bool(self.tasks or self.sent or self.lost or self.released)


def tick(outlook: Outlook | None = None) -> Done:
    """Handle all that is due now.

    1. End executions that lost their lease: they must not block what is due.
    2. Record and send the occurrences of due tasks.
    3. Send pending executions whose time has come, or expire them.
    4. End holds that are over. What they held is due now: the next look finds it.

    Args:
        outlook: What the last look said; None: look now.
    """
    outlook = outlook or look(left_now())
    limit = get_settings().BATCH_SIZE
    done = Done()
    if outlook.lease_until is not None and outlook.lease_until < outlook.now:
        done.lost = recovery.end_lost(limit=limit)
    if outlook.next_run_at is not None and outlook.next_run_at <= outlook.now:
        done += _record_due(limit)
    if outlook.send_at is not None and outlook.send_at <= outlook.now:
        done.sent = recovery.send_pending(limit=limit)
    if outlook.hold_until is not None and outlook.hold_until <= outlook.now:
        done.released = holds.end_over()
    return done


def _record_due(most: int) -> Done:
    """Record and send the occurrences of due tasks, batch by batch, until a batch is not full."""
    done = Done()
    limit = min(FIRST_BATCH, most)
    while True:
        batch = occurrences.record_due(limit=limit)
        done += Done(tasks=batch.tasks, executions=len(batch.executions), paused=len(batch.paused))
        if batch.tasks < limit:
            return done
        limit = min(2 * limit, most)
