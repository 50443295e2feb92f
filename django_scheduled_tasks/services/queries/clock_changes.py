"""The next change of the clock of each zone that tasks are in, and what becomes of each task; reading only."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import InvalidSchedule
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.calendar import calendar_values
from django_scheduled_tasks.schedules import parse_schedule, parse_timezone
from django_scheduled_tasks.schedules.description.clock_changes import LOOK_AHEAD, Effect, effect_of
from django_scheduled_tasks.schedules.wall import Transition, transitions_between
from django_scheduled_tasks.services.visibility import for_viewer

MOST_SCHEDULES = 20_000
"""So many different schedules are looked at."""
MOST_NAMED = 200
"""Of each zone so many tasks are named."""
_READ = (
    *("pk", "name", "schedule_kind", "expression", "timezone", "starts_at", "ends_at", "created_at", "environments"),
    *("calendars", "calendar_stamps"),
)


class Touched(NamedTuple):
    """A task, and what becomes of it."""

    pk: UUID
    name: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """The next change of one zone's clock."""

    zone: str
    change: Transition
    tasks: int
    """How many tasks with a schedule are in the zone."""
    touched: int
    """Of how many of them something becomes."""
    named: Sequence[Touched]
    """Those, by name; at most :data:`MOST_NAMED`."""


def next_changes(now: datetime, *, within: timedelta = LOOK_AHEAD) -> list[ZoneChange]:
    """Return the next change of each zone that tasks are in, the nearest first; one statement.

    Args:
        now: Aware; the present instant.
        within: Later ones are left out.
    """
    rows = for_viewer(ScheduledTask.objects.scheduled()).order_by("name_key").values_list(*_READ)
    changes: dict[str, Transition | None] = {}
    known: dict[Hashable, Effect | None] = {}
    counts: dict[str, int] = {}
    found: dict[str, list[Touched]] = {}
    touched: dict[str, int] = {}
    here = get_settings().ENVIRONMENT
    for pk, name, kind, expression, zone, starts_at, ends_at, created_at, environments, calendars, stamps in rows:
        if zone not in changes:
            changes[zone] = _next_change(zone, now, within)
        change = changes[zone]
        if change is None or (environments and here not in environments):
            continue
        counts[zone] = counts.get(zone, 0) + 1
        if not (starts_at is None or starts_at <= change.at) or not (ends_at is None or ends_at > change.at):
            continue
        key = (kind, expression, zone, None if kind == "cron" else starts_at or created_at, tuple(calendars))
        if key not in known:
            if len(known) >= MOST_SCHEDULES:
                continue
            effect = _effect(kind, expression, zone, starts_at or created_at, change)
            known[key] = None if effect is None or _excludes(calendars, stamps, change) else effect
        effect = known[key]
        if effect is not None:
            touched[zone] = touched.get(zone, 0) + 1
            if touched[zone] <= MOST_NAMED:
                found.setdefault(zone, []).append(Touched(pk, name, effect))
    return sorted(_changes(changes, counts, touched, found), key=lambda one: (one.change.at, one.zone))


def _changes(
    changes: dict[str, Transition | None],
    counts: dict[str, int],
    touched: dict[str, int],
    found: dict[str, list[Touched]],
) -> Iterator[ZoneChange]:
    for zone, change in changes.items():
        if change is not None and counts.get(zone):
            yield ZoneChange(zone, change, counts[zone], touched.get(zone, 0), found.get(zone, []))


def _next_change(zone: str, now: datetime, within: timedelta) -> Transition | None:
    try:
        return next(transitions_between(parse_timezone(zone), now, now + within), None)
    except InvalidSchedule:
        return None


def _effect(kind: str, expression: str, zone: str, anchor: datetime, change: Transition) -> Effect | None:
    try:
        return effect_of(parse_schedule(kind, expression, timezone=zone, anchor=anchor), change)
    except InvalidSchedule:
        return None


def _excludes(names: Sequence[str], stamps: Mapping[str, str] | None, change: Transition) -> bool:
    """Whether nothing runs when the clock changes, as calendars say."""
    try:
        return any(one.exclusion_at(change.at) is not None for one in calendar_values(names, stamps or {}))
    except InvalidSchedule:
        return False
