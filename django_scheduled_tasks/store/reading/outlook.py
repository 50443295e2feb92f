"""One look at the database: its present instant, and when there will be something to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django_scheduled_tasks.db.loaders import Instant, MaybeInstant
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask
from django_scheduled_tasks.store.holds import not_held
from django_scheduled_tasks.store.reading.left import NOT_LEFT, Left, rows_of

LOOK = Statement(
    """
    SELECT {now},
           (SELECT t.next_run_at FROM {tasks} t
             WHERE t.next_run_at IS NOT NULL AND {not_held} {not_left} ORDER BY t.next_run_at LIMIT 1),
           (SELECT MIN(send_at) FROM {executions} WHERE status = 'pending'),
           (SELECT MIN(lease_until) FROM {executions} WHERE status = 'processing'),
           (SELECT MIN(until) FROM {holds} WHERE ended_at IS NULL)
    """,
    returns=(Instant(), MaybeInstant(), MaybeInstant(), MaybeInstant(), MaybeInstant()),
    tasks=ScheduledTask,
    executions=Execution,
    holds=Hold,
    not_held=not_held,
    not_left=NOT_LEFT,
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one look says."""

    now: datetime
    next_run_at: datetime | None
    """When the next task is due that nothing holds."""
    send_at: datetime | None
    """When the next pending execution is to be sent, sent again, or expired."""
    lease_until: datetime | None
    """When the next lease runs out."""
    hold_until: datetime | None = None
    """When the next hold is over."""

    def next_at(self) -> datetime | None:
        """The earliest of them."""
        instants = (self.next_run_at, self.send_at, self.lease_until, self.hold_until)
        return min((at for at in instants if at is not None), default=None)


def look(left: Iterable[Left] = ()) -> Outlook:
    """Ask the database what there is to do, and when; one statement, each part answered by the end of an index.

    Args:
        left: Tasks that are left to others.
    """
    (found,) = LOOK.fetch(rows_of(left))
    return Outlook(*found)
