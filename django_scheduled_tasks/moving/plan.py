"""What moving in would do: a verdict for each row of the old scheduler, and what it would write."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django_scheduled_tasks.exceptions import InvalidSchedule, InvalidTask
from django_scheduled_tasks.models import Change, Deed, ScheduledTask, read_now, write_alias
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.moving.compare import Difference, Verdict, compare, sentences
from django_scheduled_tasks.moving.functions import Bound, FunctionMap, bind
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.names import task_name
from django_scheduled_tasks.moving.rules.due import Every
from django_scheduled_tasks.moving.rules.fields import Reading
from django_scheduled_tasks.services.tasks.edit import changed_task, is_same
from django_scheduled_tasks.services.tasks.validation import validate

_AT_ONCE = 5_000
COMMAND = "import_tasks"
"""The door that everything that is moved in comes through."""


class Act(StrEnum):
    """What would be written."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """Somebody has changed the task here, so it stays as it is."""
    LEFT_OUT = "left out"


@dataclass(kw_only=True)
class Item:
    """One row of the old scheduler."""

    row: Row
    bound: Bound
    verdict: Verdict
    sentences: list[str] = field(default_factory=list)
    values: Mapping[str, Any] = field(default_factory=dict)
    """Columns to be written."""
    act: Act
    task: ScheduledTask | None = None
    """What it became the last time."""
    only_at_changes: bool = False
    """Whether it differs at changes of the clock only."""

    @property
    def name(self) -> str:
        """What the task is called here."""
        return self.task.name if self.task is not None else str(self.values.get("name", self.row.name))

    def is_accepted(self, names: Collection[str], *, clock_changes: bool) -> bool:
        """Whether it may be written: it is the same, or somebody has said that its difference is all right."""
        if self.act not in {Act.CREATE, Act.UPDATE} or self.verdict == Verdict.SAME:
            return True
        if clock_changes and self.only_at_changes and not self.row.losses:
            return True
        return bool({self.row.name, self.name, self.row.key} & set(names))


def make_plan(rows: Iterable[Row], mapped: FunctionMap, *, source: str) -> list[Item]:
    """Return what would become of each row of *source*; few statements, and one for each task that would be written."""
    rows, now = list(rows), read_now()
    tasks = ScheduledTask.objects.using(write_alias())
    known = {task.moved_from: task for task in tasks.filter(moved_from__startswith=f"{source}:")}
    changed = changed_by_others(task.pk for task in known.values())
    taken = set(tasks.values_list("name_key", flat=True))
    items, compared = [], _Compared(now)
    for row in rows:
        item = _item(row, mapped, known.get(row.key), taken, compared)
        if item.act == Act.CREATE:
            taken.add(name_key(item.values["name"]))
        if item.task is not None and item.task.pk in changed and item.act in {Act.UPDATE, Act.UNCHANGED}:
            item.act = Act.KEPT
        items.append(item)
    return items


def changed_by_others(ids: Iterable[UUID]) -> set[UUID]:
    """Return which of these tasks somebody has changed since they were moved in."""
    asked, found = list(ids), set[UUID]()
    changes = Change.objects.using(write_alias()).filter(deed=Deed.CHANGED).exclude(door=COMMAND)
    for begin in range(0, len(asked), _AT_ONCE):
        some = changes.filter(task__in=asked[begin : begin + _AT_ONCE]).values_list("task", flat=True)
        found |= {one for one in some if one is not None}
    return found


def _item(
    row: Row, mapped: FunctionMap, task: ScheduledTask | None, taken: Collection[str], compared: _Compared
) -> Item:
    bound = bind(row, mapped)
    cannot = row.cannot or (bound.cannot if not bound.is_missing else "")
    if cannot or row.reading is None:
        return Item(row=row, bound=bound, verdict=Verdict.CANNOT, sentences=[cannot], act=Act.LEFT_OUT, task=task)
    values = {**row.columns(), "function": bound.function, "params": dict(bound.params or {})}
    if task is None:
        values["name"] = task_name(row.name, taken)
    if task_name(row.name, ()) != row.name and not values.get("description"):
        values["description"] = f"Was called {row.name}."
    created_at = row.reading.due.anchor if isinstance(row.reading.due, Every) else compared.now
    draft = ScheduledTask(created_at=created_at, **{name: value for name, value in values.items() if name != "params"})
    try:
        difference = compared.of(row.reading, row, draft)
    except InvalidSchedule as exc:
        return Item(row=row, bound=bound, verdict=Verdict.CANNOT, sentences=[exc.message], act=Act.LEFT_OUT, task=task)
    texts = sentences(row.reading, difference, ZoneInfo(row.reading.timezone))
    losses = [*row.reading.losses, *row.losses]
    verdict = Verdict.DIFFERS if difference else Verdict.LOSES if losses else Verdict.SAME
    item = Item(
        row=row,
        bound=bound,
        verdict=verdict,
        sentences=[*texts, *losses],
        values=values,
        act=Act.CREATE if task is None else Act.UPDATE,
        task=task,
        only_at_changes=difference.only_at_changes,
    )
    if bound.is_missing:
        item.act = Act.LEFT_OUT
        return item
    draft.params = values["params"]
    return _checked(item, draft)


class _Compared:
    """Comparisons, each made once: many rows have one schedule."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._known: dict[Any, Difference] = {}

    def of(self, reading: Reading, row: Row, draft: ScheduledTask) -> Difference:
        """Return where *reading* and *draft* part; a task that is switched off is compared as if it were on."""
        key = (reading.due, reading.kind, reading.expression, draft.starts_at, draft.ends_at, draft.max_runs)
        if key not in self._known:
            draft.enabled = True
            self._known[key] = compare(reading, draft.policy, now=self.now)
            draft.enabled = bool(row.values.get("enabled", True))
        return self._known[key]


def _checked(item: Item, draft: ScheduledTask) -> Item:
    """Find out whether it can be stored, and whether there is anything to write."""
    try:
        if item.task is None:
            validate(draft)
        else:
            item.values = {
                name: value for name, value in item.values.items() if not is_same(name, getattr(item.task, name), value)
            }
            if not item.values:
                item.act = Act.UNCHANGED
            changed_task(item.task, **item.values)
    except InvalidTask as exc:
        item.verdict, item.act = Verdict.CANNOT, Act.LEFT_OUT
        item.sentences = [f"{error.field}: {error.message}" for error in exc.errors]
    return item
