"""One look at the database: its present instant, and when there will be something to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django_scheduled_tasks.db.statements import Instant, MaybeInstant, Statement
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.store.left import WHERE_NOT_LEFT, Left, rows_of

LOOK = Statement(
    """
    SELECT {now},
           (SELECT MIN(t.next_run_at) FROM {tasks} t {where_not_left}),
           (SELECT MIN(send_at) FROM {executions} WHERE status = 'pending'),
           (SELECT MIN(lease_until) FROM {executions} WHERE status = 'processing')
    """,
    returns=(Instant(), MaybeInstant(), MaybeInstant(), MaybeInstant()),
    tasks=ScheduledTask,
    executions=Execution,
    where_not_left=WHERE_NOT_LEFT,
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


def look(left: Iterable[Left] = ()) -> Outlook:
    """Ask the database what there is to do, and when; one statement, each part answered by the end of an index.

    Args:
        left: Tasks that are left to others.
    """
    (found,) = LOOK.fetch(rows_of(left))
    return Outlook(*found)
