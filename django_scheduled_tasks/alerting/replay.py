"""What a rule would have told, had it been there: the state machine over a history that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django_scheduled_tasks.alerting.model import End, Event, Kind, Rule
from django_scheduled_tasks.alerting.sequences import follow
from django_scheduled_tasks.alerting.telling import told_from


@dataclass(frozen=True, slots=True)
class Telling:
    """People would have been told that an alert opened."""

    kind: Kind
    at: datetime
    """When they would have been told: later than it opened, if it opened in quiet hours."""
    count: int
    """How often it had happened when it was over, or by now."""
    execution: int | None
    """The one that it opened with."""


def tellings(kind: Kind, ends: Iterable[End], rule: Rule, now: datetime) -> Iterator[Telling]:
    """Yield what *rule* would have told of one task.

    Args:
        kind: ``failing`` or ``missed``.
        ends: How the executions of the task ended; in any order.
        rule: Which; what its channels are does not matter.
        now: The present instant.
    """
    if kind not in rule.kinds:
        return
    opened_at, execution, count = None, None, 0
    for step in follow(kind, ends, rule.terms):
        count = step.count
        if step.event == Event.OPENED:
            opened_at, execution = step.at, step.latest
        elif step.event == Event.CLOSED and opened_at is not None:
            at = told_from(kind, [rule], opened_at)
            if at == opened_at or at < step.at:
                yield Telling(kind, at, count, execution)
            opened_at = None
    if opened_at is not None and (at := told_from(kind, [rule], opened_at)) <= now:
        yield Telling(kind, at, count, execution)
