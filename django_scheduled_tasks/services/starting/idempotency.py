"""Idempotency keys: the same request sent again does nothing again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, connections, transaction
from django.utils.translation import gettext as _

from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.exceptions import (
    FieldError,
    IdempotencyMismatch,
    InvalidInput,
    InvalidParameters,
    StaleTransaction,
)
from django_scheduled_tasks.json_checks import too_deep
from django_scheduled_tasks.models import Execution, ScheduledTask, write_alias
from django_scheduled_tasks.users import User

Result = TypeVar("Result")
IDEMPOTENCY_HOURS = 24
IDEMPOTENCY_KEY_MAX_LENGTH = 255


def digests(task: ScheduledTask, user: User | None, key: str, body: Sequence[Any]) -> tuple[str, str]:
    """Return the digest of (task, caller, key), unique in the database, and that of the request's body.

    Raises:
        InvalidInput: The key is empty or too long.
        InvalidParameters: The body is nested too deeply.
    Source:
        The IETF draft "The Idempotency-Key HTTP Header Field", and Stripe's practice.
    """
    if not 0 < len(key) <= IDEMPOTENCY_KEY_MAX_LENGTH:
        message = _("it has 1 to %(limit)s characters.") % {"limit": IDEMPOTENCY_KEY_MAX_LENGTH}
        raise InvalidInput([FieldError("idempotency_key", message, "length")])
    scope = json.dumps([str(task.pk), str(user.pk) if user else None, key])
    try:
        content = json.dumps(body, sort_keys=True, default=str)
    except (RecursionError, ValueError):  # ValueError: it is within itself
        raise InvalidParameters([FieldError("params", str(too_deep()), "not_json")]) from None
    return hashlib.sha256(scope.encode()).hexdigest(), hashlib.sha256(content.encode()).hexdigest()


def seeing_others(act: Callable[[], Result]) -> Result:
    """Return what *act* returns, which writes rows that may be there only once: with a key, or of an occurrence.

    A transaction that sees only what there was when it began (REPEATABLE READ) does not see that somebody has just
    written the same. Its own one then begins anew; of the caller's nothing is lost.

    Raises:
        StaleTransaction: It is the caller's transaction that does not see it.
    """
    alias = write_alias()
    is_callers = connections[alias].in_atomic_block
    try:
        with transaction.atomic(using=alias) if is_callers else nullcontext():
            return act()
    except IntegrityError as exc:
        if violated_constraint(exc, Execution) not in {"dst_exec_idempotency_once", "dst_exec_occurrence_once"}:
            raise
        if is_callers:
            raise StaleTransaction from exc
    return act()


def earlier_with(digest: str, fingerprint: str, now: datetime) -> Execution | None:
    """Return the execution that answers this key already, if any; free the key if it is too old.

    Raises:
        IdempotencyMismatch: The key was used with another body.
    """
    return earlier_with_any([digest], fingerprint, now).get(digest)


def earlier_with_any(keys: Sequence[str], fingerprint: str, now: datetime) -> dict[str | None, Execution]:
    """Return the executions that answer these digests of keys already; free those that are too old.

    Raises:
        IdempotencyMismatch: One was used with another body.
    """
    rows = Execution.objects.using(write_alias())
    found: dict[str | None, Execution] = {}
    too_old = []
    for earlier in rows.select_related("task").filter(idempotency_key__in=keys):
        if (now - earlier.triggered_at).total_seconds() >= IDEMPOTENCY_HOURS * 3600:
            too_old.append(earlier.pk)
        elif earlier.idempotency_fingerprint != fingerprint:
            raise IdempotencyMismatch(tracking_id=earlier.tracking_id)
        else:
            found[earlier.idempotency_key] = earlier
    if too_old:
        rows.filter(pk__in=too_old).update(idempotency_key=None)
    return found
