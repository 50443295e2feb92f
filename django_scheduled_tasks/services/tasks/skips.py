"""Leaving out occurrences that are ahead: one, several, or all of a range; and taking that back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import FieldError, InvalidInput
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import ScheduledTask, for_update, with_now, write_alias, write_transaction
from django_scheduled_tasks.models.limits import check_instant
from django_scheduled_tasks.planner import INSTANT, Skip, TaskPolicy, first_not_skipped, following, occurrences_between
from django_scheduled_tasks.services.queries.lookup import get_task
from django_scheduled_tasks.services.tasks.changes.record import record_change
from django_scheduled_tasks.users import User

MOST = 100
"""The most that one task has of them: single ones, and ranges."""
LONGEST = timedelta(days=366)
"""The longest range."""
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Skipped:
    """What came of a request to skip, or to take that back."""

    task: ScheduledTask
    instants: tuple[datetime, ...]
    """The first that are left out, or take place again; at most :data:`MOST`."""
    count: int
    """How many they are."""
    next_start_at: datetime | None
    """What starts next."""


def skip(
    task: ScheduledTask | UUID | str,
    *,
    count: int | None = None,
    at: Sequence[datetime] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    reason: str = "",
    user: User | None = None,
    authorize: Callable[[ScheduledTask], None] | None = None,
) -> Skipped:
    """Leave out occurrences of *task* that are ahead; each gets a row that says who and why when it is due.

    They do not count as runs. Run once and a backfill still work. One of three: *count*, *at*, or *start* and *end*.

    Args:
        task: Which, as row, name or id; locked meanwhile.
        count: The next so many that are not left out yet; 1 if nothing else is said.
        at: Aware; just these.
        start: Aware; with *end* all between the two, both inclusive.
        end: Aware.
        reason: Why; shown with them.
        user: Who; shown with them.
        authorize: Called with the task; raises if the caller may not.
    Raises:
        TaskNotFound: There is no such task.
        InvalidInput: It is not due then, or no more; or they are too many.
        InvalidSchedule: What is stored is not valid (any more).
    """
    with write_transaction():
        row = _locked(task, authorize)
        before, now, policy = copy.copy(row), row.database_now, row.policy
        first = row.next_run_at if row.next_run_at is not None and row.next_run_at > now else following(policy, now)
        if at:
            asked = [(moment, moment) for moment in dict.fromkeys(map(_utc, at))]
            _check_each(policy, [moment for moment, _end in asked], now)
        elif start is not None or end is not None:
            asked = [_range(policy, start, end, now)]
        else:
            asked = [(moment, moment) for moment in _next(policy, first, 1 if count is None else count)]
        who = {"by": str(user)[:255] if user is not None else "", "reason": _clean(reason)}
        kept = _ahead(row, now)
        row.skips = [*kept, *({"from": _iso(low), "to": _iso(high), **who} for low, high in asked)]
        if len(row.skips) > MOST:
            raise _invalid("count", _("a task skips at most %(limit)s times; use a range.") % {"limit": MOST}, "many")
        _save(row, before, user, now)
    return _skipped(row, asked, now)


def undo_skip(
    task: ScheduledTask | UUID | str,
    *,
    at: datetime | None = None,
    user: User | None = None,
    authorize: Callable[[ScheduledTask], None] | None = None,
) -> Skipped:
    """Let what was to be left out take place again, as far as it is ahead.

    Args:
        task: Which, as row, name or id; locked meanwhile.
        at: Aware; only what leaves this instant out, all of its range; None: all.
        user: Who; recorded.
        authorize: Called with the task; raises if the caller may not.
    Raises:
        TaskNotFound: There is no such task.
        InvalidInput: Nothing leaves *at* out.
    """
    with write_transaction():
        row = _locked(task, authorize)
        before, now = copy.copy(row), row.database_now
        moment = None if at is None else _utc(at)
        ended = [one for one in _ahead(row, now) if moment is None or _covers(one, moment)]
        if moment is not None and not ended:
            raise _invalid("at", _("nothing is skipped then."), "unknown")
        row.skips = [one for one in _ahead(row, now) if one not in ended] or None
        _save(row, before, user, now)
    asked = [(datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"])) for one in ended]
    return _skipped(row, asked, now)


def skips_ahead(task: ScheduledTask, now: datetime) -> list[Skip]:
    """Return what is to be left out of *task* from *now* on, in order."""
    found = [one for one in task.asked_skips if one.end >= now]
    return sorted(found, key=lambda one: one.start)


def _locked(task: ScheduledTask | UUID | str, authorize: Callable[[ScheduledTask], None] | None) -> ScheduledTask:
    rows = for_update(with_now(ScheduledTask.objects.all()))
    row = get_task(task.pk if isinstance(task, ScheduledTask) else task, rows)
    if authorize is not None:
        authorize(row)
    return row


def _save(row: ScheduledTask, before: ScheduledTask, user: User | None, now: datetime) -> None:
    if (before.skips or []) == (row.skips or []):
        return
    row.updated_at, row.updated_by = now, user
    row.save(using=write_alias(), update_fields=["skips", "updated_at", "updated_by"])
    record_change(row, before=before, user=user, at=now)


def _next(policy: TaskPolicy, first: datetime | None, count: int) -> list[datetime]:
    if not 1 <= count <= MOST:
        raise _invalid("count", _("it is from 1 to %(limit)s.") % {"limit": MOST}, "range")
    found: list[datetime] = []
    moment = first_not_skipped(policy, first)
    while moment is not None and len(found) < count:
        found.append(moment)
        moment = first_not_skipped(policy, following(policy, moment))
    if not found:
        raise _invalid("count", _("nothing is due."), "not_due")
    return found


def _check_each(policy: TaskPolicy, instants: Sequence[datetime], now: datetime) -> None:
    for moment in instants:
        if moment <= now:
            raise _invalid("at", _("%(instant)s is in the past.") % {"instant": _iso(moment)}, "past")
        if following(policy, moment - INSTANT) != moment:
            raise _invalid("at", _("it is not due at %(instant)s.") % {"instant": _iso(moment)}, "not_due")


def _range(
    policy: TaskPolicy, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    if start is None or end is None:
        raise _invalid("to" if end is None else "from", _("a range has a beginning and an end."), "required")
    low, high = _utc(start), _utc(end)
    if high < low:
        raise _invalid("to", _("it is earlier than the beginning."), "order")
    if high <= now:
        raise _invalid("to", _("it is in the past."), "past")
    if high - low > LONGEST:
        raise _invalid("to", _("a range is at most %(days)s days long.") % {"days": LONGEST.days}, "long")
    low = max(low, now)
    if occurrences_between(policy, after=low - INSTANT, until=high) is None:
        raise _invalid("from", _("nothing is due in this range."), "not_due")
    return low, high


def _skipped(row: ScheduledTask, asked: Sequence[tuple[datetime, datetime]], now: datetime) -> Skipped:
    policy, instants, count = row.policy, list[datetime](), 0
    for low, high in sorted(asked):
        stretch = occurrences_between(policy, after=max(low, now) - INSTANT, until=high)
        count += stretch.count if stretch is not None else 0
        moment = following(policy, max(low, now) - INSTANT)
        while moment is not None and moment <= high and len(instants) < MOST:
            instants.append(moment)
            moment = following(policy, moment)
    return Skipped(row, tuple(instants), count, row.next_start_at)


def _ahead(row: ScheduledTask, now: datetime) -> list[dict[str, Any]]:
    return [one for one in row.skips or () if datetime.fromisoformat(one["to"]) >= now]


def _covers(one: dict[str, Any], moment: datetime) -> bool:
    return datetime.fromisoformat(one["from"]) <= moment <= datetime.fromisoformat(one["to"])


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise _invalid("at", _("it needs a time zone, such as Z."), "naive")
    try:
        check_instant(moment)
    except ValidationError as exc:
        raise _invalid("at", exc.messages[0], exc.code or "invalid") from None
    return moment.astimezone(UTC)


def _iso(moment: datetime) -> str:
    return iso_milliseconds(moment)


def _clean(reason: str) -> str:
    reason = reason.replace("\x00", "").strip().encode(errors="replace").decode()
    if len(reason) > REASON_LENGTH:
        raise _invalid("reason", _("at most %(limit)s characters.") % {"limit": REASON_LENGTH}, "long")
    return reason


def _invalid(field: str, message: str, code: str) -> InvalidInput:
    return InvalidInput([FieldError(field, message, code)])
