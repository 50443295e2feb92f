"""Finding tasks and executions by what people and programs call them."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from django_scheduled_tasks.exceptions import ExecutionNotFound, TaskNotFound
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.models import Execution, ScheduledTask, with_now, write_alias
from django_scheduled_tasks.models.execution import ExecutionQuerySet
from django_scheduled_tasks.models.task import NUL, name_key
from django_scheduled_tasks.store.executions import read


def get_task(name_or_id: str | UUID, queryset: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
    """Return the task with this name (whatever its case) or id; an id wins. One statement.

    Anybody who may rename a task could call it like another one's id; nobody chooses an id.
    As all that looks for one row it asks the database that is written to: a replica may not have the row yet.

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
    rows = (ScheduledTask.objects.all() if queryset is None else queryset).using(write_alias())
    found = list(rows.filter(condition).order_by()[:2])
    if not found:
        raise TaskNotFound(name_or_id)
    return next((task for task in found if task.pk == identifier), found[0])


def get_task_by_key(key: str, queryset: QuerySet[ScheduledTask] | None = None) -> ScheduledTask:
    """Return the task with this key. One statement.

    Raises:
        TaskNotFound: There is none.
    """
    rows = (ScheduledTask.objects.all() if queryset is None else queryset).using(write_alias())
    found = rows.filter(key=key).order_by().first() if NUL not in key else None
    if found is None:
        raise TaskNotFound(key)
    return found


def started_by(rows: ExecutionQuerySet, name: str) -> ExecutionQuerySet:
    """Keep those of *rows* that the user with this name to sign in with has started, in order. One statement more."""
    if NUL in name:
        return rows.none()
    users = get_user_model()._default_manager.filter(**{users_name(): name})
    user = users.values_list("pk", flat=True).first()
    return rows.of_person(user) if user is not None else rows.none()


def users_name() -> str:
    """Return the column of users that has the name to sign in with."""
    name: str = get_user_model().USERNAME_FIELD
    return name


def get_execution(tracking_id: str | UUID, queryset: QuerySet[Execution] | None = None) -> Execution:
    """Return the execution with this tracking id, its task with it. One statement.

    Raises:
        ExecutionNotFound: There is none.
    """
    identifier = as_uuid(tracking_id)
    rows = (Execution.objects.all() if queryset is None else queryset).using(write_alias()).select_related("task")
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


def execution_of(task: str, tracking_id: str | UUID) -> Execution:
    """Return the execution with this tracking id if it is one of *task* (a name or an id), with ``database_now``.

    Its task is read when it is asked for. One statement if the task has the name that it had then.

    Raises:
        TaskNotFound: There is no such task.
        ExecutionNotFound: There is no such execution, or it is another task's.
    """
    identifier = as_uuid(tracking_id)
    execution = read(identifier) if identifier else None
    if execution is not None and (
        name_key(task) == execution.task_name.casefold()
        or (execution.task_id is not None and as_uuid(task) == execution.task_id)
    ):
        return execution
    return get_execution_of(task, tracking_id, with_now(Execution.objects.all()))
