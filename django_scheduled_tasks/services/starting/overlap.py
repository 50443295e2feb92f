"""What an overlap policy says to one more execution, and to many."""

from __future__ import annotations

from dataclasses import dataclass

from django_scheduled_tasks.exceptions import AlreadyRunning
from django_scheduled_tasks.lifecycle import Overlap, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.planner import QUEUE_ALL_CAP, QUEUE_ONE_CAP
from django_scheduled_tasks.services.running.cancel import cancel_open

_MOST = {Overlap.SKIP: 1, Overlap.QUEUE_ONE: QUEUE_ONE_CAP, Overlap.QUEUE_ALL: QUEUE_ALL_CAP}


@dataclass(frozen=True, slots=True)
class Room:
    """How many more executions of a task an overlap policy allows."""

    left: int | None
    """None: any number."""
    first: Execution | None = None
    """What is in the way of the others, if there is anything yet."""


def obey(policy: Overlap, task: ScheduledTask) -> None:
    """Ask the open executions of *task* to stop if *policy* says so.

    Raises:
        AlreadyRunning: It forbids another execution.
    """
    if policy == Overlap.CANCEL_RUNNING:
        cancel_open(task)
        return
    found = room(policy, task)
    if found.left == 0 and found.first is not None:
        raise in_the_way(found.first, task)


def room(policy: Overlap, task: ScheduledTask) -> Room:
    """Return how many more executions of *task* *policy* allows; one statement, if it counts."""
    most = _MOST.get(policy)
    if most is None:
        return Room(None)
    rows = Execution.objects.using(write_alias()).filter(task=task).blocking(task.database_now).order_by("id")
    if policy != Overlap.SKIP:  # what is running does not wait
        rows = rows.filter(status=Status.PENDING)
    found = list(rows.only("id", "tracking_id", "status")[:most])
    return Room(most - len(found), found[0] if found else None)


def in_the_way(execution: Execution, task: ScheduledTask) -> AlreadyRunning:
    """Return the error that says that *execution* of *task* is still open."""
    waits = execution.status == Status.PENDING
    return AlreadyRunning(tracking_id=execution.tracking_id, number=execution.pk, task=task.name, waits=waits)
