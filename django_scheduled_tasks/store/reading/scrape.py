"""What a scrape of the metrics reads, in three statements, whose cost hardly grows with what there is.

Of executions that have ended nothing is read but what was counted; of those that are open, at most :data:`MOST_OPEN`.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.db.loaders import AsIs, MaybeInstant
from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.models import (
    NO_END,
    Alert,
    Execution,
    Hold,
    Presence,
    Release,
    ScheduledTask,
    TimeBucket,
    Total,
    Uncounted,
)
from django_scheduled_tasks.store.holds import LASTS

MOST_OPEN = 100_000
"""More executions that are open are not counted."""
OUTCOMES = tuple(map(str, Outcome))

TOTALS = Statement(
    f"""
    SELECT task_name, function, last_success_at, last_seconds, {", ".join(OUTCOMES)} FROM {{totals}} ORDER BY id
    """,  # noqa: S608  (names of ours)
    returns=(AsIs(), AsIs(), MaybeInstant(), *(AsIs(),) * (1 + len(OUTCOMES))),
    totals=Total,
)
NEXT_RUNS = Statement(
    """
    SELECT o.task_name, o.function, t.next_run_at, 1
      FROM {totals} o JOIN {tasks} t ON t.id = o.task_id AND t.name = o.task_name WHERE o.task_name <> ''
    UNION ALL
    SELECT '', t.function, MIN(t.next_run_at), SUM(CASE WHEN t.key IS NULL THEN 1 ELSE 0 END) FROM {tasks} t
     WHERE t.id NOT IN (SELECT o.task_id FROM {totals} o WHERE o.task_name <> '' AND o.task_id IS NOT NULL)
     GROUP BY t.function
    """,
    returns=(AsIs(), AsIs(), MaybeInstant(), AsIs()),
    totals=Total,
    tasks=ScheduledTask,
)


def _open(connection: Connection) -> str:
    """Return the hole with the executions that are open.

    As in ``store/open.py``, PostgreSQL must not take the status for a proof that it may walk the primary key.
    """
    both = "'pending', 'processing'"
    condition = f"= ANY(ARRAY[{both}])" if connection.vendor == "postgresql" else f"IN ({both})"
    columns = "task_id, status, triggered_at, not_before, lock_key"
    return f"SELECT {columns} FROM {{executions}} WHERE status {condition} LIMIT {MOST_OPEN}"  # noqa: S608  (texts of ours)


GAUGES = Statement(
    f"""
    SELECT 'now' AS name, '' AS label, '' AS more, 0 AS number, 0 AS many, 0.0 AS seconds, {{now}} AS moment
    UNION ALL
    SELECT 'open', o.status, COALESCE(t.queue, ''), COUNT(*),
           SUM(CASE WHEN h.id IS NULL AND (o.not_before IS NULL OR o.not_before <= {{now}}) THEN 1 ELSE 0 END), 0.0,
           MIN(CASE WHEN h.id IS NOT NULL OR o.not_before > {{now}} THEN NULL
                    WHEN o.not_before > o.triggered_at THEN o.not_before ELSE o.triggered_at END)
      FROM ({{open}}) o LEFT JOIN {{tasks}} t ON t.id = o.task_id
      LEFT JOIN {{executions}} h ON h.exclusive_key = o.lock_key GROUP BY o.status, COALESCE(t.queue, '')
    UNION ALL
    SELECT 'process', p.kind, COALESCE(NULLIF(r.name, ''), p.release_key),
           CASE WHEN p.ended_at > p.last_seen_at THEN 0 ELSE 1 END, 0, 0.0, p.last_seen_at
      FROM (SELECT kind, {{release}} AS release_key, ended_at, last_seen_at FROM {{presences}}) p
      LEFT JOIN {{releases}} r ON r.{{key}} = p.release_key
    UNION ALL
    SELECT 'alert', kind, '', COUNT(*), 0, 0.0, MIN(opened_at) FROM {{alerts}} WHERE open_key IS NOT NULL GROUP BY kind
    UNION ALL
    SELECT 'hold', h.scope, '', COUNT(*), 0, 0.0, MIN(h.starts_at) FROM {{holds}} h WHERE {LASTS} GROUP BY h.scope
    UNION ALL
    SELECT 'bucket', b.function, b.measure, b.up_to, b.{{count}}, b.seconds, {{now}} FROM {{buckets}} b
    UNION ALL
    SELECT 'uncounted', '', '', COALESCE((SELECT MAX(id) FROM {{executions}}), 0) - u.first_id + 1, 0, 0.0, {{now}}
      FROM {{uncounted}} u WHERE u.last_id = {NO_END}
    """,  # noqa: S608  (texts and a number of ours)
    returns=(*(AsIs(),) * 6, MaybeInstant()),
    executions=Execution,
    tasks=ScheduledTask,
    presences=Presence,
    releases=Release,
    alerts=Alert,
    holds=Hold,
    buckets=TimeBucket,
    uncounted=Uncounted,
    open=_open,
    release=lambda connection: connection.ops.quote_name("release"),
    key=lambda connection: connection.ops.quote_name("key"),
    count=lambda connection: connection.ops.quote_name("count"),
)


class Gauge(NamedTuple):
    """One row of what is measured now; what its columns mean depends on the name."""

    name: str
    label: str
    more: str
    number: int
    many: int
    seconds: float
    moment: datetime | None


class Counted(NamedTuple):
    """What was counted of one task or function."""

    task: str
    function: str
    last_success_at: datetime | None
    last_seconds: float | None
    counts: tuple[int, ...]
    """In the order of :data:`OUTCOMES`."""


class NextRun(NamedTuple):
    """When a task, or the first one of a function, is due."""

    task: str
    function: str
    at: datetime | None
    unnamed: int
    """Of a function: how many of its tasks have neither a key nor a name of their own here."""


def read_totals() -> list[Counted]:
    """Return all totals, the oldest first; one statement."""
    return [
        Counted(task, function, success_at, seconds, tuple(counts))
        for task, function, success_at, seconds, *counts in TOTALS.fetch()
    ]


def read_next_runs() -> list[NextRun]:
    """Return when tasks are due, by name, and by function where they have no name here; one statement."""
    return [NextRun(task, function, at, 0 if task else int(many)) for task, function, at, many in NEXT_RUNS.fetch()]


def read_gauges() -> list[Gauge]:
    """Return what is measured now; one statement."""
    return [
        Gauge(name, label, more, int(number), int(many or 0), float(seconds), moment)
        for name, label, more, number, many, seconds, moment in GAUGES.fetch()
    ]
