"""Resuming a task, and what becomes of the runs that were due while it was paused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidSchedule
from django_scheduled_tasks.lifecycle import Overlap, Replay
from django_scheduled_tasks.models import ScheduledTask, for_update, with_now, write_transaction
from django_scheduled_tasks.planner import occurrences_between
from django_scheduled_tasks.planner.late import following
from django_scheduled_tasks.services.queries.explain import standing
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.starting.backfill import MOST_OCCURRENCES, backfill
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.users import User


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What was due while a task was paused."""

    first: datetime
    last: datetime
    count: int

    @property
    def is_too_much(self) -> bool:
        """Whether it is more than can be replayed at once."""
        return self.count > MOST_OCCURRENCES


def due_meanwhile(task: ScheduledTask, *, now: datetime) -> Meanwhile | None:
    """Return what was due since *task* was paused, if resuming it would let it go on; None if nothing was."""
    found = standing.why(task, now)
    if found is None or not task.is_paused(now) or not task.enabled or not task.runs_here:
        return None
    try:
        due = occurrences_between(task.policy, after=found.since, until=now, run_count=task.run_count)
        first = following(task.policy, found.since)
    except InvalidSchedule:
        return None
    return None if due is None or first is None else Meanwhile(first, due.last, due.count)


def resume_task(
    task: ScheduledTask,
    *,
    replay: Replay = Replay.FROM_NOW,
    reason: str = "",
    user: User | None = None,
    authorize: Callable[[ScheduledTask], None] | None = None,
) -> ScheduledTask:
    """Let the schedule of *task* go on, and run what was due meanwhile, if *replay* says so.

    What is run again waits for its turn, one after the other, oldest first, each with its own date.

    Args:
        task: Which.
        replay: What becomes of the runs that were due.
        reason: Why, for people; recorded.
        user: Who; recorded.
        authorize: Called with the task if runs are to be started; raises if the caller may not run it.
    Raises:
        TaskNotFound, FunctionNotRegistered, InvalidParameters, InvalidSchedule: As their names say.
        InvalidInput: There are more than a thousand: nothing is resumed.
    """
    with write_transaction():
        row = get_task(task.pk, for_update(with_now(ScheduledTask.objects.all())))
        due = due_meanwhile(row, now=row.database_now) if replay != Replay.FROM_NOW else None
        if due is not None and authorize is not None:
            authorize(row)
        if due is not None and replay == Replay.ALL and due.is_too_much:
            raise InvalidInput([FieldError("replay", _("Too many to replay here: backfill with a range."), "many")])
        resumed = edit.resume(row, user=user, reason=reason)
        if due is not None:
            start = due.last if replay == Replay.LATEST else due.first
            backfill(resumed, start=start, end=due.last, overlap=Overlap.QUEUE_ALL, reason=reason, user=user)
    return resumed
