"""Holding tasks: nothing new of them starts, as if no worker and no scheduler were there."""

from __future__ import annotations

from datetime import datetime
from types import EllipsisType

from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, HoldEnded, InvalidInput
from django_scheduled_tasks.models import (
    Deed,
    Hold,
    HoldScope,
    ScheduledTask,
    database_now,
    for_update,
    read_now,
    write_alias,
    write_transaction,
)
from django_scheduled_tasks.models.limits import check_instant, is_word
from django_scheduled_tasks.services.delivery.notify import wake_schedulers
from django_scheduled_tasks.services.queries.holds import get_hold
from django_scheduled_tasks.services.tasks.changes.record import record_hold
from django_scheduled_tasks.services.tasks.tags import clean_tag
from django_scheduled_tasks.store.holds import make_due
from django_scheduled_tasks.users import User

_REASON = Hold._meta.get_field("reason")
_QUEUE = Hold._meta.get_field("queue")


def hold(
    scope: HoldScope | str = HoldScope.ALL,
    *,
    queue: str = "",
    tag: str = "",
    task: ScheduledTask | None = None,
    reason: str,
    until: datetime | None = None,
    user: User | None = None,
) -> Hold:
    """Let nothing new start of what is held, Run once included; what runs goes on.

    Unlike a pause it is like a downtime: schedules stay as they are, and at its end catch-up and grace decide about
    what was due meanwhile. What was asked for meanwhile is recorded, pending, and starts then.

    Args:
        scope: What is held.
        queue: With the scope ``queue``: its name; empty: the queue of tasks that name none.
        tag: With the scope ``tag``.
        task: With the scope ``task``.
        reason: Why; shown on every page of the admin. At most 500 characters.
        until: Aware; when it ends by itself. None: when somebody releases it.
        user: Who; recorded.
    Raises:
        InvalidInput: One item for each wrong argument.
    """
    with write_transaction():
        now = read_now()
        row = Hold(scope=scope, starts_at=now, created_by=user)
        errors = _set_what(row, queue, tag, task) + _set_why(row, reason, until, now)
        if errors:
            raise InvalidInput(errors)
        row.save(using=write_alias())
        record_hold(Deed.HELD, row, fields=_of_until(None, until), user=user, at=now)
        wake_schedulers()
    return row


def change_hold(
    hold: Hold,
    *,
    reason: str | None = None,
    until: datetime | EllipsisType | None = ...,
    user: User | None = None,
) -> Hold:
    """Give *hold*, which lasts, another reason or another end; what is left out stays as somebody else may set it now.

    Args:
        hold: Which.
        reason: As for :func:`hold`.
        until: As for :func:`hold`.
        user: Who; recorded.
    Raises:
        HoldNotFound, HoldEnded: As their names say.
        InvalidInput: As :func:`hold`.
    """
    with write_transaction():
        row, now = _locked(hold), read_now()
        before = row.until
        end = row.until if isinstance(until, EllipsisType) else until
        if errors := _set_why(row, row.reason if reason is None else reason, end, now):
            raise InvalidInput(errors)
        row.save(using=write_alias(), update_fields=["reason", "until"])
        record_hold(Deed.HOLD_CHANGED, row, fields=_of_until(before, end), user=user, at=now)
        wake_schedulers()
    return row


def release(hold: Hold, *, user: User | None = None) -> Hold:
    """End *hold* now: schedulers catch up what was due meanwhile, and send what waits.

    Raises:
        HoldNotFound, HoldEnded: As their names say.
    """
    with write_transaction():
        row, now = _locked(hold), read_now()
        row.ended_at, row.ended_by = now, user
        row.save(using=write_alias(), update_fields=["ended_at", "ended_by"])
        since = {"field": "starts_at", "old": row.starts_at.isoformat(), "new": None}
        record_hold(Deed.RELEASED, row, fields=[since], user=user, at=now)
        make_due(row)
        wake_schedulers()
    return row


def end_over() -> int:
    """End the holds whose ``until`` has come, as :func:`release`; return how many. What a scheduler does."""
    with write_transaction():
        rows = Hold.objects.using(write_alias()).filter(ended_at=None, until__lte=database_now())
        over = list(for_update(rows.order_by("pk"), skip_locked=True))
        if over:
            rows.filter(pk__in=[row.pk for row in over]).update(ended_at=F("until"))
            for row in over:
                make_due(row)
            wake_schedulers()
    return len(over)


def _of_until(before: datetime | None, after: datetime | None) -> list[dict[str, str | None]]:
    """Return the end of a hold as what has changed; nothing if it has not."""
    old, new = (None if instant is None else instant.isoformat() for instant in (before, after))
    return [] if old == new else [{"field": "until", "old": old, "new": new}]


def _locked(hold: Hold) -> Hold:
    row = for_update(Hold.objects.using(write_alias()).filter(pk=hold.pk)).first()
    if row is None:
        row = get_hold(hold.pk)
    if row.ended_at is not None:
        raise HoldEnded(row.pk)
    return row


def _set_what(row: Hold, queue: str, tag: str, task: ScheduledTask | None) -> list[FieldError]:
    given = {HoldScope.QUEUE: bool(queue), HoldScope.TAG: bool(tag), HoldScope.TASK: task is not None}
    try:
        row.scope = scope = HoldScope(row.scope)
    except ValueError:
        return [FieldError("scope", _("it is one of: %(words)s.") % {"words": ", ".join(HoldScope)}, "invalid_choice")]
    errors = [
        FieldError(str(other), _("it does not go with this scope."), "unexpected")
        for other, is_given in given.items()
        if is_given and other != scope
    ]
    if scope in {HoldScope.TAG, HoldScope.TASK} and not given[scope]:
        errors.append(FieldError(str(scope), _("it is missing."), "missing"))
    elif scope == HoldScope.TAG:
        try:
            tag = clean_tag(tag)
        except ValidationError as exc:
            errors.append(FieldError("tag", exc.messages[0], exc.code or "invalid"))
    if len(queue) > (_QUEUE.max_length or 0) or not is_word(queue):
        errors.append(FieldError("queue", _("it is not the name of a queue."), "invalid"))
    row.queue, row.tag, row.task = queue, tag, task
    return errors


def _set_why(row: Hold, reason: str, until: datetime | None, now: datetime) -> list[FieldError]:
    errors = []
    row.reason = reason.replace("\x00", "").strip().encode(errors="replace").decode()
    row.until = until
    if not row.reason:
        errors.append(FieldError("reason", _("say why."), "missing"))
    if len(row.reason) > (limit := _REASON.max_length or 0):
        errors.append(FieldError("reason", _("at most %(limit)s characters.") % {"limit": limit}, "long"))
    if until is None:
        return errors
    if until.tzinfo is None:
        return [*errors, FieldError("until", _("it needs a time zone, such as Z."), "naive")]
    if until <= now:
        return [*errors, FieldError("until", _("it is in the past."), "past")]
    try:
        check_instant(until)
    except ValidationError as exc:
        errors.append(FieldError("until", exc.messages[0], exc.code or "invalid"))
    return errors
