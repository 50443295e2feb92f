"""One pass over everything that is due."""

from __future__ import annotations

from dataclasses import dataclass, fields

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.scheduling import occurrences, recovery
from django_scheduled_tasks.store.outlook import Outlook, look

FIRST_BATCH = 20
"""How many due tasks the first batch of a pass takes; each that follows takes twice as many. Of many that are due at
once, the first are running while the others are planned."""


@dataclass
class Done:
    """What a pass did."""

    tasks: int = 0
    executions: int = 0
    sent: int = 0
    lost: int = 0
    paused: int = 0

    def __add__(self, other: Done) -> Done:
        return Done(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})

    def __bool__(self) -> bool:
        return bool(self.tasks or self.sent or self.lost)


def tick(outlook: Outlook | None = None) -> Done:
    """Handle all that is due: lost leases, what they ended is in nobody's way then; occurrences; what is to be sent.

    Args:
        outlook: What the last look said; None: look now.
    """
    outlook = outlook or look()
    batch = get_settings().BATCH_SIZE
    done = Done()
    if outlook.lease_until is not None and outlook.lease_until < outlook.now:
        done.lost += recovery.end_lost(limit=batch)
    if outlook.next_run_at is not None and outlook.next_run_at <= outlook.now:
        limit = min(FIRST_BATCH, batch)
        while True:
            part = occurrences.record_due(limit=limit)
            done.tasks += part.tasks
            done.executions += len(part.executions)
            done.paused += len(part.paused)
            if part.tasks < limit:
                break
            limit = min(2 * limit, batch)
    if outlook.send_at is not None and outlook.send_at <= outlook.now:
        done.sent += recovery.send_pending(limit=batch)
    return done
