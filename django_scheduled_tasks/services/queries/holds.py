"""Which holds last, and what they are for; reading only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

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


def concerns(hold: Hold, task: ScheduledTask) -> bool:
    """Whether *hold* is for *task*, as :func:`~django_scheduled_tasks.store.holds.concerns` says it in SQL."""
    if hold.scope == HoldScope.TASK:
        return hold.task_id == task.pk
    if hold.scope == HoldScope.QUEUE:
        return hold.queue == task.queue
    return hold.scope == HoldScope.ALL or hold.tag in task.tags


def holding(task: ScheduledTask, holds: Iterable[Hold]) -> Hold | None:
    """Return the hold among *holds* that keeps *task* from starting for the longest time; None if none does."""
    found = [hold for hold in holds if concerns(hold, task)]
    endless = next((hold for hold in found if hold.until is None), None)
    return endless or max(found, key=lambda hold: (hold.until, -hold.pk), default=None)


def holds_between(first: datetime, last: datetime) -> list[Hold]:
    """Return the holds that lasted at some instant from *first* to *last*; one statement."""
    rows = Hold.objects.using(write_alias()).filter(Q(ended_at=None) | Q(ended_at__gt=first), starts_at__lte=last)
    return list(rows.filter(Q(until=None) | Q(until__gt=first)).select_related("created_by").order_by("pk"))


def holding_at(task: ScheduledTask, at: datetime, holds: Iterable[Hold]) -> Hold | None:
    """Return the one of *holds* that kept *task* from starting at *at*, which may be long ago."""
    for hold in holds:
        ends = [end for end in (hold.ended_at, hold.until) if end is not None]
        if hold.starts_at <= at < min(ends, default=at + INSTANT) and concerns(hold, task):
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
