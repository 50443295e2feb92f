"""Who changed what, when and through what: a row for each deed, written in the transaction of the deed itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack

from django_scheduled_tasks.db.rows import blank
from django_scheduled_tasks.json_checks import same_json
from django_scheduled_tasks.models import (
    Change,
    ChangeKind,
    Deed,
    Hold,
    HoldScope,
    ScheduledTask,
    read_now,
    write_alias,
)
from django_scheduled_tasks.services import door
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS, SCHEDULE_FIELDS
from django_scheduled_tasks.users import User

LONGEST = 2_000
"""How many characters of a value are kept."""
REASON_LENGTH = 500
_PAUSE_FIELDS = {"paused_until", "pause_reason", "skips"}
_OF_PROGRAMS = {"key", "owner_type", "owner_id"}
_COMPARED = tuple(
    field
    for field in ScheduledTask._meta.concrete_fields
    if field.name in PUBLIC_FIELDS - {"params"} | _PAUSE_FIELDS | _OF_PROGRAMS
)
_KINDS = {
    **dict.fromkeys(("name", "description", "tags", "confirm", "contact", "runbook"), ChangeKind.TASK),
    **dict.fromkeys(_OF_PROGRAMS, ChangeKind.TASK),
    **dict.fromkeys(("max_runtime", "must_succeed_every", "must_finish_by", "own_rules_only"), ChangeKind.ALERTS),
    **dict.fromkeys(("function", "params"), ChangeKind.PARAMETERS),
    **dict.fromkeys(_PAUSE_FIELDS, ChangeKind.STANDSTILL),
    **dict.fromkeys(SCHEDULE_FIELDS, ChangeKind.SCHEDULE),
}
"""By field; all others are limits."""

Fields = Iterable[dict[str, Any]]
"""``field``, ``old`` and ``new`` as texts or None, and for a parameter its ``name``."""


def record_change(
    task: ScheduledTask,
    *,
    before: ScheduledTask | None,
    user: User | None,
    at: datetime,
    reason: str = "",
    puts_back: int | None = None,
) -> None:
    """Record what makes *task* differ from what it was; one statement, or none if nothing does.

    Args:
        task: As it is stored now.
        before: As it was; None: it has been created.
        user: Who did it; None: a program, or the scheduler.
        at: When.
        reason: Why, for people.
        puts_back: The id of the change that it undoes.
    """
    if (row := change_of(task, before=before, user=user, at=at, reason=reason, puts_back=puts_back)) is not None:
        row.save(using=write_alias(), force_insert=True)


def change_of(
    task: ScheduledTask,
    *,
    before: ScheduledTask | None,
    user: User | None,
    at: datetime,
    reason: str = "",
    puts_back: int | None = None,
) -> Change | None:
    """Return the row that :func:`record_change` writes, not saved; None if nothing differs."""
    if before is None:
        return deed_row(Deed.CREATED, task=task, user=user, at=at, reason=reason)
    fields = differing(before, task)
    deed = Deed.CHANGED
    if (before.paused_at is None) != (task.paused_at is None):
        deed = Deed.RESUMED if task.paused_at is None else Deed.PAUSED
    if not fields and deed == Deed.CHANGED:
        return None
    return deed_row(deed, task=task, fields=fields, user=user, at=at, reason=reason, puts_back=puts_back)


def record_deletion(task: ScheduledTask, *, user: User | None, at: datetime, reason: str = "") -> None:
    """Record that *task* is deleted; one statement."""
    record_deed(Deed.DELETED, task=task, user=user, at=at, reason=reason)


def record_deed(deed: Deed, **what: Unpack[_What]) -> None:
    """Record what somebody did, through the door that is open now; one statement.

    Args:
        deed: What.
        what: As :func:`deed_row`.
    """
    deed_row(deed, **what).save(using=write_alias(), force_insert=True)


class _What(TypedDict, total=False):
    """The keyword arguments of :func:`deed_row`."""

    task: ScheduledTask | None
    about: str
    fields: Fields
    user: Required[User | None]
    at: datetime | None
    reason: str
    puts_back: int | None


def deed_row(
    deed: Deed,
    *,
    task: ScheduledTask | None = None,
    about: str = "",
    fields: Fields = (),
    user: User | None,
    at: datetime | None = None,
    reason: str = "",
    puts_back: int | None = None,
) -> Change:
    """Return the row that records what somebody did, through the door that is open now; not saved.

    Args:
        deed: What.
        task: To which task; None: to no single one.
        about: Without a task what it is about, as in ``Change.task_name``.
        fields: What is another one now, secrets masked.
        user: Who; None: a program, or the scheduler.
        at: When; None: now.
        reason: Why, for people.
        puts_back: The id of the change that it undoes.
    """
    items, entered = list(fields), door.present()
    kinds: Any = _kinds(deed, task, items, about, is_put_back=puts_back is not None)
    row: Change = blank(Change)
    row.__dict__.update(
        task=task.pk if task is not None else None,
        task_name=task.name if task is not None else about[:200],
        at=at or read_now(),
        deed=deed,
        kinds=kinds,
        user_id=None if user is None else user.pk,
        user_name="" if user is None else str(user)[:255],
        way=entered.way,
        door=entered.name[:255],
        address=entered.address[:255],
        reason=reason[:REASON_LENGTH],
        fields=items,
        text="\n".join(" ".join(str(value) for value in item.values() if value is not None) for item in items),
        puts_back=puts_back,
    )
    return row


def record_hold(deed: Deed, hold: Hold, *, user: User | None, at: datetime, fields: Fields = ()) -> None:
    """Record that *hold* begins, is another one or is over; one statement."""
    about = {HoldScope.TAG: f"tag:{hold.tag}", HoldScope.QUEUE: f"queue:{hold.queue}"}.get(HoldScope(hold.scope), "")
    record_deed(deed, task=hold.task, about=about, fields=fields, user=user, at=at, reason=hold.reason)


def differing(before: ScheduledTask, after: ScheduledTask) -> list[dict[str, Any]]:
    """Return each field that is another one in *after* than in *before*, as :attr:`Change.fields` has them."""
    found = list(_of_fields(before, after))
    if "params" in before.__dict__ and not same_json(before.params, after.params):
        old, new = before.params, after.params
        names = {name for name in old.keys() | new.keys() if not same_json(old.get(name, ...), new.get(name, ...))}
        found += of_parameters(before, after, names)
    return found


def _kinds(deed: Deed, task: ScheduledTask | None, fields: Fields, about: str, *, is_put_back: bool) -> list[str]:
    if deed in {Deed.CREATED, Deed.CHANGED, Deed.DELETED}:
        found = {_KINDS.get(item["field"], ChangeKind.LIMITS) for item in fields} or {ChangeKind.TASK}
        if task is None:
            found = {ChangeKind.SCHEDULE if about.startswith("calendar:") else ChangeKind.ALERTS}
    else:
        found = {ChangeKind.RUN if deed in {Deed.CANCELLED, Deed.BACKFILLED} else ChangeKind.STANDSTILL}
    return sorted(found | ({ChangeKind.PUT_BACK} if is_put_back else set()))


def _of_fields(before: ScheduledTask, after: ScheduledTask) -> Iterator[dict[str, Any]]:
    loaded = before.__dict__.keys() & after.__dict__.keys()  # the scheduler does not read all columns
    for field in (field for field in _COMPARED if field.attname in loaded):
        old, new = getattr(before, field.attname), getattr(after, field.attname)
        if old != new:
            yield {"field": field.name, "old": field_text(field, before), "new": field_text(field, after)}


def field_text(field: Any, row: ScheduledTask) -> str | None:
    """Return the value of a column as it is recorded."""
    value = field.value_from_object(row)
    if value is None:
        return None
    if field.name == "skips":
        return "; ".join(f"{one['from']} – {one['to']}" for one in value)[:LONGEST]
    if isinstance(value, list):  # words, or types of errors
        return ", ".join(map(str, value))[:LONGEST]
    return str(field.value_to_string(row))[:LONGEST]


def of_parameters(before: ScheduledTask, after: ScheduledTask, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the parameters with these names: that a secret is another one now is told, but not which."""
    old, new = shown_params(before), shown_params(after)
    for name in sorted(names):
        yield {"field": "params", "name": name, "old": _json(old, name), "new": _json(new, name)}


def parameter_text(task: ScheduledTask, name: str) -> str | None:
    """Return the value of a parameter as it is recorded: a secret is masked."""
    return _json(shown_params(task), name)


def _json(params: dict[str, Any], name: str) -> str | None:
    return json.dumps(params[name], ensure_ascii=False, sort_keys=True)[:LONGEST] if name in params else None
