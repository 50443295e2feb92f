"""How long runs of tasks usually take, for as many tasks as there may be: a few are looked at, the others are alike."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from django_scheduled_tasks.services.queries.overview import usual_durations

MOST_MEASURED = 500
"""The runs of so many tasks are looked at."""
FIRST_OF_FUNCTION = 10
"""Of each function so many tasks come first."""
_AT_ONCE = 100


def usual_of(tasks: Iterable[tuple[UUID, str]]) -> tuple[Mapping[UUID, timedelta], Mapping[str, timedelta]]:
    """Return how long tasks usually take, by task and by function; at most five statements.

    A function's is the median of its tasks that were looked at. What has never succeeded is in neither.

    Args:
        tasks: The id and the function of each, in an order that decides which are looked at.
    """
    functions = dict(tasks)
    seen: dict[str, int] = defaultdict(int)
    first: list[UUID] = []
    others: list[UUID] = []
    for task_id, function in functions.items():
        seen[function] += 1
        (first if seen[function] <= FIRST_OF_FUNCTION else others).append(task_id)
    measured = (first + others)[:MOST_MEASURED]
    found: dict[UUID, timedelta] = {}
    for number in range(0, len(measured), _AT_ONCE):
        usual = usual_durations(measured[number : number + _AT_ONCE])
        found |= {task_id: took for task_id, took in usual.items() if took is not None}
    of_function: dict[str, list[float]] = defaultdict(list)
    for task_id, took in found.items():
        of_function[functions[task_id]].append(took.total_seconds())
    return found, {name: timedelta(seconds=statistics.median(took)) for name, took in of_function.items()}
