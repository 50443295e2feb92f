"""What listeners hear next: read for all of them at once, in a few statements.

Whoever listens is read anew each time, and asked for the permissions again: who may see an execution no more hears no
more of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db.models import Max, QuerySet

from django_scheduled_tasks.api.serializers.executions import ExecutionLogLineSerializer
from django_scheduled_tasks.lifecycle import OPEN
from django_scheduled_tasks.models import Execution, write_alias
from django_scheduled_tasks.services.envelope import ExecutionInfo
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION, VIEW_LOGS, Caller, may
from django_scheduled_tasks.services.running.logs import lines_after

MOST_LINES = 200
"""The most log lines of an execution that are told at once; the rest follow."""
MOST_OPEN = 500
"""Of so many open executions is told at most; the newest ones."""
LATER_SEEN = 200
"""So many ids back is looked for what was committed after something with a higher id."""
OVER = "end"
"""The id of the last event: who has it need not connect again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as it is written."""

    name: str
    data: Mapping[str, Any]
    id: str = ""

    def text(self) -> str:
        """Return it as the standard has it.

        Source:
            HTML Living Standard, section 9.2, "Server-sent events".
        """
        id_line = f"id: {self.id}\n" if self.id else ""
        return f"{id_line}event: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False, default=str)}\n\n"


@dataclass(slots=True)
class OneExecution:
    """What one who listens to one execution has heard."""

    user_id: Any
    """None: nobody who is logged in."""
    execution_id: int
    line: int = 0
    """The number of the last log line."""
    told: str = ""
    """The last status."""
    is_over: bool = False

    def news(self, user: Caller, rows: Mapping[int, Execution]) -> Iterator[Event]:
        """Yield what is new: first log lines, then the status, so that at the end nothing is missing."""
        row = rows.get(self.execution_id)
        if row is None or not may(user, VIEW_EXECUTION, row):
            self.is_over = True
            code = "execution_not_found" if row is None else "permission_denied"
            yield Event("end", {"code": code}, OVER)
            return
        sees_logs = may(user, VIEW_LOGS, row)
        lines = list(lines_after(row, self.line)[:MOST_LINES]) if sees_logs else []
        for line in lines:
            self.line = line.number
            yield Event("log", ExecutionLogLineSerializer(line).data, str(line.number))
        event = Event("status", _info(row, sees_logs=sees_logs), str(self.line))
        if event.text() != self.told:
            self.told = event.text()
            yield event
        if not row.is_open and len(lines) < MOST_LINES:
            self.is_over = True
            yield Event("end", {"code": "ended"}, OVER)


@dataclass(slots=True)
class EveryExecution:
    """What one who listens to all executions has heard."""

    user_id: Any
    after: int
    """The highest id seen."""
    told: dict[int, str] = field(default_factory=dict)
    """The last status of each that is open, and of the last that have ended."""
    is_over: bool = False

    def news(self, user: Caller, rows: Mapping[int, Execution]) -> Iterator[Event]:
        """Yield a status for each that is new, or other than it was."""
        for number in sorted(rows):
            row = rows[number]
            is_known = number in self.told
            if not row.is_open and not is_known and number <= self.after - LATER_SEEN:
                continue
            if not may(user, VIEW_EXECUTION, row):
                continue
            self.after = max(self.after, number)
            data = _info(row, sees_logs=may(user, VIEW_LOGS, row))
            text = json.dumps(data, default=str)
            if text != self.told.get(number):
                self.told[number] = text
                yield Event("status", data, str(self.after))
        last = self.after - LATER_SEEN
        over = [one for one in self.told if one not in rows or (not rows[one].is_open and one <= last)]
        for number in over:
            del self.told[number]


Listener = OneExecution | EveryExecution


def _info(row: Execution, *, sees_logs: bool) -> dict[str, Any]:
    return ExecutionInfo.of(row, with_message=sees_logs, with_result=sees_logs).as_dict()


def newest_id() -> int:
    """Return the highest id of an execution; one statement."""
    return int(_rows().aggregate(most=Max("pk"))["most"] or 0)


def look(listeners: Sequence[Listener]) -> list[list[Event]]:
    """Return for each of *listeners* what is new.

    One statement for the executions that somebody listens to, and one for the log of each; three for those who listen
    to all.
    """
    users = _users({one.user_id for one in listeners})
    single = [one.execution_id for one in listeners if isinstance(one, OneExecution)]
    rows = {row.pk: row for row in _rows().filter(pk__in=single)} if single else {}
    every = [one for one in listeners if isinstance(one, EveryExecution)]
    of_all = _for_all(every) if every else {}
    return [
        list(one.news(users.get(one.user_id), rows if isinstance(one, OneExecution) else of_all)) for one in listeners
    ]


def _for_all(listeners: Sequence[EveryExecution]) -> dict[int, Execution]:
    """Return what any of *listeners* may have to hear of: what is open, what is new, and what was told of before."""
    first = min(one.after for one in listeners) - LATER_SEEN
    known = {number for one in listeners for number in one.told}
    # Two statements: of one with OR, PostgreSQL would go through the history until it has found so many.
    found = {row.pk: row for row in _rows().filter(status__in=OPEN).order_by("-pk")[:MOST_OPEN]}
    found |= {row.pk: row for row in _rows().filter(pk__gt=first).order_by("-pk")[:MOST_OPEN]}
    if left := known - found.keys():
        found |= {row.pk: row for row in _rows().filter(pk__in=left)}
    return found


def _rows() -> QuerySet[Execution]:
    return Execution.objects.using(write_alias()).select_related("task").defer("params", "secret_params", "traceback")


def _users(keys: set[Any]) -> dict[Any, Caller]:
    """Return the users as they are now, with permissions that are not read yet; those that are gone are left out."""
    found: dict[Any, Caller] = {None: AnonymousUser()}
    named = keys - {None}
    if named:
        found |= {user.pk: user for user in get_user_model()._default_manager.filter(pk__in=named)}
    return found
