"""The statements that count executions which have ended: what is read, and what is added to the counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from django_scheduled_tasks.db.connections.alias import Connection, write_alias
from django_scheduled_tasks.db.loaders import AsIs, Instant, MaybeInstant
from django_scheduled_tasks.db.statements import Each, Model, Statement
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import NO_END, Execution, ScheduledTask, TaskDay, TimeBucket, Total, Uncounted

_COLUMNS = """e.id, e.task_id, e.task_name, e.function, e.trigger, e.outcome, e.occurrences, e.attempt, e.triggered_at,
    e.scheduled_for, e.started_at, e.completed_at,
    CASE WHEN t.id IS NULL THEN NULL WHEN t.key IS NULL THEN 0 ELSE 1 END"""
_RETURNS = (*(AsIs(),) * 8, Instant(), *(MaybeInstant(),) * 3, AsIs())
_ENDED = "e.status IN ('completed', 'errors')"


def _columns(connection: Connection) -> str:
    return _COLUMNS.replace("e.trigger,", f"e.{connection.ops.quote_name('trigger')},")  # a word of MySQL's


def _ended_in_ranges(connection: Connection) -> str:
    """Return the hole with the ranges, each beside the executions in it that have ended.

    Read from the few ranges to the executions in them: a planner that knows no better would go through the history.
    """
    within = f"e.id BETWEEN u.first_id AND u.last_id AND {_ENDED}"
    if connection.vendor == "postgresql":
        found = f"SELECT * FROM {{executions}} e WHERE {within} LIMIT %(limit)s"  # noqa: S608  (texts of ours)
        return f"{{uncounted}} u JOIN LATERAL ({found}) e ON TRUE"
    order = "STRAIGHT_JOIN" if connection.vendor == "mysql" else "CROSS JOIN"
    return f"{{uncounted}} u {order} {{executions}} e ON {within}"


ENDED_BEFORE = Statement(
    f"""
    SELECT u.first_id, u.last_id, u.since, u.horizon, {{columns}}
      FROM {{ended_in_ranges}} LEFT JOIN {{tasks}} t ON t.id = e.task_id
     WHERE u.last_id < {NO_END} LIMIT %(limit)s
    """,  # noqa: S608  (a number of ours)
    returns=(AsIs(), AsIs(), Instant(), AsIs(), *_RETURNS),
    executions=Execution,
    tasks=ScheduledTask,
    uncounted=Uncounted,
    columns=_columns,
    ended_in_ranges=_ended_in_ranges,
)
WRITTEN_SINCE = Statement(
    """
    SELECT {columns} FROM {executions} e LEFT JOIN {tasks} t ON t.id = e.task_id
     WHERE e.id >= %(first_id)s ORDER BY e.id LIMIT %(limit)s
    """,
    returns=_RETURNS,
    executions=Execution,
    tasks=ScheduledTask,
    columns=_columns,
)
ENDED_OF = Statement(
    f"""
    SELECT {{columns}} FROM {{executions}} e LEFT JOIN {{tasks}} t ON t.id = e.task_id
     WHERE e.id IN ({{numbers}}) AND {_ENDED} ORDER BY e.id
    """,  # noqa: S608  (a text of ours)
    returns=_RETURNS,
    executions=Execution,
    tasks=ScheduledTask,
    columns=_columns,
    numbers=Each("%(id#)s"),
)
_OLDEST, _NEXT = "txid_snapshot_xmin(txid_current_snapshot())", "txid_snapshot_xmax(txid_current_snapshot())"
"""Of PostgreSQL: the oldest transaction that is not over, and the first one that has not begun."""


def _horizon(connection: Connection) -> str:
    return _NEXT if connection.vendor == "postgresql" else "NULL"


def _is_over(connection: Connection) -> str:
    """Return the hole that is true of a range in which nothing can become visible any more.

    On PostgreSQL all that had begun when it was passed by is over; a number that is still to come is of another
    cluster, from which this one was restored. On SQLite who writes is alone. MariaDB and MySQL tell it to none but
    administrators: there a day has to do.
    """
    if connection.vendor == "sqlite":
        return "1 = 1"
    if connection.vendor != "postgresql":
        return "since <= %(late)s"
    known = f"horizon <= {_OLDEST} OR horizon > {_NEXT}"
    return f"since <= %(soon)s AND ({known} OR horizon IS NULL AND since <= %(late)s)"


NOW_AND_HORIZON = Statement("SELECT {now}, {horizon}", returns=(Instant(), AsIs()), horizon=_horizon)
FORGET_EMPTY = Statement(
    f"""
    DELETE FROM {{uncounted}} WHERE last_id < {NO_END} AND ({{is_over}}) AND NOT EXISTS (
        SELECT 1 FROM {{executions}} e
         WHERE e.id BETWEEN {{uncounted}}.first_id AND {{uncounted}}.last_id)
    """,  # noqa: S608  (a number of ours)
    executions=Execution,
    uncounted=Uncounted,
    is_over=_is_over,
)


def _adding(
    model: Model, key: Sequence[str], more: Sequence[str], others: Mapping[str, str]
) -> Callable[[Connection], str]:
    """Return the hole with which an ``INSERT`` ends that adds to the rows that have its keys.

    Args:
        model: Which rows.
        key: The columns of their unique constraint.
        more: Columns to which the new value is added.
        others: What others become, in this order: an expression of ``old.…`` and ``new.…``.
    """

    def suffix(connection: Connection) -> str:
        is_mysql = connection.vendor == "mysql"
        table = connection.ops.quote_name(model._meta.db_table)

        def filled(text: str, names: Sequence[str]) -> str:
            for name in names:
                new = f"VALUES({name})" if is_mysql else f"EXCLUDED.{name}"
                text = text.replace(f"new.{name}", new).replace(f"old.{name}", f"{table}.{name}")
            return text

        expressions = {name: f"old.{name} + new.{name}" for name in more} | dict(others)
        # The longest name first: one may begin as another does.
        names = sorted(expressions, key=len, reverse=True)
        changes = ", ".join(f"{name} = {filled(text, names)}" for name, text in expressions.items())
        begin = "ON DUPLICATE KEY UPDATE" if is_mysql else f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET"
        return f"{begin} {changes}"

    return suffix


def _greater(name: str) -> str:
    """Return the expression of the greater of both values of a column, where one may be null."""
    return f"CASE WHEN new.{name} IS NULL OR old.{name} > new.{name} THEN old.{name} ELSE new.{name} END"


_OUTCOMES = tuple(map(str, Outcome))


def _inserting(model: Model, key: Sequence[str], more: Sequence[str], others: Mapping[str, str]) -> Statement:
    columns = (*key, *more, *others)

    def rows(connection: Connection) -> str | Each:
        """Return the rows of values; on PostgreSQL one text of JSON, as in ``store/keys.py``."""
        if connection.vendor != "postgresql":
            return Each(f"({', '.join(f'%({name}#)s' for name in columns)})", before="VALUES ")
        table = connection.ops.quote_name(model._meta.db_table)
        names = ", ".join(f"v.{name}" for name in columns)
        return f"SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, %(all)s::jsonb) v"  # noqa: S608  # nosec  (names of ours)

    return Statement(
        f"INSERT INTO {{table}} ({', '.join(columns)}) {{rows}} {{adding}}",
        table=model,
        rows=rows,
        adding=_adding(model, key, more, others),
    )


ADD_TO_DAYS = _inserting(TaskDay, ("task_id", "day"), (*_OUTCOMES, "seconds"), {"longest": _greater("longest")})
ADD_TO_TOTALS = _inserting(
    Total,
    ("task_name", "function"),
    _OUTCOMES,
    {
        # Before the instant that it asks about: MySQL reads what it has just written.
        "last_seconds": "CASE WHEN new.last_ran_at IS NULL OR old.last_ran_at > new.last_ran_at"
        " THEN old.last_seconds ELSE new.last_seconds END",
        "last_ran_at": _greater("last_ran_at"),
        "last_success_at": _greater("last_success_at"),
        "last_end_at": _greater("last_end_at"),
        "task_id": "CASE WHEN new.task_id IS NULL THEN old.task_id ELSE new.task_id END",
    },
)
ADD_TO_BUCKETS = _inserting(TimeBucket, ("function", "measure", "up_to"), ("count", "seconds"), {})


def add(statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add *rows*, each of another key, with one of the three statements above."""
    if connections[write_alias()].vendor == "postgresql":
        statement.execute(all=json.dumps(rows, default=str))
    else:
        statement.execute(rows)


class Written(NamedTuple):
    """What is read of an execution in order to count it."""

    id: int
    task_id: UUID | None
    task_name: str
    function: str
    trigger: str
    outcome: str
    """Empty while it is open."""
    occurrences: int
    attempt: int
    triggered_at: datetime
    scheduled_for: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    is_keyed: bool | None
    """Whether its task has a key; None: the task is gone."""


def _written(values: Sequence[Any]) -> Written:
    found = Written._make(values)
    task_id, is_keyed = found.task_id, found.is_keyed
    return found._replace(
        task_id=task_id if task_id is None else UUID(str(task_id)),
        is_keyed=None if is_keyed is None else bool(is_keyed),
    )


def written_since(first_id: int, *, limit: int) -> list[Written]:
    """Return the first *limit* executions from this id on, open or not, in order; one statement."""
    return list(map(_written, WRITTEN_SINCE.fetch(first_id=first_id, limit=limit)))


def ended_before(*, limit: int) -> list[tuple[Uncounted, Written]]:
    """Return at most *limit* executions that have ended and are in a range with an end, and that range."""
    return [
        (Uncounted(first_id=first, last_id=last, since=since, horizon=horizon), _written(values))
        for first, last, since, horizon, *values in ENDED_BEFORE.fetch(limit=limit)
    ]


def ended_of(numbers: Sequence[int]) -> list[Written]:
    """Return those of these executions that have ended, in order; one statement."""
    return list(map(_written, ENDED_OF.fetch([{"id": number} for number in numbers]))) if numbers else []


def passed_by(first_id: int, last_id: int) -> Uncounted:
    """Return the range that is passed by now, to be asked for after it was read; one statement."""
    ((now, horizon),) = NOW_AND_HORIZON.fetch()
    return Uncounted(first_id=first_id, last_id=last_id, since=now, horizon=horizon)


def forget_empty(*, soon: datetime, late: datetime) -> int:
    """Delete ranges in which there is no execution, and in which none can become visible any more.

    Args:
        soon: Only ranges made before this instant, where the database knows which transactions are over.
        late: The same, where it does not.
    """
    return FORGET_EMPTY.execute(soon=soon, late=late)
