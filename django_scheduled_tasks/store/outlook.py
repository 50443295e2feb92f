"""One look at the database: its present instant, and when there will be something to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django_scheduled_tasks.db.statements import Instant, MaybeInstant, Statement
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias

LOOK = Statement(
    """
    SELECT {now},
           (SELECT MIN(next_run_at) FROM {tasks}),
           (SELECT MIN(send_at) FROM {executions} WHERE status = 'pending'),
           (SELECT MIN(lease_until) FROM {executions} WHERE status = 'processing')
    """,
    returns=(Instant(), MaybeInstant(), MaybeInstant(), MaybeInstant()),
    tasks=ScheduledTask,
    executions=Execution,
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one look says."""

    now: datetime
    next_run_at: datetime | None
    """When the next task is due."""
    send_at: datetime | None
    """When the next pending execution is to be sent, sent again, or expired."""
    lease_until: datetime | None
    """When the next lease runs out."""

    def next_at(self) -> datetime | None:
        """The earliest of them."""
        return min((at for at in (self.next_run_at, self.send_at, self.lease_until) if at is not None), default=None)


def look() -> Outlook:
    """Ask the database what there is to do, and when; one statement, each part answered by the end of an index."""
    (found,) = LOOK.fetch(write_alias())
    return Outlook(*found)
