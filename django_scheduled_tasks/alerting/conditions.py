"""Alerts about what holds at an instant, and since when: all kinds but ``failing`` and ``missed``."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from django_scheduled_tasks.alerting.model import OF_ENDS, Event, Kind

_NONE = timedelta(0)
MARGINS: Mapping[Kind, timedelta] = {
    Kind.LATE: timedelta(minutes=5),
    Kind.TOO_LONG: _NONE,  # what is too long says the task, or its history
    Kind.STALE: _NONE,  # the task says after what time, and by when
    Kind.DEADLINE: _NONE,
    Kind.PAUSED_BY_SYSTEM: _NONE,
    Kind.BROKEN: _NONE,
    Kind.NO_SCHEDULER: timedelta(minutes=2),
    Kind.NO_WORKER: timedelta(minutes=2),  # a restart takes less
    Kind.STUCK: timedelta(minutes=5),
    Kind.HELD_COPY: _NONE,
    Kind.TWO_RELEASES: timedelta(minutes=30),  # a deploy takes less
}
"""For how long it has to be so until it is told."""

LEAST_SAMPLES = 10
"""So many successes have to be known to say what is usual."""
SAMPLES = 50
"""The newest so many count."""
USUAL_PART = 0.95
TIMES_USUAL = 3
MORE_THAN_USUAL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now."""

    kind: Kind
    where: str
    """The id of the task, the name of the queue, or empty."""
    since: datetime

    @property
    def key(self) -> tuple[Kind, str]:
        """What it has in common with the alert about it."""
        return self.kind, self.where


def changes(
    now: datetime,
    conditions: Iterable[Condition],
    *,
    opened: Collection[tuple[Kind, str]],
    examined: Collection[Kind] = frozenset(Kind) - OF_ENDS,
    late_after: Mapping[str, timedelta] = MappingProxyType({}),
    dismissed: Mapping[tuple[Kind, str], datetime] = MappingProxyType({}),
) -> list[tuple[Event, tuple[Kind, str]]]:
    """Return which alerts open and which close.

    Args:
        now: The present instant.
        conditions: All that is wrong, of the kinds that were examined, however short it has been so.
        opened: Kind and place of each open alert; of other kinds as well.
        examined: Of these kinds all is known that is wrong.
        late_after: By task: the margin of ``late``, if it is another one.
        dismissed: When somebody closed the last alert about this. What has been so since then or before opens none.
    """
    found, wrong = [], set()
    for one in conditions:
        margin = late_after.get(one.where) if one.kind == Kind.LATE else None
        if one.kind not in examined or now - one.since < (MARGINS[one.kind] if margin is None else margin):
            continue
        wrong.add(one.key)
        said_over = dismissed.get(one.key)
        if one.key not in opened and (said_over is None or one.since > said_over):
            found.append((Event.OPENED, one.key))
    return found + [(Event.CLOSED, key) for key in opened if key[0] in examined and key not in wrong]


def too_long_after(max_runtime: timedelta | None, durations: Sequence[timedelta]) -> timedelta | None:
    """Return after what time an execution runs for too long; None if that cannot be said.

    Args:
        max_runtime: What the task says.
        durations: How long its newest successes took.
    Returns:
        What the task says; else three times the time within which 19 of 20 end, and at least a minute more than that.
    """
    if max_runtime is not None:
        return max_runtime
    if len(durations) < LEAST_SAMPLES:
        return None
    usual = usual_limit(durations)
    return max(TIMES_USUAL * usual, usual + MORE_THAN_USUAL)


def usual_limit(durations: Sequence[timedelta]) -> timedelta:
    """Return the time within which 19 of 20 end (p95); there has to be one at least."""
    return sorted(durations)[math.ceil(USUAL_PART * len(durations)) - 1]
