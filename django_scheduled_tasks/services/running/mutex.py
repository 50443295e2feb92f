"""Whose turn it is: executions that need the same key run one at a time, the one that has waited longest first.

The unique column ``exclusive_key`` decides; what is here makes sure that nobody is forgotten. A message that finds its
execution's key held, or an older execution of the task before it in the queue, leaves word (``has_waiting``) with the
one that is in its way, and is done. The end of that one starts whoever has waited longest. So of the executions that
wait for a key, the oldest has either a message under way or word left with the one that holds the key.
"""

from __future__ import annotations

from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.delivery.dispatch import submit

_LOOK_AHEAD = 20
"""How many that wait for a key are looked at for the first of each queue."""


def leave_word_with_earlier(execution: Execution) -> bool:
    """Let the end of the oldest execution of the task that waits before *execution* start it; False if none does.

    Only those of the same task keep their order: they share a queue, so that a queue without workers stops nobody
    else who needs the key.
    """
    rows = Execution.objects.using(write_alias())
    while True:
        waiting = rows.ready().filter(lock_key=execution.lock_key, task=execution.task_id, pk__lt=execution.pk)
        earlier = waiting.order_by("id").values_list("pk", flat=True).first()
        if earlier is None:
            return False
        if rows.open().filter(pk=earlier).update(has_waiting=True):
            return True


def leave_word_with_holder(execution: Execution) -> bool:
    """Let the end of the execution that holds the key start *execution*; False if none holds it (any more)."""
    rows = Execution.objects.using(write_alias())
    return bool(rows.filter(exclusive_key=execution.lock_key).update(has_waiting=True))


def start_waiting(lock_key: str) -> None:
    """Send the execution that has waited longest for *lock_key* to the engine; in each queue, if there are several."""
    if not lock_key:
        return
    rows = Execution.objects.using(write_alias())
    following = rows.ready().filter(lock_key=lock_key).select_related("task").order_by("id")[:_LOOK_AHEAD]
    submit({row.task.queue if row.task else "": row for row in reversed(following)}.values())
