"""The tasks that a scheduler leaves to others, as a condition in the statements that look for due tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django_scheduled_tasks.db.statements import Each

_NONE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Left:
    """Tasks that this process cannot plan: those of a function, of a kind of schedule, in a time zone, or one alone."""

    function: str = ""
    schedule_kind: str = ""
    timezone: str = ""
    task_id: UUID = _NONE


WHERE_NOT_LEFT = Each(
    "t.function <> %(left_function#)s AND t.schedule_kind <> %(left_kind#)s AND t.timezone <> %(left_zone#)s"
    " AND t.id <> %(left_id#)s",
    between=" AND ",
    before="WHERE ",
)
"""A hole with the condition on the tasks ``t``; nothing if none is left out, as it nearly always is."""
NOT_LEFT = replace(WHERE_NOT_LEFT, before="AND ")
"""The same behind another condition."""


def rows_of(left: Iterable[Left]) -> list[dict[str, Any]]:
    """Return the values for :data:`NOT_LEFT`."""
    return [
        {
            "left_function": one.function,
            "left_kind": one.schedule_kind,
            "left_zone": one.timezone,
            "left_id": one.task_id,
        }
        for one in left
    ]
