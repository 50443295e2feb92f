"""Starting a task many times at once, each time with parameters of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import (
    FieldError,
    InvalidInput,
    InvalidParameters,
    ScheduledTasksError,
)
from django_scheduled_tasks.lifecycle import Overlap, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, in_transaction
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.delivery.dispatch import after_commit
from django_scheduled_tasks.services.starting.idempotency import digests, earlier_with_any, seeing_others
from django_scheduled_tasks.services.starting.overlap import in_the_way, room
from django_scheduled_tasks.services.starting.run_once import Request, check_not_before, clean_reason
from django_scheduled_tasks.store.insert import MOST_ROWS, insert_many
from django_scheduled_tasks.store.tasks import lock_task
from django_scheduled_tasks.users import User

Item = Execution | ScheduledTasksError


@dataclass(frozen=True, slots=True)
class RunMany:
    """What came of a request to run a task many times."""

    items: tuple[Item, ...]
    """For each of the parameters, in their order: its execution, or why it was refused."""
    replayed: bool = False
    """Whether all are answers of an earlier request with the same idempotency key."""


def run_many(
    task: ScheduledTask | UUID | str,
    rows: Sequence[Mapping[str, Any] | None],
    *,
    reason: str = "",
    not_before: datetime | None = None,
    overlap: Overlap | None = None,
    trigger: Trigger = Trigger.PYTHON,
    user: User | None = None,
    authorize: Callable[[ScheduledTask], None] | None = None,
    idempotency_key: str | None = None,
) -> RunMany:
    """Record one execution for each of *rows*, as :func:`run_once` records one.

    One that is wrong does not stop the others. Each :data:`MOST_ROWS` are written by one statement in a transaction of
    their own, unless the caller has one; if the process dies in between, the same call with the same key writes the
    rest.

    Args:
        task: The task, its name, or its id; locked while its rows are written.
        rows: Parameters, as :func:`run_once` takes them.
        reason: Why, for people.
        not_before: Aware; the earliest start of all.
        overlap: Overrides the task's overlap policy. None: its own if that is ``allow``, else ``queue_all``, so that
            each of them runs, one at a time.
        trigger: What the request came through.
        user: Who asked; recorded.
        authorize: Called with the task before anything is decided; raises if the caller may not run it.
        idempotency_key: Same key, task, user and request within 24 hours: what was started is answered again.
    Raises:
        TaskNotFound: There is no such task.
        FunctionNotRegistered: Its function is not in the code.
        InvalidInput: ``not_before``, ``reason``, the key or the policy is not acceptable.
        IdempotencyMismatch: The key was used with another request.
        StaleTransaction: The caller's transaction does not see that the same was started meanwhile.
    """
    if overlap == Overlap.CANCEL_RUNNING:
        text = _("with it each would cancel the one before; choose another one.")
        raise InvalidInput([FieldError("overlap", text, "invalid_choice")])
    call = _Call(task, rows, Request(None, reason, not_before, overlap, trigger, user, None), idempotency_key)
    replayed = bool(rows)
    for first in range(0, len(rows) or 1, MOST_ROWS):

        def write(first: int = first) -> bool:
            return _write(call, range(first, min(first + MOST_ROWS, len(rows))), authorize)

        replayed &= write() if idempotency_key is None else seeing_others(write)
    return RunMany(tuple(call.items[number] for number in range(len(rows))), replayed=replayed)


@dataclass(slots=True)
class _Call:
    """One call, and what has come of it so far."""

    task: ScheduledTask | UUID | str
    rows: Sequence[Mapping[str, Any] | None]
    request: Request
    key: str | None
    items: dict[int, Item] = field(default_factory=dict)
    found: tuple[str, str] | None = None
    """The digests of key and request, once they are known."""

    def digests(self, task: ScheduledTask, numbers: range) -> tuple[dict[int, str], str]:
        """Return the digest of the key for each of *numbers*, and that of the request; none without a key."""
        if self.key is None:
            return {}, ""
        if self.found is None:
            body = ["many", *map(_bare, self.rows), *self.request.body()]
            self.found = digests(task, self.request.user, self.key, body)
        whole, fingerprint = self.found
        each = {number: hashlib.sha256(f"{whole}:{number}".encode()).hexdigest() for number in numbers}
        return each, fingerprint


def _bare(params: Mapping[str, Any] | None) -> Any:
    return dict(params) if isinstance(params, Mapping) else params


def _write(call: _Call, numbers: range, authorize: Callable[[ScheduledTask], None] | None) -> bool:
    """Write the rows with these *numbers*; return whether each of them was there already.

    1. Lock the task, and refuse what is wrong with all of them.
    2. Find those that an earlier request with the same key has started.
    3. Make the others, as far as their parameters are right and the overlap policy has room for them.
    4. Write those with one statement, and announce them.
    """
    with in_transaction():
        task = lock_task(call.task.pk if isinstance(call.task, ScheduledTask) else call.task)
        if authorize is not None:
            authorize(task)
        registry.get(task.function)
        clean_reason(call.request.reason)
        check_not_before(call.request.not_before, task.database_now)
        keys, fingerprint = call.digests(task, numbers)
        earlier = earlier_with_any(list(keys.values()), fingerprint, task.database_now) if keys else {}
        request = replace(call.request, overlap=call.request.overlap or _usual(task))
        there = room(request.policy(task), task)
        left, first, made = there.left, there.first, []
        for number in numbers:
            if (digest := keys.get(number)) in earlier:
                call.items[number] = earlier[digest]
                continue
            row = call.items[number] = _row(request, task, call.rows[number])
            if isinstance(row, ScheduledTasksError):
                continue
            if left == 0 and first is not None:
                call.items[number] = in_the_way(first, task)
                continue
            row.idempotency_key, row.idempotency_fingerprint = digest, fingerprint
            made.append(row)
            left, first = None if left is None else left - 1, first or row
        insert_many(made)
        after_commit(made, may_share=request.policy(task) == Overlap.ALLOW)
    return len(earlier) == len(numbers)


def _usual(task: ScheduledTask) -> Overlap:
    return Overlap.ALLOW if task.overlap == Overlap.ALLOW else Overlap.QUEUE_ALL


def _row(request: Request, task: ScheduledTask, params: Any) -> Item:
    """Return the execution with *params*, not saved; or why there can be none."""
    if params is not None and not isinstance(params, Mapping):
        return InvalidParameters([FieldError("params", _("they have to be an object, such as {}."), "object")])
    try:
        return replace(request, params=params).row(task)
    except ScheduledTasksError as exc:
        return exc
