"""How executions of one task ended, day by day: so many of each day, however many there are and of whatever tasks.

First the number of the first execution of each day is looked up in the index over time; between two of them the newest
of the task are the end of its own index.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from django_scheduled_tasks.db.loaders import AsIs, MaybeInstant
from django_scheduled_tasks.db.statements import Each, Statement
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.store.reading.recent import of_task

_FIRST = "(SELECT e.id FROM {executions} e WHERE e.triggered_at >= %(at#)s ORDER BY e.triggered_at LIMIT 1)"
FIRST_OF_DAYS = Statement(
    "{firsts}",
    returns=(AsIs(), AsIs()),
    executions=Execution,
    firsts=Each(f"SELECT #, {_FIRST}", between=" UNION ALL "),
)
ENDS_BY_DAY = Statement(
    "{ends}",
    returns=(AsIs(), AsIs(), AsIs(), AsIs(), MaybeInstant(), MaybeInstant()),
    executions=Execution,
    of_task=of_task,
    ends=Each(
        "SELECT #, t#.* FROM (SELECT e.id, e.status, e.outcome, e.started_at, e.completed_at FROM {executions} e"
        " WHERE {of_task} AND e.id >= %(first#)s AND e.id < %(last#)s"
        " ORDER BY e.task_id, e.id DESC LIMIT %(count)s) t#",
        between=" UNION ALL ",
    ),
)
_NO_END = 2**63 - 1

EndOfDay = tuple[int, int, str, str, datetime | None, datetime | None]
"""Number of the day, id, status, outcome, start and end of an execution."""


def ends_by_day(task_id: UUID, edges: Sequence[datetime], *, count: int) -> list[EndOfDay]:
    """Return the *count* newest executions of a task between each two of *edges*; two statements."""
    firsts = dict(FIRST_OF_DAYS.fetch([{"at": edge} for edge in edges]))
    numbers = [number if (number := firsts.get(place)) is not None else _NO_END for place in range(len(edges))]
    days = [(place, *pair) for place, pair in enumerate(pairwise(numbers)) if pair[0] < pair[1]]
    if not days:
        return []
    rows = [{"task_id": task_id, "first": first, "last": last} for _place, first, last in days]
    return [(days[number][0], *rest) for number, *rest in ENDS_BY_DAY.fetch(rows, count=count)]
