"""Starting executions outside the schedule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import (
    AlreadyMadeGood,
    FieldError,
    FunctionChanged,
    InvalidInput,
    InvalidParameters,
)
from django_scheduled_tasks.identifiers import as_uuid
from django_scheduled_tasks.lifecycle import Outcome, Overlap, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, in_transaction, write_alias
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.delivery.dispatch import after_commit, let_start, new_row
from django_scheduled_tasks.services.installation.state import is_held
from django_scheduled_tasks.services.queries.executions.missed import made_good_by
from django_scheduled_tasks.services.secrets import with_secrets_of
from django_scheduled_tasks.services.starting.idempotency import digests, earlier_with, seeing_others
from django_scheduled_tasks.services.starting.overlap import obey
from django_scheduled_tasks.store.insert import can_insert_optimistically, insert, insert_optimistically
from django_scheduled_tasks.store.tasks import known_task, lock_task
from django_scheduled_tasks.users import User


@dataclass(frozen=True, slots=True)
class RunOnce:
    """What came of a request to run a task once."""

    execution: Execution
    replayed: bool = False
    """Whether it is the answer of an earlier request with the same idempotency key."""


def run_once(
    task: ScheduledTask | UUID | str,
    *,
    params: Mapping[str, Any] | None = None,
    reason: str = "",
    not_before: datetime | None = None,
    overlap: Overlap | None = None,
    trigger: Trigger = Trigger.PYTHON,
    user: User | None = None,
    authorize: Callable[[ScheduledTask], None] | None = None,
    idempotency_key: str | None = None,
    rerun_of: Execution | None = None,
) -> RunOnce:
    """Record one execution outside the schedule and send it to the engine when the caller's transaction commits.

    It never touches the schedule and works for a task that is switched off or paused. Three statements; on PostgreSQL
    one, if the policy is ``allow`` and the task is as it was when this process last ran it.

    Args:
        task: The task, its name, or its id. It is read again, and locked until the row is written.
        params: Replace the task's own parameters one by one; JSON or typed values. A mask, as a secret is shown with,
            stands for the stored secret.
        reason: Why, for people; at most 500 characters.
        not_before: Aware; the earliest start. None: now.
        overlap: Overrides the task's overlap policy for this one run.
        trigger: What the request came through.
        user: Who asked; recorded.
        authorize: Called with the task before anything is decided; raises if the caller may not run it.
        idempotency_key: Same key, task and user within 24 hours: the first execution is answered again.
        rerun_of: The execution that this one repeats; its parameters count instead of the task's, and the trigger is
            ``rerun``, whatever it came through. One that was missed is made good: due when that was, with the task's
            parameters, and only once.
    Returns:
        The execution; pending, or, with an engine that runs in the caller, perhaps ended.
    Raises:
        TaskNotFound: There is no such task.
        FunctionNotRegistered: Its function is not in the code.
        FunctionChanged: The task has another function than the execution that is to be repeated.
        AlreadyMadeGood: What was missed has run meanwhile, or is about to.
        InvalidParameters: One item for each wrong field.
        InvalidInput: ``not_before``, ``reason`` or the key is not acceptable.
        AlreadyRunning: The overlap policy forbids it.
        IdempotencyMismatch: The key was used with another request.
        StaleTransaction: The caller's transaction does not see that the same was started meanwhile.
    """
    request = Request(params, reason, not_before, overlap, trigger, user, rerun_of)
    is_optimistic = can_insert_optimistically()
    if is_optimistic and idempotency_key is None:
        execution = _insert_optimistically(task, request, authorize)
        if execution is not None:
            return RunOnce(execution)

    def insert_locked() -> RunOnce:
        return _insert_locked(task, request, authorize, idempotency_key, remember=is_optimistic)

    return insert_locked() if idempotency_key is None and rerun_of is None else seeing_others(insert_locked)


def _insert_locked(
    task: ScheduledTask | UUID | str,
    request: Request,
    authorize: Callable[[ScheduledTask], None] | None,
    idempotency_key: str | None,
    *,
    remember: bool,
) -> RunOnce:
    """Do it with the task locked."""
    with in_transaction():
        row = lock_task(task.pk if isinstance(task, ScheduledTask) else task, remember=remember)
        if authorize is not None:
            authorize(row)
        digest, fingerprint = "", ""
        if idempotency_key is not None:
            digest, fingerprint = digests(row, request.user, idempotency_key, request.body())
            if earlier := earlier_with(digest, fingerprint, row.database_now):
                return RunOnce(earlier, replayed=True)
        execution = request.row(row)
        execution.idempotency_key, execution.idempotency_fingerprint = digest or None, fingerprint
        obey(request.policy(row), row)
        insert(execution)
        after_commit([execution])
    return RunOnce(execution)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, as :func:`run_once` takes it."""

    params: Mapping[str, Any] | None
    reason: str
    not_before: datetime | None
    overlap: Overlap | None
    trigger: Trigger
    user: User | None
    rerun_of: Execution | None

    def body(self) -> list[Any]:
        """Return what two requests with one idempotency key have in common."""
        again = [self.rerun_of.pk] if self.rerun_of else []
        return [self.params, self.reason, self.not_before, self.overlap, *again]

    def policy(self, task: ScheduledTask) -> Overlap:
        """Return the overlap policy that counts for this run of *task*.

        In a copy of a database it waits for nothing: what was copied never ends.
        """
        return Overlap.ALLOW if is_held() else Overlap(self.overlap or task.overlap)

    def row(self, task: ScheduledTask) -> Execution:
        """Return the row for this run of *task* at its ``database_now``, not saved.

        Raises:
            FunctionNotRegistered, FunctionChanged, AlreadyMadeGood, InvalidParameters, InvalidInput: As
                :func:`run_once`.
        """
        now, again = task.database_now, self.rerun_of
        ran = None if again is None or again.outcome == Outcome.MISSED else again
        if ran is not None and ran.function != task.function:
            raise FunctionChanged(number=ran.pk, then=ran.function, now=task.function)
        if again is not None and ran is None and (by := made_good_by(again)) is not None:
            raise AlreadyMadeGood(number=again.pk, by=by.pk, tracking_id=by.tracking_id)
        base = ran or task
        given = with_secrets_of(base, self.params or {})
        cleaned = registry.get(task.function).parameters.clean({**base.params, **given})
        _check_size(cleaned)
        check_not_before(self.not_before, now)
        trigger = self.trigger if again is None else Trigger.RERUN
        execution = new_row(task, trigger=trigger, params=cleaned, now=now, rerun_of=ran)
        execution.reason = clean_reason(self.reason)
        if self.user is not None:
            execution.triggered_by = self.user
        if again is not None:
            execution.rerun_of, execution.scheduled_for = again, again.scheduled_for
            if again.scheduled_for:
                execution.replay = _next_replay(task, again.scheduled_for)
        let_start(execution, task, not_before=self.not_before, overlap=self.policy(task), now=now)
        if is_held():
            execution.lock_key = None
        return execution


def _insert_optimistically(
    task: ScheduledTask | UUID | str, request: Request, authorize: Callable[[ScheduledTask], None] | None
) -> Execution | None:
    """Do the same without locking the task, if no other execution has a say in it; None if one has.

    The task is as this process last saw it, and the statement writes the row only if it still is. Whatever is wrong is
    left to the way with the lock, which reads the task as it is now, and says so.
    """
    if request.not_before is not None or request.rerun_of is not None:
        return None
    known = known_task(task.name if isinstance(task, ScheduledTask) else str(task))
    if known is None or request.policy(known.task) != Overlap.ALLOW:
        return None
    identifier = task.pk if isinstance(task, ScheduledTask) else as_uuid(task)
    if identifier not in {None, known.task.pk}:  # somebody may have called a task like another one's id
        return None
    try:
        if authorize is not None:
            authorize(known.task)
        execution = request.row(known.task)
    except Exception:  # noqa: BLE001  (as said above)
        return None
    if not insert_optimistically(execution, known):
        return None
    after_commit([execution])
    return execution


def _next_replay(task: ScheduledTask, scheduled_for: datetime) -> int:
    """Return the number by which the next row for an occurrence of *task* differs from those that there are."""
    rows = Execution.objects.using(write_alias()).filter(task=task, scheduled_for=scheduled_for)
    return (rows.aggregate(most=Max("replay"))["most"] or 0) + 1


def check_not_before(not_before: datetime | None, now: datetime) -> None:
    """Refuse an earliest start that is not acceptable.

    Raises:
        InvalidInput: It is naive, in the past, or too far ahead.
    """
    if not_before is None:
        return
    if not_before.tzinfo is None:
        raise InvalidInput([FieldError("not_before", _("it needs a time zone, such as Z."), "naive")])
    if not_before < now:
        raise InvalidInput([FieldError("not_before", _("it is in the past."), "past")])
    if not_before > now + get_settings().MAX_NOT_BEFORE:
        days = get_settings().MAX_NOT_BEFORE.days
        text = ngettext("it is more than %(days)s day ahead.", "it is more than %(days)s days ahead.", days)
        raise InvalidInput([FieldError("not_before", text % {"days": days}, "far")])


def clean_reason(reason: str) -> str:
    """Return *reason* as it is stored.

    Raises:
        InvalidInput: It is too long.
    """
    limit = Execution._meta.get_field("reason").max_length or 0
    reason = reason.replace("\x00", "").strip().encode(errors="replace").decode()  # half a surrogate pair is a "?"
    if len(reason) > limit:
        raise InvalidInput([FieldError("reason", _("at most %(limit)s characters.") % {"limit": limit}, "long")])
    return reason


def _check_size(params: Mapping[str, Any]) -> None:
    size, limit = len(json.dumps(params).encode()), get_settings().PARAMS_MAX_BYTES
    if size > limit:
        message = _("they are %(size)s bytes of JSON; at most %(limit)s are allowed.") % {"size": size, "limit": limit}
        raise InvalidParameters([FieldError("params", message, "long")])
