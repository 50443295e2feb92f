"""Many tasks at once, by their keys: read, locked, inserted and replaced, and the record of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections, models

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.fields import TagsField
from django_scheduled_tasks.db.loaders import AsIs, RowLoader
from django_scheduled_tasks.db.rows import default_literals
from django_scheduled_tasks.db.statements import (
    Each,
    Json,
    Statement,
    for_update,
    ignoring_conflicts,
    insert_ignoring,
    replacing,
)
from django_scheduled_tasks.models import Change, ScheduledTask, write_alias

Item = TypeVar("Item")
_TASK = RowLoader(ScheduledTask)
_NEVER_REPLACED = frozenset(
    {
        *("id", "run_count", "skips", "origin", "changed_fields", "retired_at"),
        *("declared_release", "declared_at", "created_at", "created_by_id"),
    }
)
_OF_PAUSE = ("paused_at", "paused_until", "paused_by_id", "pause_reason", "pause_code")
"""A new task is not paused."""
_ALL = tuple(field.attname for field in ScheduledTask._meta.concrete_fields)
INSERTED = tuple(
    name
    for name in _ALL
    if name not in {*_OF_PAUSE, "run_count", "skips", "changed_fields", "retired_at", "declared_release", "declared_at"}
)
"""The columns that a new task may have other than by default."""
REPLACED = tuple(name for name in _ALL if name not in _NEVER_REPLACED)
"""The columns that may become other ones."""
RECORDED = tuple(field.attname for field in Change._meta.concrete_fields if not field.primary_key)
_MOST_OF_SQLITE = 2_000
"""So many parameters: it takes more, but finds each by going through all names."""
_MOST_ROWS = 5_000


def _columns(model: type[models.Model]) -> Callable[[Connection], str]:
    def columns(connection: Connection) -> str:
        return ", ".join(connection.ops.quote_name(str(field.column)) for field in _fields(model))

    return columns


def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]


def _rows(model: type[models.Model], written: Iterable[str], **given: str) -> Callable[[Connection], str | Each]:
    """Return the hole with rows of values: for each of *written* its own, else as *given*, or the default.

    On PostgreSQL all values are one text of JSON: with tens of thousands of parameters the driver takes longer to find
    them in the text of the statement than the database takes to write the rows.
    """

    def rows(connection: Connection) -> str | Each:
        names = frozenset(written)
        defaults = default_literals(model)

        def values(place: str) -> str:
            return ", ".join(
                place.replace(
                    "?", connection.ops.quote_name(field.attname) if place.startswith("v.") else field.attname
                )
                if field.attname in names
                else given.get(field.attname) or defaults[str(field.column)]
                for field in _fields(model)
            )

        if connection.vendor != "postgresql":
            return Each(f"({values('%(?#)s')})", before="VALUES ")
        table = connection.ops.quote_name(model._meta.db_table)
        return f"SELECT {values('v.?')} FROM jsonb_populate_recordset(NULL::{table}, %(all)s::jsonb) v"  # noqa: S608  # nosec  (names of ours)

    return rows


READ_KEYS = Statement(
    "SELECT {t.columns} FROM {tasks} t WHERE t.key IN ({keys})",
    returns=(_TASK,),
    tasks=ScheduledTask,
    t=_TASK,
    keys=Each("%(key#)s"),
)
LOCK_IDS = Statement(
    "SELECT {t.columns} FROM {tasks} t WHERE t.id IN ({ids}) ORDER BY t.id {for_update}",
    returns=(_TASK,),
    tasks=ScheduledTask,
    t=_TASK,
    ids=Each("%(id#)s"),
    for_update=for_update(),
)
FIND_IDS = Statement(
    "SELECT t.id FROM {tasks} t WHERE t.id IN ({ids})",
    returns=(AsIs(),),
    tasks=ScheduledTask,
    ids=Each("%(id#)s"),
)
INSERT_TASKS = Statement(
    "{insert_ignoring} {tasks} ({columns}) {rows} {ignoring_conflicts}",
    tasks=ScheduledTask,
    columns=_columns(ScheduledTask),
    rows=_rows(ScheduledTask, INSERTED, changed_fields="'[]'"),
    insert_ignoring=insert_ignoring,
    ignoring_conflicts=ignoring_conflicts,
)
# The rows are there and locked: nothing is ever inserted. An UPDATE with a CASE for each column costs several times as
# much.
REPLACE_TASKS = Statement(
    "INSERT INTO {tasks} ({columns}) {rows} {replacing}",
    tasks=ScheduledTask,
    columns=_columns(ScheduledTask),
    rows=_rows(ScheduledTask, ("id", *REPLACED), created_at="{now}", changed_fields="'[]'"),
    replacing=replacing(_ALL, REPLACED),
)
INSERT_CHANGES = Statement(
    "INSERT INTO {changes} ({columns}) {rows}",
    changes=Change,
    columns=_columns(Change),
    rows=_rows(Change, RECORDED),
)


COUNT_KEYED = Statement(
    "{parts}",
    returns=(AsIs(), AsIs()),
    tasks=ScheduledTask,
    parts=Each(
        "SELECT # AS number, COUNT(*) FROM (SELECT t.id FROM {tasks} t WHERE t.function = %(function#)s"
        " AND t.key IS NOT NULL LIMIT %(most)s) c#",
        between=" UNION ALL ",
    ),
)


def count_keyed(functions: Sequence[str], *, most: int) -> dict[str, int]:
    """Return how many tasks with a key there are of each of *functions* that has some; at most *most* are counted."""
    found = COUNT_KEYED.fetch([{"function": name} for name in functions], most=most) if functions else []
    return {functions[number]: count for number, count in sorted(found) if count}


def read_by_key(keys: Iterable[str]) -> dict[str, ScheduledTask]:
    """Return the tasks with these keys, by key; not locked."""
    found: dict[str, ScheduledTask] = {}
    for some in _batches(keys, columns=1):
        found |= {task.key: task for (task,) in READ_KEYS.fetch([{"key": key} for key in some])}
    return found


def lock_by_id(ids: Iterable[UUID]) -> dict[UUID, ScheduledTask]:
    """Return the tasks with these ids that are there, by id; locked, in order of their ids, so that none is crossed."""
    found: dict[UUID, ScheduledTask] = {}
    for some in _batches(sorted(ids), columns=1):
        found |= {task.pk: task for (task,) in LOCK_IDS.fetch([{"id": one} for one in some])}
    return found


def insert_tasks(tasks: Sequence[ScheduledTask]) -> list[ScheduledTask]:
    """Insert *tasks*, leaving out those whose key or name another one has; return which were inserted.

    No signal of Django's models is sent. One statement for as many as the database takes.
    """
    inserted: list[ScheduledTask] = []
    for some in _batches(tasks, columns=len(INSERTED)):
        done = _execute(INSERT_TASKS, some, INSERTED)
        inserted += some if done == len(some) else _there(some)
    for task in inserted:
        task._state.adding, task._state.db = False, write_alias()
    return inserted


def replace_tasks(tasks: Sequence[ScheduledTask]) -> None:
    """Write *tasks*, which are locked; the columns that say where they come from stay as they are."""
    for some in _batches(tasks, columns=len(REPLACED) + 1):
        _execute(REPLACE_TASKS, some, ("id", *REPLACED))


def insert_changes(changes: Sequence[Change]) -> None:
    """Insert *changes*; none gets its primary key."""
    for some in _batches(changes, columns=len(RECORDED)):
        _execute(INSERT_CHANGES, some, RECORDED)


def _execute(statement: Statement, rows: Sequence[models.Model], names: Sequence[str]) -> int:
    """Run *statement* with the columns of *rows* that have these *names*; return how many rows it wrote."""
    if connections[write_alias()].vendor == "postgresql":
        return statement.execute(all=as_json([_written(row, names, _TEXTS) for row in rows]))
    return statement.execute([_written(row, names, _TEXTS | {models.JSONField: Json}) for row in rows])


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return *rows* as PostgreSQL reads them."""
    return json.dumps(rows, default=_text)


def _text(value: Any) -> str:
    """Return a value that JSON does not know as a text that PostgreSQL reads."""
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    return value.isoformat() if isinstance(value, (datetime, time)) else str(value)


def _there(tasks: Sequence[ScheduledTask]) -> list[ScheduledTask]:
    """Return those of *tasks* whose ids are in the table."""
    field: Any = ScheduledTask._meta.pk
    rows = [{"id": task.pk} for task in tasks]
    found = {field.to_python(one) for some in _batches(rows, columns=1) for (one,) in FIND_IDS.fetch(some)}
    return [task for task in tasks if task.pk in found]


def _written(row: models.Model, names: Sequence[str], convert: Mapping[Any, Any]) -> dict[str, Any]:
    attributes = row.__dict__
    found = {name: attributes[name] for name in names}
    for name, kind in _special(type(row)):
        if kind in convert and found.get(name) is not None:
            found[name] = convert[kind](found[name])
    return found


_TEXTS = {TagsField: TagsField().get_prep_value}


@lru_cache(maxsize=2)
def _special(model: type[models.Model]) -> tuple[tuple[str, type], ...]:
    """Return the columns whose values are made such that a statement takes them, with their kind."""
    kinds = (TagsField, models.JSONField)
    return tuple((f.attname, kind) for f in model._meta.concrete_fields for kind in kinds if isinstance(f, kind))


def _batches(items: Iterable[Item], *, columns: int) -> Iterator[list[Item]]:
    """Yield *items* in lists, each for one statement with so many *columns* of parameters."""
    connection = connections[write_alias()]
    size = _MOST_ROWS
    if connection.vendor == "sqlite":
        size = min(_MOST_OF_SQLITE, connection.features.max_query_params or _MOST_OF_SQLITE) // columns
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
