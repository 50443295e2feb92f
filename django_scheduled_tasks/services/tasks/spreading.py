"""Spreading tasks that are due at the same instant: which may be, what it makes of the load, and doing it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from django_scheduled_tasks.exceptions import InvalidSchedule, ScheduledTasksError
from django_scheduled_tasks.models import ScheduledTask, write_alias
from django_scheduled_tasks.planner.load import Work, Worst, busiest_between, load_of
from django_scheduled_tasks.schedules import spread_from
from django_scheduled_tasks.services.permissions import CHANGE_TASK, Caller, may
from django_scheduled_tasks.services.queries.load.week import WeekLoad
from django_scheduled_tasks.services.tasks.edit import update_task, version_of
from django_scheduled_tasks.services.tasks.fields import declared_fields
from django_scheduled_tasks.services.visibility import for_viewer
from django_scheduled_tasks.users import User

USUAL_WINDOW = timedelta(minutes=10)
MOST_AT_ONCE = 200
"""So many tasks are spread by one act."""
LONGEST_WINDOW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moved:
    """A task, and when it starts of what is due in the minute: as it is, and spread."""

    task: ScheduledTask
    version: str
    before: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What spreading the tasks of one stretch would do."""

    window: timedelta
    moved: Sequence[Moved]
    declared: int
    """How many stay, since the code decides about them, and does not spread them."""
    forbidden: int
    """How many stay, since the user may not change them."""
    spread: int
    """How many stay, since they are spread already: by the code, or as far."""
    more: int
    """How many stay for another time: they are too many."""
    busy: int
    """How many processes are busy at once then."""


def offer(found: WeekLoad, worst: Worst, window: timedelta, user: Caller) -> Offer:
    """Return what becomes of the tasks of *worst* if they are spread over *window*; one statement. Nothing is changed.

    Args:
        found: The load that *worst* is of.
        worst: Which stretch.
        window: How far they are spread.
        user: Who would do it.
    """
    keys = [pk for place in worst.works for pk, _name in found.members[place]]
    rows = for_viewer(ScheduledTask.objects.using(write_alias()).filter(pk__in=keys[: 2 * MOST_AT_ONCE]))
    tasks = list(rows.order_by("name_key"))
    code = {task.pk for task in tasks if declared_fields(task.name)}
    declared = [task for task in tasks if task.pk in code and not task.spread]
    spread = [task for task in tasks if task.spread and (task.pk in code or task.spread >= window)]
    stay = code | {task.pk for task in spread}
    forbidden = [task for task in tasks if task.pk not in stay and not may(user, CHANGE_TASK, task)]
    stay |= {task.pk for task in forbidden}
    chosen = [task for task in tasks if task.pk not in stay][:MOST_AT_ONCE]
    moved = [one for task in chosen if (one := _moved(task, worst, window)) is not None]
    levels = load_of(
        _works(found, worst, {one.task.pk: window for one in moved}),
        found.load.days[0],
        timezone.get_current_timezone(),
        processes=found.processes,
    ).levels
    return Offer(
        window=window,
        moved=moved,
        declared=len(declared),
        forbidden=len(forbidden),
        spread=len(spread),
        more=len(keys) - len(stay) - len(chosen),
        busy=busiest_between(levels, worst.at, max(worst.until, worst.at + window)),
    )


def _moved(task: ScheduledTask, worst: Worst, window: timedelta) -> Moved | None:
    """Return when the occurrence of *task* in the stretch starts; None if it has none any more."""
    try:
        policy = task.policy
    except InvalidSchedule:
        return None
    instant = policy.schedule.next_after(worst.at - timedelta(seconds=1) - (task.spread or timedelta(0)))
    if instant is None:
        return None
    following = policy.schedule.next_after(instant)

    def start(over: timedelta | None) -> datetime:
        return spread_from(instant, following, task_id=task.pk, window=over) if over else instant

    return Moved(task, version_of(task), start(task.spread), start(window))


def _works(found: WeekLoad, worst: Worst, windows: Mapping[UUID, timedelta]) -> list[Work]:
    """Return the works with the tasks of *windows* spread, each by itself."""
    works = list(found.works)
    for place in worst.works:
        work = works[place]
        alone = [pk for pk, _name in found.members[place] if pk in windows]
        works[place] = dataclasses.replace(work, count=work.count - len(alone))
        for pk in alone:
            policy = dataclasses.replace(work.policy, task_id=pk, spread=windows[pk])
            works.append(dataclasses.replace(work, count=1, policy=policy))
    return works


def spread_tasks(
    versions: Iterable[tuple[UUID, str]], window: timedelta, *, user: User, reason: str = ""
) -> tuple[list[ScheduledTask], list[tuple[str, ScheduledTasksError]]]:
    """Spread tasks, and return those that are spread now, and the names of those that could not be, with the error.

    Whom the code or *user* may not have changed is left out, as by :func:`offer`.

    Args:
        versions: The id of each, and the version in which it was shown.
        window: How far.
        user: Who does it; recorded.
        reason: Why, for people; recorded.
    """
    asked = dict(versions)
    rows = for_viewer(ScheduledTask.objects.using(write_alias()).filter(pk__in=list(asked)[:MOST_AT_ONCE]))
    done: list[ScheduledTask] = []
    refused: list[tuple[str, ScheduledTasksError]] = []
    for task in rows.order_by("name_key"):
        if declared_fields(task.name) or not may(user, CHANGE_TASK, task):
            continue
        try:
            done.append(update_task(task, user=user, versions={asked[task.pk]}, reason=reason, spread=window))
        except ScheduledTasksError as exc:
            refused.append((task.name, exc))
    return done, refused
