"""Mutual exclusion: executions with the same ``lock_key`` run one at a time, the one that has waited longest first.

The unique column ``exclusive_key`` decides; what is here makes sure that no waiter is forgotten. A message whose
execution finds its key held, or an earlier execution of its task waiting, sets ``has_waiting`` on the execution that is
before it, and is done. The end of that one starts the execution that has waited longest. So of the waiters for a key,
the oldest has either a message under way, or ``has_waiting`` is set on the execution that holds the key.
"""

from __future__ import annotations

from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.delivery.dispatch import submit
from django_scheduled_tasks.store.holds import held_tasks

_LOOK_AHEAD = 20
"""How many waiters for a key are looked at for the first of each queue."""


def wait_for_earlier(execution: Execution) -> bool:
    """Let the end of the oldest earlier waiter of the same task start *execution*; False if there is none.

    Only those of the same task keep their order: they share a queue, so that a queue without workers holds up no other
    task of the concurrency group.
    """
    rows = Execution.objects.using(write_alias())
    while True:
        waiting = rows.ready().filter(lock_key=execution.lock_key, task=execution.task_id, pk__lt=execution.pk)
        earlier = waiting.order_by("id").values_list("pk", flat=True).first()
        if earlier is None:
            return False
        if rows.open().filter(pk=earlier).update(has_waiting=True):
            return True


def wait_for_holder(execution: Execution) -> bool:
    """Let the end of the execution that holds the key start *execution*; False if none holds it (any more)."""
    rows = Execution.objects.using(write_alias())
    return bool(rows.filter(exclusive_key=execution.lock_key).update(has_waiting=True))


def start_waiters(lock_key: str) -> None:
    """Send the execution that has waited longest for *lock_key* to the engine; in each queue, if there are several."""
    if not lock_key:
        return
    rows = Execution.objects.using(write_alias())
    following = rows.ready().filter(lock_key=lock_key).exclude(task__in=held_tasks())
    following = following.select_related("task").order_by("id")[:_LOOK_AHEAD]
    submit({row.task.queue if row.task else "": row for row in reversed(following)}.values())
