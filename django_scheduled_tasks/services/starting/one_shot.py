"""One-shots: one execution at an instant, with a key at most one that waits; asked for again, it is moved (debounce).

The key is kept where idempotency keys are, so that the database itself knows it once. It is free again as soon as the
execution has begun or ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import ExecutionNotFound, FieldError, InvalidInput
from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, in_transaction, write_alias
from django_scheduled_tasks.models.execution import ONE_SHOT
from django_scheduled_tasks.services.delivery.dispatch import after_commit
from django_scheduled_tasks.services.delivery.notify import wake_schedulers_for
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.starting.idempotency import IDEMPOTENCY_KEY_MAX_LENGTH, seeing_others
from django_scheduled_tasks.services.starting.run_once import Request, RunOnce
from django_scheduled_tasks.store.insert import insert
from django_scheduled_tasks.store.tasks import lock_task
from django_scheduled_tasks.users import User

_MOVED = (
    *("not_before", "send_at", "submissions", "expires_at", "params", "secret_params", "own_params"),
    *("reason", "triggered_by_id"),
)
"""What another request for the same key changes of an execution that waits."""


def run_at(
    task: ScheduledTask | UUID | str,
    when: datetime,
    *,
    key: str | None = None,
    replace: bool = True,
    params: Mapping[str, Any] | None = None,
    reason: str = "",
    trigger: Trigger = Trigger.PYTHON,
    user: User | None = None,
) -> RunOnce:
    """Record one execution for an instant, or move the one that waits with the same key.

    Until then it is in nobody's way, whatever the overlap policy says, nor is it refused; then it waits for its turn.

    Args:
        task: The task, its name, or its id.
        when: Aware; the earliest start.
        key: At most one execution of the task with this key waits at any time; 1 to 255 characters. None: any number.
        replace: Whether one that waits with this key gets the new instant and parameters, or stays as it is.
        params: Replace the task's own parameters one by one.
        reason: Why, for people.
        trigger: What the request came through.
        user: Who asked; recorded.
    Returns:
        The execution; ``replayed`` if it waits already and stays as it is.
    Raises:
        TaskNotFound, FunctionNotRegistered, InvalidParameters, InvalidInput, StaleTransaction: As for ``run_once``.
    """
    request = Request(params, reason, when, None, trigger, user, None)

    def act() -> RunOnce:
        with in_transaction():
            row = lock_task(task.pk if isinstance(task, ScheduledTask) else task)
            digest = _digest(row, key) if key is not None else None
            waiting = _waiting(digest) if digest is not None else None
            if waiting is not None and not replace:
                return RunOnce(waiting, replayed=True)
            execution = request.row(row)
            if waiting is not None and _move(waiting, execution, row.database_now):
                return RunOnce(waiting)
            if digest is not None:
                _free(digest)
            execution.idempotency_key, execution.idempotency_fingerprint = digest, ONE_SHOT
            insert(execution)
            after_commit([execution])
        return RunOnce(execution)

    return act() if key is None else seeing_others(act)


def cancel_at(task: str | UUID, key: str, *, user: User | None = None) -> Execution:
    """Cancel the execution of *task* that waits with this key.

    Raises:
        TaskNotFound: There is no such task.
        ExecutionNotFound: None waits.
        NotCancellable: It has ended just now.
    """
    row = get_task(task)
    waiting = _waiting(_digest(row, key))
    if waiting is None:
        raise ExecutionNotFound(key, task=row.name)
    return cancel(waiting.tracking_id, user=user)


def _digest(task: ScheduledTask, key: str) -> str:
    if not 0 < len(key) <= IDEMPOTENCY_KEY_MAX_LENGTH:
        message = _("it has 1 to %(limit)s characters.") % {"limit": IDEMPOTENCY_KEY_MAX_LENGTH}
        raise InvalidInput([FieldError("key", message, "length")])
    # Of three parts with a list as the last one: no idempotency key has such a scope.
    return hashlib.sha256(json.dumps([str(task.pk), ONE_SHOT, [key]]).encode()).hexdigest()


def _waiting(digest: str) -> Execution | None:
    """Return the execution that waits with this key; one that has begun and waits for a retry is another matter."""
    rows = Execution.objects.using(write_alias()).select_related("task")
    return rows.filter(idempotency_key=digest, status=Status.PENDING, attempt=1, cancel_requested_at=None).first()


def _move(waiting: Execution, execution: Execution, now: datetime) -> bool:
    """Let *waiting* be as *execution*; False if it has begun meanwhile."""
    changes = {name: getattr(execution, name) for name in _MOVED}
    rows = Execution.objects.using(write_alias())
    if not rows.filter(pk=waiting.pk, status=Status.PENDING, attempt=1, cancel_requested_at=None).update(**changes):
        return False
    for name, value in changes.items():
        setattr(waiting, name, value)
    wake_schedulers_for(waiting.send_at, now=now)
    return True


def _free(digest: str) -> None:
    Execution.objects.using(write_alias()).filter(idempotency_key=digest).update(idempotency_key=None)
