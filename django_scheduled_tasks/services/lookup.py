"""Finding tasks and executions by what people and programs call them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from django_scheduled_tasks.exceptions import ExecutionNotFound, TaskNotFound
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.models.task import NUL, name_key

SEARCHED = 20_000
"""How many of the newest executions are searched for a text."""
BIGGEST_ID = 2**63 - 1
"""The largest number that a column for ids holds."""
_MOST_DIGITS = len(str(BIGGEST_ID))


def as_uuid(text: object) -> UUID | None:
    """Return *text* as a UUID, or None if it is not one."""
    if isinstance(text, UUID):
        return text
    try:
        return UUID(str(text))
    except ValueError:
        return None


def read_number(text: object, *, most: int = BIGGEST_ID) -> int | None:
    """Return the whole number that *text* says in plain digits, or None if it says none or one above *most*.

    What :func:`int` reads besides, or not at all, is none: signs, blanks, digits of other scripts, thousands of digits.
    """
    digits = str(text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        return None
    number = int(digits)
    return number if number <= most else None


def search_from(rows: QuerySet[Execution]) -> int:
    """Return the id of the oldest of *rows* that is searched for a text: no index answers that. One statement."""
    return rows.order_by("-id").values_list("id", flat=True)[SEARCHED - 1 : SEARCHED].first() or 0


def get_task(name_or_id: str | UUID, queryset: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
    """Return the task with this name (whatever its case) or id; a name wins. One statement.

    Args:
        name_or_id: A name, or an id as UUID or text.
        queryset: Where to look, for locks and annotations; default: all.
    Raises:
        TaskNotFound: There is none.
    """
    key, identifier = name_key(str(name_or_id)), as_uuid(name_or_id)
    if NUL in key:
        raise TaskNotFound(name_or_id)
    condition = Q(name_key=key)
    if identifier is not None:
        condition |= Q(pk=identifier)
    found = list((ScheduledTask.objects.all() if queryset is None else queryset).filter(condition).order_by()[:2])
    if not found:
        raise TaskNotFound(name_or_id)
    return next((task for task in found if task.name_key == key), found[0])


def get_execution(tracking_id: str | UUID, queryset: QuerySet[Execution] | None = None) -> Execution:
    """Return the execution with this tracking id, its task with it. One statement.

    Raises:
        ExecutionNotFound: There is none.
    """
    identifier = as_uuid(tracking_id)
    rows = (Execution.objects.all() if queryset is None else queryset).select_related("task")
    execution = rows.filter(tracking_id=identifier).first() if identifier else None
    if execution is None:
        raise ExecutionNotFound(tracking_id)
    return execution


def get_execution_of(
    task: str | UUID, tracking_id: str | UUID, queryset: QuerySet[Execution] | None = None
) -> Execution:
    """Return the execution with this tracking id if it is one of *task* (a name or an id). One statement if so.

    Raises:
        TaskNotFound: There is no such task.
        ExecutionNotFound: There is no such execution, or it is another task's.
    """
    try:
        execution = get_execution(tracking_id, queryset)
    except ExecutionNotFound:
        raise ExecutionNotFound(tracking_id, task=get_task(task).name) from None
    # The name it had counts too: a task may have been deleted or renamed since.
    names = {execution.task_name.casefold()} | ({execution.task.name_key} if execution.task else set())
    if name_key(str(task)) in names or (execution.task_id is not None and as_uuid(task) == execution.task_id):
        return execution
    raise ExecutionNotFound(tracking_id, task=get_task(task).name)
