"""The plan: what an import would create, change, leave and delete; and doing it, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django_scheduled_tasks.carrying.document import carried, exported, is_carried, read_document
from django_scheduled_tasks.exceptions import FieldError, InvalidInput, InvalidTask
from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import ScheduledTask, write_alias, write_transaction
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.services.permissions import ADD_TASK, CHANGE_TASK, DELETE_TASK, require
from django_scheduled_tasks.services.secrets import with_secrets_of
from django_scheduled_tasks.services.tasks.edit import changed_task, create_task, delete_task, is_same, update_task
from django_scheduled_tasks.services.tasks.validation import validate
from django_scheduled_tasks.services.visibility import for_viewer
from django_scheduled_tasks.users import User

REASON = "imported"


class Act(StrEnum):
    """What becomes of a task."""

    CREATE = "create"
    """It is new."""
    UPDATE = "update"
    """It is changed."""
    UNCHANGED = "unchanged"
    """It is as it shall be."""
    DELETE = "delete"
    """The document does not have it."""


_NEEDED = {Act.CREATE: ADD_TASK, Act.UPDATE: CHANGE_TASK, Act.DELETE: DELETE_TASK}


@dataclass(kw_only=True)
class Item:
    """One task of the document, or one that the document does not have."""

    name: str
    act: Act
    values: Mapping[str, Any] = field(default_factory=dict)
    """The columns that would be written."""
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """By their names in the document, what is and what would be; secrets masked."""
    errors: list[FieldError] = field(default_factory=list)
    """Why it cannot be done."""
    task: ScheduledTask | None = None


@dataclass(frozen=True)
class Plan:
    """What an import would do."""

    items: list[Item]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(item.act == Act.UNCHANGED and not item.errors for item in self.items)

    @property
    def errors(self) -> list[FieldError]:
        """Everything that is wrong, each with the name of its task before the field."""
        return [
            FieldError(f"{item.name}.{error.field}", error.message, error.code)
            for item in self.items
            for error in item.errors
        ]

    @property
    def digest(self) -> str:
        """A short text that is another one if anything of the plan is."""
        whole = [(item.name, str(item.act), sorted(item.changes.items()), len(item.errors)) for item in self.items]
        return hashlib.sha256(repr(whole).encode()).hexdigest()[:16]

    def count(self, act: Act) -> int:
        """Return how many tasks it does that to."""
        return sum(item.act == act for item in self.items)


def make_plan(document: Any, *, prune: bool = False, tags: Collection[str] = ()) -> Plan:
    """Compare *document* with what is stored. Nothing is written.

    One statement reads what there is; of each task that would be written another one or two ask whether it may be.

    A task is told by its key, where the document gives one, else by its name, whatever its case.

    Args:
        document: As :func:`~django_scheduled_tasks.carrying.document.export_document` returns it.
        prune: Delete the tasks that an export would have and the document has not; what code declares stays.
        tags: Prune only tasks that have one of these.
    Raises:
        InvalidInput: It is no such document.
    """
    rows = read_document(document)
    known = list(for_viewer(ScheduledTask.objects.using(write_alias())))
    by_name = {row.name_key: row for row in known}
    by_key = {row.key: row for row in known if row.key}
    items, used = [], set()
    for values in rows:
        task = by_key.get(values["key"]) if values.get("key") else by_name.get(name_key(values["name"]))
        items.append(_create(values) if task is None else _update(task, values))
        used.add(task.pk if task is not None else None)
    if prune:
        left = [row for row in known if row.pk not in used and is_carried(row) and row.origin != Origin.CODE]
        items += [
            Item(name=row.name, act=Act.DELETE, task=row) for row in left if not tags or set(tags) & set(row.tags)
        ]
    return Plan(items)


def _create(values: Mapping[str, Any]) -> Item:
    draft = ScheduledTask(**values)
    item = Item(name=values["name"], act=Act.CREATE, values=values)
    try:
        validate(draft)
    except InvalidTask as exc:
        item.errors = list(exc.errors)
    else:
        item.changes = {name: (None, value) for name, value in exported(draft).items()}
    return item


def _update(task: ScheduledTask, values: Mapping[str, Any]) -> Item:
    wanted = {**values, "params": with_secrets_of(task, values["params"])}
    changed = {name: value for name, value in wanted.items() if not is_same(name, getattr(task, name), value)}
    item = Item(name=task.name, act=Act.UPDATE if changed else Act.UNCHANGED, values=changed, task=task)
    if not changed:
        return item
    try:
        after = changed_task(task, **changed)
    except InvalidTask as exc:
        item.errors = list(exc.errors)
        return item
    before, later = exported(task), exported(after)
    item.changes = {
        name: (before.get(name), later.get(name)) for name in carried() if before.get(name) != later.get(name)
    }
    if not item.changes and changed.keys() != {"params"}:  # a text was cleaned: it is the same then
        item.act, item.values = Act.UNCHANGED, {}
    return item


def authorize(plan: Plan, user: Any) -> None:
    """Refuse a user who may not create, change or delete one of the tasks of *plan*.

    Raises:
        PermissionDenied: The user may not.
    """
    for item in plan.items:
        if (permission := _NEEDED.get(item.act)) is not None:
            require(user, permission, item.task or ScheduledTask(**item.values))


def apply_plan(plan: Plan, *, user: User | None = None, reason: str = "") -> None:
    """Do what *plan* says, in one transaction; a new task runs by its schedule from now on.

    Args:
        plan: Made just now.
        user: Who imports; recorded.
        reason: Why; recorded.
    Raises:
        InvalidInput: Something of it cannot be done; nothing has been written.
        TaskChanged, TaskNotFound: Somebody has changed a task since the plan was made; nothing has been written.
    """
    if plan.errors:
        raise InvalidInput(plan.errors)
    with write_transaction():
        # First what goes: a new task may have the name of one that goes.
        for item in sorted(plan.items, key=lambda item: item.act != Act.DELETE):
            why = reason or REASON
            if item.act == Act.CREATE:
                create_task(user=user, reason=why, **item.values)
            elif item.task is not None and item.act == Act.DELETE:
                delete_task(item.task, user=user, reason=why)
            elif item.task is not None and item.act == Act.UPDATE:
                update_task(item.task, user=user, reason=why, **item.values)
