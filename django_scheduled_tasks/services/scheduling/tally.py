"""What a batch of executions that have ended adds to the counts."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.lifecycle import RAN_OUTCOMES, Outcome, Trigger
from django_scheduled_tasks.models import BOUNDS, NO_END, Measure, ScheduledTask, Total, write_alias
from django_scheduled_tasks.store.rollup import ADD_TO_BUCKETS, ADD_TO_DAYS, ADD_TO_TOTALS, Written, add

OTHER = "(other)"
"""Stands for the functions beyond :data:`MOST_FUNCTIONS`; no function can be called so."""
MOST_FUNCTIONS = 200
"""So many functions are told apart."""
_RAN = frozenset(map(str, RAN_OUTCOMES))
_NONE: Mapping[str, Any] = dict.fromkeys(map(str, Outcome), 0)
_NO_DAY = {**_NONE, "seconds": 0.0, "longest": 0.0}
_NO_TOTAL = {
    **_NONE,
    **dict.fromkeys(("task_id", "last_success_at", "last_seconds", "last_ran_at", "last_end_at")),
}
_NO_BUCKET = {"count": 0, "seconds": 0.0}

Key = tuple[Any, ...]


@dataclass(slots=True)
class Tally:
    """The sums of a batch, by the rows to which they are added."""

    days: dict[Key, dict[str, Any]] = field(default_factory=lambda: defaultdict(_NO_DAY.copy))
    totals: dict[Key, dict[str, Any]] = field(default_factory=lambda: defaultdict(_NO_TOTAL.copy))
    buckets: dict[Key, dict[str, Any]] = field(default_factory=lambda: defaultdict(_NO_BUCKET.copy))

    def add(self, row: Written, name: str, function: str) -> None:
        """Count *row*, which has ended, under these two names."""
        ended_at = row.completed_at or row.triggered_at
        total = self.totals[name, function]
        total[row.outcome] += row.occurrences
        if name and row.task_id is not None:
            total["task_id"] = row.task_id
        total["last_end_at"] = _later(total["last_end_at"], ended_at)
        if row.outcome == Outcome.SUCCEEDED:
            total["last_success_at"] = _later(total["last_success_at"], ended_at)
        seconds = None
        if row.outcome in _RAN and row.started_at is not None:
            seconds = max((ended_at - row.started_at).total_seconds(), 0.0)
            if total["last_ran_at"] is None or ended_at >= total["last_ran_at"]:
                total["last_ran_at"], total["last_seconds"] = ended_at, seconds
            self._add_time(function, Measure.DURATION, seconds)
            is_first = row.attempt == 1 and row.trigger == Trigger.SCHEDULE
            if is_first and row.scheduled_for is not None:  # of a later attempt nobody knows when the first began
                late = max((row.started_at - row.scheduled_for).total_seconds(), 0.0)
                self._add_time(function, Measure.LATENESS, late)
        if row.task_id is not None and row.is_keyed is False:
            day = self.days[row.task_id, row.triggered_at.astimezone(UTC).date()]
            day[row.outcome] += row.occurrences
            if seconds is not None:
                day["seconds"] += seconds
                day["longest"] = max(day["longest"], seconds)

    def _add_time(self, function: str, measure: Measure, seconds: float) -> None:
        bounds = BOUNDS[measure]
        place = bisect_left(bounds, seconds * 1000)
        bucket = self.buckets[function, str(measure), bounds[place] if place < len(bounds) else NO_END]
        bucket["count"] += 1
        bucket["seconds"] += seconds

    def write(self) -> None:
        """Add it to what there is; three statements. In the order of the keys, as all who write do."""
        for statement, names, found in (
            (ADD_TO_DAYS, ("task_id", "day"), self.days),
            (ADD_TO_TOTALS, ("task_name", "function"), self.totals),
            (ADD_TO_BUCKETS, ("function", "measure", "up_to"), self.buckets),
        ):
            if found:
                add(statement, [dict(zip(names, key, strict=True)) | found[key] for key in sorted(found)])


def tally(rows: Iterable[Written]) -> Tally:
    """Return the sums of *rows*, all of which have ended; at most three statements.

    A task counts under its own name, as long as there are at most ``METRICS_MAX_TASKS`` names: who came first keeps
    its place, so that no counter ever falls. The others, tasks with keys, and what is left of a task that is gone and
    had no name here, count by function.
    """
    found, rows = Tally(), list(rows)
    functions = _functions(row.function for row in rows)
    names = _names(rows, functions)
    for row in rows:
        function = functions[row.function]
        key = row.task_name, function
        found.add(row, row.task_name if key in names and not row.is_keyed else "", function)
    return found


def new_totals(now: datetime) -> list[Total]:
    """Return rows for tasks that have no place yet, as far as there are places: their counters begin with zero."""
    totals = Total.objects.using(write_alias()).order_by()
    free = get_settings().METRICS_MAX_TASKS - totals.exclude(task_name="").count()
    if free <= 0:
        return []
    has_place = Exists(totals.filter(task=OuterRef("pk"), task_name=OuterRef("name")))
    tasks = ScheduledTask.objects.using(write_alias()).filter(key=None).exclude(has_place).order_by("pk")
    found = list(tasks.values_list("pk", "name", "function")[:free])
    functions = _functions(function for _task_id, _name, function in found)
    return [
        Total(task_id=task_id, task_name=name, function=functions[function], last_end_at=now)
        for task_id, name, function in found
    ]


def _functions(given: Iterable[str]) -> dict[str, str]:
    """Return for each function under what it counts."""
    wanted = dict.fromkeys(given)
    rows = Total.objects.using(write_alias()).order_by()
    known = set(rows.filter(function__in=list(wanted)).values_list("function", flat=True).distinct())
    if new := [function for function in wanted if function not in known]:
        free = MOST_FUNCTIONS - rows.values("function").distinct().count()
        known.update(new[: max(free, 0)])
    return {function: function if function in known else OTHER for function in wanted}


def _names(rows: list[Written], functions: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the tasks, each with its function, that count under a name of their own."""
    wanted = dict.fromkeys((row.task_name, functions[row.function]) for row in rows if not row.is_keyed)
    totals = Total.objects.using(write_alias()).order_by()
    named = totals.filter(task_name__in=list({name for name, _function in wanted} - {""}))
    known = set(named.values_list("task_name", "function"))
    there = {(row.task_name, functions[row.function]) for row in rows if row.is_keyed is False}
    if new := [key for key in wanted if key not in known and key in there]:
        free = get_settings().METRICS_MAX_TASKS - totals.exclude(task_name="").count()
        known.update(new[: max(free, 0)])
    return known


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
