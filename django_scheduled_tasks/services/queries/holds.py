"""Which holds last, and what they are for; reading only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from django_scheduled_tasks.exceptions import HoldNotFound
from django_scheduled_tasks.models import Hold, HoldScope, ScheduledTask, database_now, with_now, write_alias
from django_scheduled_tasks.planner import INSTANT
from django_scheduled_tasks.store.holds import RUNNING

MOST_RUNNING = 20
"""How many executions that still run are named."""


@dataclass(frozen=True, slots=True)
class Running:
    """An execution that still runs although its task is held."""

    number: int
    task: str
    worker: str
    started_at: datetime


def lasting(rows: QuerySet[Hold] | None = None) -> QuerySet[Hold]:
    """Return the holds that last now, those of everything first; each with ``database_now`` on it."""
    found = with_now((Hold.objects.all() if rows is None else rows).using(write_alias()))
    last = Q(until=None) | Q(until__gt=database_now())
    found = found.filter(last, ended_at=None, starts_at__lte=database_now())
    return found.select_related("task", "created_by").order_by("scope", "id")


def lasting_or_over_since(interval: timedelta) -> list[Hold]:
    """Return the holds that last now, and those that ended within *interval*; with ``database_now``. One statement."""
    since = database_now() - interval
    rows = with_now(Hold.objects.using(write_alias())).filter(starts_at__lte=database_now())
    rows = rows.filter(Q(ended_at=None) | Q(ended_at__gt=since)).filter(Q(until=None) | Q(until__gt=since))
    return list(rows.select_related("task", "created_by").order_by("scope", "id"))


def over_at(hold: Hold) -> datetime | None:
    """Return when *hold* ended, or will end by itself; None: somebody has to release it."""
    return min((end for end in (hold.ended_at, hold.until) if end is not None), default=None)


def concerns(hold: Hold, task: ScheduledTask) -> bool:
    """Whether *hold* is for *task*, as :func:`~django_scheduled_tasks.store.holds.concerns` says it in SQL."""
    return is_for(hold, task.pk, task.queue, task.tags)


def is_for(hold: Hold, task_id: UUID | None, queue: str, tags: Collection[str]) -> bool:
    """Whether *hold* is for the task with this id, queue and these tags; of a deleted task nothing is known."""
    if hold.scope == HoldScope.TASK:
        return task_id is not None and hold.task_id == task_id
    if hold.scope == HoldScope.QUEUE:
        return task_id is not None and hold.queue == queue
    return hold.scope == HoldScope.ALL or hold.tag in tags


def holding(task: ScheduledTask, holds: Iterable[Hold]) -> Hold | None:
    """Return the hold among *holds* that keeps *task* from starting for the longest time; None if none does."""
    found = [hold for hold in holds if concerns(hold, task)]
    endless = next((hold for hold in found if hold.until is None), None)
    return endless or max(found, key=lambda hold: (hold.until, -hold.pk), default=None)


def is_held_at(task: ScheduledTask, at: datetime, holds: Iterable[Hold]) -> bool:
    """Whether one of *holds*, which last now, still keeps *task* from starting at *at*."""
    return any((end := over_at(hold)) is None or at < end for hold in holds if concerns(hold, task))


def all_held_until(holds: Iterable[Hold], limit: datetime) -> datetime | None:
    """Return until when nothing at all starts by what *holds* say now, at most *limit*; None: something does."""
    ends = [over_at(hold) or limit for hold in holds if hold.scope == HoldScope.ALL]
    return min(max(ends), limit) if ends else None


def holds_between(first: datetime, last: datetime) -> list[Hold]:
    """Return the holds that lasted at some instant from *first* to *last*; one statement."""
    rows = Hold.objects.using(write_alias()).filter(Q(ended_at=None) | Q(ended_at__gt=first), starts_at__lte=last)
    return list(rows.filter(Q(until=None) | Q(until__gt=first)).select_related("created_by").order_by("pk"))


def holding_at(task: ScheduledTask, at: datetime, holds: Iterable[Hold]) -> Hold | None:
    """Return the one of *holds* that kept *task* from starting at *at*, which may be long ago."""
    for hold in holds:
        if hold.starts_at <= at < (over_at(hold) or at + INSTANT) and concerns(hold, task):
            return hold
    return None


def get_hold(number: int) -> Hold:
    """Return the hold with this number, whether it lasts or is over.

    Raises:
        HoldNotFound: There is none.
    """
    row = with_now(Hold.objects.using(write_alias()).select_related("task", "created_by")).filter(pk=number).first()
    if row is None:
        raise HoldNotFound(number)
    return row


def still_running(hold: Hold) -> Sequence[Running]:
    """Return what runs of the tasks that *hold* is for: it goes on; at most :data:`MOST_RUNNING`. One statement."""
    return [Running(*row) for row in RUNNING.fetch(id=hold.pk, limit=MOST_RUNNING)]


def tasks_of(hold: Hold) -> QuerySet[ScheduledTask]:
    """Return the tasks that *hold* is for, as :func:`concerns` says."""
    rows = ScheduledTask.objects.using(write_alias())
    if hold.scope == HoldScope.TASK:
        return rows.filter(pk=hold.task_id) if hold.task_id is not None else rows.none()
    if hold.scope == HoldScope.QUEUE:
        return rows.filter(queue=hold.queue)
    return rows.filter(has_tag(hold.tag)) if hold.scope == HoldScope.TAG else rows


def has_tag(tag: str) -> Q:
    """Tasks with this tag, whatever its case."""
    return Q(tags__contains=f",{tag.strip().lower()},")
