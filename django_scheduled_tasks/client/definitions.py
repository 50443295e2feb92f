"""Tasks by program: made, changed and found by a key of the program's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple, Required, TypedDict, Unpack
from uuid import UUID

from django.db import models

from django_scheduled_tasks.client.handle import TaskHandle
from django_scheduled_tasks.exceptions import AlreadyPaused, FieldError, InvalidTask, InvalidTasks, TaskNotFound
from django_scheduled_tasks.lifecycle import CatchUp, LogLevel, OnExcluded, OnWorkerLost, Overlap
from django_scheduled_tasks.models import ScheduledTask, write_alias, write_transaction
from django_scheduled_tasks.schedules import Schedule
from django_scheduled_tasks.services.queries import lookup
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.owner import owner_columns
from django_scheduled_tasks.services.tasks.upsert import DoneKind, Reader, Upserted, upsert_one, upsert_rows
from django_scheduled_tasks.users import User

Duration = timedelta | str
"""A ``timedelta``, or a text such as ``90s``, ``5m``, ``2h30m``, ``1d``."""
_MOST_TOLD = 100
"""So many errors stand in the message of an exception; its result has all."""


class TaskFields(TypedDict, total=False):
    """What a task can be given beside its function and its key; fields that are not given stay as they are."""

    name: str
    """Default, for a new one: made of the function and the key."""
    owner: models.Model | None
    schedule: Schedule | None
    """``cron(…)``, ``every(…)``, ``at(…)``; None: only when something runs it."""
    timezone: str
    params: Mapping[str, Any] | None
    description: str
    enabled: bool
    starts_at: datetime | None
    ends_at: datetime | None
    max_runs: int | None
    spread: Duration | None
    delete_when_done: bool
    overlap: Overlap | str
    catch_up: CatchUp | str
    grace: Duration | None
    timeout: Duration | None
    max_runtime: Duration | None
    must_succeed_every: Duration | None
    must_finish_by: time | str | None
    own_rules_only: bool
    expires_after: Duration | None
    max_attempts: int
    min_backoff: Duration
    max_backoff: Duration
    max_doublings: int
    max_age: Duration | None
    retry_on: Sequence[type[BaseException] | str]
    on_worker_lost: OnWorkerLost | str
    pause_after_failures: int | None
    queue: str
    concurrency_group: str
    keep_last: int | None
    keep_for: Duration | None
    log_level: LogLevel | str
    confirm: bool
    tags: Sequence[str]
    contact: str
    runbook: str
    environments: Sequence[str]
    calendars: Sequence[str]
    on_excluded: OnExcluded | str


class TaskRow(TaskFields, total=False):
    """One row of :func:`upsert_tasks`."""

    function: Required[str | Callable[..., Any]]
    key: Required[str]


class UpsertedTask(NamedTuple):
    """What :func:`upsert_task` returns."""

    row: ScheduledTask
    created: bool


def upsert_task(
    function: str | Callable[..., Any],
    *,
    key: str,
    user: User | None = None,
    reason: str = "",
    **fields: Unpack[TaskFields],
) -> UpsertedTask:
    """Create the task with this key, or change what is another one of it than is given.

    If nothing is, nothing is written and its schedule stays where it is. Of two at once, one creates it and the other
    changes it. What staff have changed stays, as long as it is not given here; a pause always stays.

    Args:
        function: A registered one, or its name, such as ``invoicing.monthly``.
        key: The program's own name for the task, unique among all: 1 to 255 characters.
        user: On whose behalf; recorded.
        reason: Why, for people; recorded.
        fields: See ``TaskFields``, which a type checker knows: schedule, parameters, owner, tags, limits.
    Returns:
        The task as it is stored, and whether it is new.
    Raises:
        InvalidTask: One item for each wrong field.
    """
    done = upsert_one({"function": function, "key": key, **fields}, user=user, reason=reason)
    assert done.task is not None  # noqa: S101  (for the type checker: without one there is an error)
    return UpsertedTask(done.task, done.kind == DoneKind.CREATED)


def upsert_tasks(
    rows: Iterable[TaskRow | Mapping[str, Any]], *, user: User | None = None, reason: str = ""
) -> Upserted:
    """Do what :func:`upsert_task` does for any number of tasks, in a few statements for each thousand.

    The rows are taken one after the other, so a generator needs no memory for all of them. Each batch of 3,500 is a
    transaction of its own, unless the caller has one; schedulers are told once, at the end.

    Args:
        rows: Dictionaries with the arguments of :func:`upsert_task`.
        user: On whose behalf; recorded.
        reason: Why, for people; recorded.
    Returns:
        How many were created, updated and unchanged.
    Raises:
        InvalidTasks: Some are not valid. The others have been written; what came of all is in its ``result``.
    """
    result = Upserted()
    result.add(upsert_rows(rows, user=user, reason=reason))
    if result.errors:
        told = [
            FieldError(f"{one.index}.{wrong.field}", wrong.message, wrong.code)
            for one in result.errors[:_MOST_TOLD]
            for wrong in getattr(one.error, "errors", [FieldError("key", one.error.message, one.error.code)])
        ]
        raise InvalidTasks(told, result)
    return result


class KnownTask(TaskHandle):
    """A task that is there: what :class:`TaskHandle` can do, and changing it."""

    def __init__(self, row: ScheduledTask) -> None:
        super().__init__(row.pk)
        self.row = row
        """As it is stored."""

    def __repr__(self) -> str:
        return f"<KnownTask {self.row.name}>"

    def update(self, *, user: User | None = None, reason: str = "", **fields: Unpack[TaskFields]) -> ScheduledTask:
        """Change fields; a change of the schedule counts from now.

        Raises:
            InvalidTask: One item for each wrong field.
            TaskNotFound: It has been deleted meanwhile.
        """
        self.row = edit.update_task(self.row, user=user, reason=reason, **_columns(fields))
        return self.row

    def pause(self, *, reason: str = "", until: datetime | None = None, user: User | None = None) -> ScheduledTask:
        """Let its schedule stand still, until it is resumed or an aware instant; Run once still works.

        Raises:
            AlreadyPaused: Somebody else has paused it.
        """
        self.row = edit.pause(self.row, reason=reason, until=until, user=user)
        return self.row

    def resume(self, *, reason: str = "", user: User | None = None) -> ScheduledTask:
        """Let its schedule go on, from now, whoever has paused it."""
        self.row = edit.resume(self.row, reason=reason, user=user)
        return self.row

    def delete(self, *, user: User | None = None) -> None:
        """Delete it. Its executions stay, with its name."""
        edit.delete_task(self.row, user=user)


class Tasks:
    """Some tasks, such as those of an owner; what is done to them is done to each, in one transaction."""

    def __init__(self, rows: models.QuerySet[ScheduledTask]) -> None:
        self._rows = rows

    @property
    def rows(self) -> models.QuerySet[ScheduledTask]:
        """Their rows; to be read, not written."""
        return self._rows.using(write_alias())

    def __iter__(self) -> Iterator[KnownTask]:
        return map(KnownTask, self.rows)

    def __len__(self) -> int:
        return self.rows.count()

    def update(self, *, user: User | None = None, reason: str = "", **fields: Unpack[TaskFields]) -> int:
        """Change fields of each; return how many there are.

        Raises:
            InvalidTask: As :meth:`KnownTask.update`; then none is changed.
        """
        values = _columns(fields)
        return self._each(lambda row: edit.update_task(row, user=user, reason=reason, **values))

    def pause(self, *, reason: str = "", until: datetime | None = None, user: User | None = None) -> int:
        """Let their schedules stand still, but for those that somebody else has paused; return how many there are."""

        def act(row: ScheduledTask) -> None:
            with suppress(AlreadyPaused):
                edit.pause(row, reason=reason, until=until, user=user)

        return self._each(act)

    def resume(self, *, reason: str = "", user: User | None = None) -> int:
        """Let their schedules go on, from now; return how many there are."""
        return self._each(lambda row: edit.resume(row, reason=reason, user=user))

    def delete(self, *, user: User | None = None) -> int:
        """Delete them; their executions stay. Return how many there were."""
        return self._each(lambda row: edit.delete_task(row, user=user))

    def _each(self, act: Callable[[ScheduledTask], object]) -> int:
        with write_transaction():
            rows = list(self.rows.order_by("pk"))  # in one order, so that two at once do not wait crosswise
            for row in rows:
                with suppress(TaskNotFound):  # somebody has deleted it meanwhile
                    act(row)
        return len(rows)


def get_task(name_or_id: str | UUID | None = None, *, key: str | None = None) -> KnownTask:
    """Return the task with this name (whatever its case) or id, or with this key. One statement.

    Raises:
        TaskNotFound: There is none.
        TypeError: Not exactly one of the two is given.
    """
    if (name_or_id is None) == (key is None):
        raise TypeError("get_task() takes a name or an id, or key=….")
    return KnownTask(lookup.get_task_by_key(key) if key is not None else lookup.get_task(name_or_id or ""))


def tasks_of(owner: models.Model) -> Tasks:
    """Return the tasks that belong to *owner*, a stored object of any model; nothing is asked of the database yet.

    Raises:
        InvalidInput: It is not stored.
    """
    return Tasks(ScheduledTask.objects.filter(**owner_columns(owner)))


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that these fields are.

    Raises:
        InvalidTask: One item for each wrong field.
    """
    errors: list[FieldError] = []
    values = Reader().read_fields(fields, errors)
    if errors:
        raise InvalidTask(errors)
    return values
