"""Tasks that are to be deleted when nothing of them is left to run."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution, ScheduledTask, for_update, write_alias, write_transaction
from django_scheduled_tasks.services.queries.overview import is_done
from django_scheduled_tasks.services.scheduling.retention import delete_counted
from django_scheduled_tasks.services.tasks.edit import delete_task


def done_steps() -> Iterator[tuple[str, int]]:
    """Delete tasks that are done and have ``delete_when_done``, with their history; yield name and count.

    Done is one whose schedule has ended, by its dates, its end or its most runs, and of which no execution is open. One
    that is only run by hand is never done. A batch of executions at a time, the task with the last one.
    """
    while True:
        task = _done().order_by("pk").first()
        if task is None:
            return
        yield task.name, _delete_some(task)


def _done() -> QuerySet[ScheduledTask]:
    is_open = Exists(Execution.objects.filter(task=OuterRef("pk"), status__in=OPEN))
    rows = ScheduledTask.objects.using(write_alias()).filter(delete_when_done=True, next_run_at=None)
    return rows.filter(is_done()).exclude(is_open)


def _delete_some(task: ScheduledTask) -> int:
    with write_transaction():
        # Locked, so that nobody starts or changes it meanwhile.
        if not for_update(_done().filter(pk=task.pk)).exists():
            return 0
        rows = Execution.objects.using(write_alias()).filter(task=task)
        some = list(rows.order_by("pk").values_list("pk", flat=True)[: get_settings().BATCH_SIZE])
        delete_counted(some)
        if not rows.exists():
            delete_task(task, reason=_("Nothing of it was left to run."))
    return len(some)
