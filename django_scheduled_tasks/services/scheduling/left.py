"""Due tasks that this scheduler cannot plan, since it does not know something that another release may know.

What one process does not know is written into the shared row only when no process has known it for a while. What is
remembered here is of this process alone: what it leaves to others at present, and since when nobody knows it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidSchedule
from django_scheduled_tasks.lifecycle import PauseCode
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.schedules import schedule_kinds
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.store.reading.left import Left

logger = logging.getLogger(__name__)

LEAVE_FOR = 5.0
"""Seconds for which tasks that are left to others are not looked at; then it is asked again who knows them."""
UNKNOWN_FOR = 120.0
"""Seconds for which no process that runs may know it; then a task is paused as broken."""
_FORGOTTEN_AFTER = 60.0
"""Seconds after which what nobody has asked for again counts as new."""


@dataclass(slots=True)
class _Unknown:
    """What this process remembers of tasks that it cannot plan."""

    until: float
    """Until when they are left to others; monotonic seconds, as what follows."""
    unknown_since: float | None
    """Since when no process knows them; None: one does."""


_left: dict[Left, _Unknown] = {}


def left_now() -> list[Left]:
    """Return the tasks that this process leaves to others at present; nearly always none."""
    if not _left:
        return []
    moment = time.monotonic()
    for one in [one for one, unknown in _left.items() if moment > unknown.until + _FORGOTTEN_AFTER]:
        del _left[one]
    return [one for one, unknown in _left.items() if moment < unknown.until]


def left_until() -> float:
    """Return when to look again at the first of them, in monotonic seconds; infinity if none is left to others."""
    moment = time.monotonic()
    return min((unknown.until for unknown in _left.values() if unknown.until > moment), default=float("inf"))


def leave(task: ScheduledTask, error: FunctionNotRegistered | InvalidSchedule, seen: live.Seen) -> bool:
    """Leave *task* and those like it to others for :data:`LEAVE_FOR`; False if nobody has known it for too long.

    Args:
        task: That is due.
        error: Why this process cannot plan it.
        seen: The other releases that run.
    """
    left, is_known = _what(task, error), _may_be_known(task, error, seen)
    moment, unknown = time.monotonic(), _left.get(left)
    if unknown is None:
        unknown = _left[left] = _Unknown(until=moment, unknown_since=None)
        extra = {"task": task.name, "event": "left_to_others"}
        logger.warning("The task %s is left to other schedulers: %s", task.name, error.message, extra=extra)
    if is_known:
        unknown.unknown_since = None
    elif unknown.unknown_since is None:
        unknown.unknown_since = moment
    if unknown.unknown_since is not None and moment - unknown.unknown_since >= UNKNOWN_FOR:
        return False
    unknown.until = moment + LEAVE_FOR
    return True


def code_of(error: FunctionNotRegistered | InvalidSchedule) -> PauseCode:
    """Return the code with which a task is paused that nobody can plan because of *error*."""
    is_function = isinstance(error, FunctionNotRegistered)
    return PauseCode.UNKNOWN_FUNCTION if is_function else PauseCode.INVALID_SCHEDULE


def _what(task: ScheduledTask, error: FunctionNotRegistered | InvalidSchedule) -> Left:
    if isinstance(error, FunctionNotRegistered):
        return Left(function=task.function)
    if task.schedule_kind not in schedule_kinds():
        return Left(schedule_kind=task.schedule_kind)
    return Left(timezone=task.timezone) if error.field == "timezone" else Left(task_id=task.pk)


def _may_be_known(task: ScheduledTask, error: FunctionNotRegistered | InvalidSchedule, seen: live.Seen) -> bool:
    if isinstance(error, FunctionNotRegistered):
        return seen.knows_function(task.function)
    return seen.may_read(task.schedule_kind, zone_is_absent=error.field == "timezone")


def forget() -> None:
    """Leave nothing to others any longer, for tests."""
    _left.clear()
