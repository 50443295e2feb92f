"""Following executions while they run: what is new for each who follows one, found by few statements for all of them.

Nothing that writes knows of it. Who follows looks twice a second, and all who follow in one process look together:
at the executions with one statement, at new log lines with another. NOTIFY would cost every report of progress and
every batch of log lines a statement, whether anybody listens or not.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Q

from django_scheduled_tasks.exceptions import ExecutionNotFound, PermissionDenied, ScheduledTasksError
from django_scheduled_tasks.models import Execution, ExecutionLog, write_alias
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.following.rights import Rights

LOOK_EVERY = 0.5
"""Seconds between two looks."""
CHECK_EVERY = 5.0
"""Seconds after which the permissions of who follows are asked for even if nothing has happened."""
MOST_LINES = 2_000
"""The most lines that one look reads, for all who follow; the rest comes with the next."""
_PLACE = re.compile(r"(\d{1,10})-([0-9a-f]{12})", re.ASCII)
_DIGEST = 12


class EventKind(StrEnum):
    """What an event is about."""

    STATUS = "status"
    """The execution is where it was not before, or its first event."""
    PROGRESS = "progress"
    """The function has said how far it is; the status is the same."""
    LOG = "log"
    """A line of its log."""
    ERROR = "error"
    """It cannot be followed any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened."""

    kind: EventKind
    place: str
    """Where the follower is after it, for :meth:`Follower.go_on_after`."""
    info: ExecutionInfo | None = None
    line: ExecutionLog | None = None
    error: ScheduledTasksError | None = None


class Follower:
    """Who follows one execution, and how far they are.

    Args:
        execution: The primary key.
        tracking_id: The same execution's.
        user: Who; their permissions are asked for at each event. None: a command, which may see everything.
    """

    def __init__(self, execution: Execution, *, user: Any = None) -> None:
        self.execution, self.tracking_id = execution.pk, execution.tracking_id
        self.user = user
        self.line, self.digest = 0, ""
        self.state: tuple[Any, ...] = ()
        self.is_over = False
        """Whether there will be no further event."""
        self.sees_logs = True
        self.checked_at = 0.0

    @property
    def place(self) -> str:
        """Where it is: the number of the last line, and a digest of what was said last."""
        return f"{self.line}-{self.digest or '0' * _DIGEST}"

    def go_on_after(self, place: str) -> None:
        """Leave out what was known at *place*, the text of an event; what is none means the beginning."""
        if found := _PLACE.fullmatch(place):
            self.line, self.digest = min(int(found[1]), 2**31 - 1), found[2]

    def is_to_check(self) -> bool:
        """Whether its permissions are to be asked for though nothing has happened."""
        return self.user is not None and time.monotonic() - self.checked_at >= CHECK_EVERY


def look(followers: Collection[Follower]) -> dict[Follower, list[Event]]:
    """Return what is new for each of *followers*, and move them on.

    1. Read the executions, then the lines: what one wrote at its end is not missed by who stops there.
    2. For whom something may be new, ask what they may see now.
    3. Who may see the execution no longer, or if it is gone, is told so and is done.
    4. So is who has seen the end, and all lines before it.
    """
    if not followers:
        return {}
    rows = {row.pk: row for row in _executions({one.execution for one in followers})}
    lines, is_all = _lines([one for one in followers if one.execution in rows])
    rights = Rights()
    found: dict[Follower, list[Event]] = {}
    for one in followers:
        row = rows.get(one.execution)
        if row is None:
            found[one] = [_last(one, ExecutionNotFound(one.tracking_id))]
            continue
        new = [line for line in lines.get(row.pk, ()) if line.number > one.line]
        if new or one.is_to_check() or not one.state or state_of(row) != one.state:
            found[one] = _news(one, row, new, rights, is_all=is_all)
    return found


def _news(one: Follower, row: Execution, lines: Sequence[ExecutionLog], rights: Rights, *, is_all: bool) -> list[Event]:
    may_see, one.sees_logs = rights.of(one.user, row)
    one.checked_at = time.monotonic()
    if not may_see:
        return [_last(one, PermissionDenied())]
    logs = one.sees_logs
    shown = lines if logs else []
    info = ExecutionInfo.of(row, with_message=logs, with_traceback=logs, with_result=logs)
    if row.is_open:
        return [*_status_for(one, row, info), *_lines_for(one, shown)]
    if not is_all:  # the end comes after its last line
        return _lines_for(one, shown)
    one.is_over = True
    return [*_lines_for(one, shown), *_status_for(one, row, info)]


def _lines_for(one: Follower, lines: Iterable[ExecutionLog]) -> list[Event]:
    events = []
    for line in lines:
        one.line = line.number
        events.append(Event(kind=EventKind.LOG, place=one.place, line=line))
    return events


def _status_for(one: Follower, row: Execution, info: ExecutionInfo) -> list[Event]:
    digest = hashlib.sha256(json.dumps(info.as_dict(), sort_keys=True, default=str).encode()).hexdigest()[:_DIGEST]
    before, one.state = one.state, state_of(row)
    if digest == one.digest:
        return []
    one.digest = digest
    is_same = bool(before) and before[:STATUS_COLUMNS] == one.state[:STATUS_COLUMNS]
    kind = EventKind.PROGRESS if is_same and info.progress is not None else EventKind.STATUS
    return [Event(kind=kind, place=one.place, info=info)]


def _last(one: Follower, error: ScheduledTasksError) -> Event:
    one.is_over = True
    return Event(kind=EventKind.ERROR, place=one.place, error=error)


_COLUMNS = ("status", "attempt", "started_at", "not_before", "progress_current", "progress_total", "progress_message")
STATUS_COLUMNS = 4
"""So many of them are about the status."""


def state_of(row: Execution) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COLUMNS)


def _executions(keys: Collection[int]) -> Iterable[Execution]:
    return Execution.objects.using(write_alias()).filter(pk__in=keys).defer("params", "secret_params").order_by()


def _lines(followers: Iterable[Follower]) -> tuple[dict[int, list[ExecutionLog]], bool]:
    """Return the lines that are new for some of *followers*, by execution, and whether these are all."""
    since: dict[int, int] = {}
    for one in followers:
        if one.sees_logs:
            since[one.execution] = min(one.line, since.get(one.execution, one.line))
    if not since:
        return {}, True
    wanted = Q()
    for key, number in since.items():
        wanted |= Q(execution=key, number__gt=number)
    rows = ExecutionLog.objects.using(write_alias()).filter(wanted).order_by("execution", "number")[:MOST_LINES]
    found: dict[int, list[ExecutionLog]] = {}
    for line in rows:
        found.setdefault(line.execution_id, []).append(line)
    return found, len(rows) < MOST_LINES
