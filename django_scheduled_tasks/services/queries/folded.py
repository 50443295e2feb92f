"""Tasks that programs have made, told by function: a list of a hundred thousand is no list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Alert, Execution, ScheduledTask
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.queries.overview import State
from django_scheduled_tasks.services.visibility import for_viewer, has_hook
from django_scheduled_tasks.store.keys import count_keyed

MOST_COUNTED = 10_000
"""Of a function with more tasks only that is told."""


MOST_FOUND = 1_000
"""So many tasks are found in each of the ways of a search, where there are too many with keys."""
MOST_LOOKED_AT = 2_000
"""With more of them the counts above the list leave them out; each function's row has its own."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The tasks of one function that have keys."""

    function: str
    count: int
    """At most one more than :data:`MOST_COUNTED`."""
    failing: int
    """Of how many an alert is open because they fail."""


def has_many(found: Sequence[Folded]) -> bool:
    """Whether there are more of them than a page can look at one by one."""
    return sum(one.count for one in found) > MOST_LOOKED_AT


def narrowed(rows: QuerySet[ScheduledTask], state: str) -> QuerySet[ScheduledTask]:
    """Keep those of *rows* that may be in *state*, where there are too many with keys to look at each one's executions.

    Of those with keys: what fails or needs attention has an open alert, what runs an execution that runs.
    """
    if state in {State.NEEDS_ATTENTION, State.FAILING}:
        kin: QuerySet[Any, Any] = Alert.objects.open().filter(task__isnull=False).values("task")
    elif state == State.RUNNING:
        kin = Execution.objects.filter(status=Status.PROCESSING, task__isnull=False).values("task")
    else:
        return rows
    return rows.filter(Q(key=None) | Q(pk__in=kin))


def searched(rows: QuerySet[ScheduledTask], text: str, fields: Sequence[str]) -> QuerySet[ScheduledTask]:
    """Return those of *rows* that contain *text*; of those with keys, which are too many to read, whose key it is or
    whose name begins so.
    """
    within = Q()
    for field in fields:
        within |= Q(**{f"{field}__icontains": text})
    ways = (Q(key=text), Q(name_key__startswith=name_key(text)), Q(key=None) & within)
    plain = ScheduledTask.objects.order_by()  # each read from an index of its own; joined by OR, none would be
    found = {pk for way in ways for pk in plain.filter(way).values_list("pk", flat=True)[:MOST_FOUND]}
    return rows.filter(pk__in=found)


def with_key() -> QuerySet[ScheduledTask]:
    """Return the tasks that have a key, of those that whoever looks may see."""
    return for_viewer(ScheduledTask.objects.filter(key__isnull=False)).order_by()


def folded() -> list[Folded]:
    """Return the tasks with keys by function, in order; two statements, none of which counts all of them."""
    counts = _counts(sorted(registry.functions()))
    if not counts:
        return []
    alerts = Alert.objects.open().filter(kind=str(Kind.FAILING), task__in=with_key().values("pk"))
    failing = dict(alerts.order_by().values_list("task__function").annotate(Count("task", distinct=True)))
    return [Folded(function, count, failing.get(function, 0)) for function, count in counts.items()]


def _counts(functions: Sequence[str]) -> dict[str, int]:
    """Return how many tasks with keys there are of each of *functions* that has some; one statement."""
    if not has_hook():
        return count_keyed(functions, most=MOST_COUNTED + 1)
    found = with_key().filter(function__in=functions).values_list("function").annotate(Count("pk"))
    return {function: min(count, MOST_COUNTED + 1) for function, count in found.order_by("function")}
