"""The load of a week as programs read it, the same by REST and by command."""

from __future__ import annotations

from typing import Any

from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.planner.load import Worst
from django_scheduled_tasks.services.queries.load.week import WeekLoad

MOST_TASKS = 100
"""Of one stretch so many tasks are named."""


def load_json(found: WeekLoad) -> dict[str, Any]:
    """Return *found* as JSON."""
    left = found.left_out
    return {
        "queue": found.queue,
        "timezone": found.zone,
        "processes": found.processes,
        "counted": found.counted,
        "unmeasured": found.unmeasured,
        "isEstimated": found.is_estimated,
        "leftOut": {"paused": len(left.paused), "off": len(left.off), "nothingDue": len(left.others)},
        "days": [
            {"date": day.isoformat(), "hours": list(hours)}
            for day, hours in zip(found.load.days, found.load.cells, strict=True)
        ],
        "worst": [_worst_json(found, one) for one in found.load.worst],
    }


def _worst_json(found: WeekLoad, worst: Worst) -> dict[str, Any]:
    waits = {place: int(longest.total_seconds()) for place, longest in worst.waits}
    places = sorted(worst.works, key=lambda place: -waits.get(place, 0))
    tasks = [(pk, name, waits.get(place, 0)) for place in places for pk, name in found.members[place]]
    return {
        "at": iso_milliseconds(worst.at),
        "due": worst.due,
        "busy": worst.busy,
        "forSeconds": int(worst.over.total_seconds()),
        "times": worst.times,
        "tasks": [{"id": str(pk), "name": name, "waitsSeconds": wait} for pk, name, wait in tasks[:MOST_TASKS]],
    }
