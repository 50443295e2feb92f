"""The load of the coming week: what is due, how long it takes, and which worker processes are there; reading only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.planner.load import Load, Work, load_of
from django_scheduled_tasks.services.queries.executions.timeline import OF_POLICY
from django_scheduled_tasks.services.queries.health import workers
from django_scheduled_tasks.services.queries.load.durations import usual_of
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.visibility import for_viewer

MOST_WORKS = 3_000
"""So many different schedules are computed; of more, each further task counts as one like it that is."""
MOST_LEFT_OUT = 1_000
"""Of tasks that are not counted so many are looked at."""
_READ = ("pk", "name", "queue", "function", "next_run_at", *OF_POLICY)
_SECOND = timedelta(seconds=1)
_ALIKE = frozenset({"cron", "dates", "workday"})
"""Kinds of schedule that do not count from an anchor of the task."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Tasks with a schedule that are not counted, since nothing of them is due."""

    count: int = 0
    paused: Sequence[str] = ()
    """Their names, as those below."""
    off: Sequence[str] = ()
    others: Sequence[str] = ()
    """Their schedule has ended, or counts in other environments, or cannot be read."""


@dataclass(frozen=True, slots=True)
class WeekLoad:
    """What is known of the week."""

    load: Load
    works: Sequence[Work]
    members: Sequence[Sequence[tuple[UUID, str]]]
    """Of each work its tasks, id and name."""
    queue: str | None
    """The queue that it is about; None: all."""
    queues: Sequence[str]
    """Those that counted tasks name; empty: the default one."""
    processes: int | None
    """How many processes take from it; None: the engine does not say so."""
    zone: str
    counted: int
    unmeasured: int
    """How many of those have never succeeded: a run of theirs counts for a second."""
    is_estimated: bool
    """Whether there were too many different schedules."""
    left_out: LeftOut

    def names(self, places: Sequence[int]) -> list[str]:
        """Return the names of the tasks of some works."""
        return [name for place in places for _pk, name in self.members[place]]


def week_load(*, queue: str | None = None, now: datetime, first_day: date | None = None) -> WeekLoad:
    """Return the load of the week that begins next Monday, in the current time zone; a dozen statements.

    Args:
        queue: Of this queue alone; None: of all.
        now: Aware; the present instant.
        first_day: Another day to begin with.
    """
    zone = timezone.get_current_timezone()
    rows = [
        dict(zip(_READ, values, strict=True))
        for values in for_viewer(ScheduledTask.objects.scheduled()).order_by("pk").values_list(*_READ)
    ]
    queues = sorted({row["queue"] for row in rows})
    wanted = [row for row in rows if queue is None or row["queue"] == queue]
    of_task, of_function = usual_of((row["pk"], row["function"]) for row in wanted)
    day = first_day or _next_monday(timezone.localtime(now, zone).date())
    grouping = _Grouping(datetime.combine(day, time(), zone))
    unmeasured = 0
    for row in wanted:
        took = of_task.get(row["pk"], of_function.get(row["function"]))
        unmeasured += took is None
        grouping.add(row, took or timedelta(seconds=1))
    processes = workers.processes_of(live.processes_seen(), queue)
    works = grouping.works()
    return WeekLoad(
        load=load_of(works, day, zone, processes=processes),
        works=works,
        members=grouping.members,
        queue=queue,
        queues=queues,
        processes=processes,
        zone=timezone.get_current_timezone_name(),
        counted=sum(map(len, grouping.members)),
        unmeasured=unmeasured,
        is_estimated=grouping.is_estimated,
        left_out=_left_out(queue, [row["name"] for row in grouping.unreadable]),
    )


def _next_monday(today: date) -> date:
    return today + timedelta(days=7 - today.weekday())


class _Grouping:
    """Tasks that are due at the same instants and take as long are looked at once."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.members: list[list[tuple[UUID, str]]] = []
        self.unreadable: list[dict[str, Any]] = []
        self.is_estimated = False
        self._here = get_settings().ENVIRONMENT
        self._first: list[tuple[ScheduledTask, timedelta]] = []
        self._places: dict[Hashable, int] = {}
        self._next: Counter[Hashable] = Counter()
        self._like: dict[Hashable, list[int]] = {}

    def add(self, row: dict[str, Any], took: timedelta) -> None:
        """Count a task that takes so long."""
        if row["environments"] and self._here not in row["environments"]:
            self.unreadable.append(row)
            return
        key = _key(row, took)
        place = self._places.get(key)
        if place is None:
            is_new = len(self._first) < MOST_WORKS
            place = self._new(row, took) if is_new else self._alike(row)
            if place is None:
                self.unreadable.append(row)
                return
            if is_new:
                self._places[key] = place
        self.members[place].append((row["pk"], row["name"]))

    def _new(self, row: dict[str, Any], took: timedelta) -> int | None:
        """Return the place of a schedule that was not among those before; None if it cannot be read."""
        task = ScheduledTask(id=row["pk"], **{name: row[name] for name in _READ[1:]})
        try:
            schedule = task.policy.schedule
        except InvalidSchedule:
            return None
        first: datetime = row["next_run_at"]
        if task.max_runs is not None and first < self._start:
            task.run_count += schedule.count(first - _SECOND, self._start - _SECOND)
        place = len(self._first)
        self._first.append((task, took))
        self.members.append([])
        self._like.setdefault(_expression(row), []).append(place)
        return place

    def _alike(self, row: dict[str, Any]) -> int:
        """Return the place of one that is like *row* and is computed: each in turn."""
        self.is_estimated = True
        expression = _expression(row)
        turn = expression if expression in self._like else None
        places: Sequence[int] = self._like.get(expression) or range(len(self._first))
        self._next[turn] += 1
        return places[(self._next[turn] - 1) % len(places)]

    def works(self) -> list[Work]:
        """Return what was counted."""
        return [
            Work(policy=task.policy, takes=took, count=len(self.members[place]), run_count=task.run_count)
            for place, (task, took) in enumerate(self._first)
        ]


def _expression(row: dict[str, Any]) -> Hashable:
    return (row["schedule_kind"], row["expression"], row["timezone"])


def _key(row: dict[str, Any], took: timedelta) -> Hashable:
    """Return what is the same for tasks that are due at the same instants and take as long."""
    is_single = row["spread"] or row["max_runs"] is not None or row["skips"]
    return (
        *(row["schedule_kind"], row["expression"], row["timezone"], row["starts_at"], row["ends_at"]),
        row["paused_until"] if row["paused_at"] else None,
        *((tuple(row["calendars"]), row["on_excluded"]) if row["calendars"] else ()),
        None if row["schedule_kind"] in _ALIKE else row["created_at"],
        row["overlap"] == Overlap.ALLOW,
        round(took.total_seconds()),
        row["pk"] if is_single else None,
    )


def _left_out(queue: str | None, others: list[str]) -> LeftOut:
    rows = for_viewer(ScheduledTask.objects.filter(next_run_at=None)).exclude(schedule_kind="manual")
    if queue is not None:
        rows = rows.filter(queue=queue) if NUL not in queue else rows.none()
    read = list(rows.order_by("name_key").values_list("name", "enabled", "paused_at")[:MOST_LEFT_OUT])
    off = [name for name, is_enabled, _paused in read if not is_enabled]
    paused = [name for name, is_enabled, paused_at in read if is_enabled and paused_at is not None]
    known = {*off, *paused}
    others += [name for name, _enabled, _paused in read if name not in known]
    return LeftOut(len(off) + len(paused) + len(others), paused, off, others)
