"""Alerts that follow from how executions ended, one after the other: ``failing`` and ``missed``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django_scheduled_tasks.alerting.model import End, Event, Kind, Opened, Step, Terms
from django_scheduled_tasks.lifecycle import FAILED_OUTCOMES, Outcome

BAD: dict[Kind, frozenset[Outcome]] = {
    Kind.FAILING: frozenset(FAILED_OUTCOMES),
    Kind.MISSED: frozenset({Outcome.MISSED}),
}
"""Which ends count. A success is what closes; all other ends neither count nor interrupt."""


def follow(
    kind: Kind,
    ends: Iterable[End],
    terms: Terms,
    *,
    opened: Opened | None = None,
    behind: tuple[datetime, int] | None = None,
    since: datetime | None = None,
) -> list[Step]:
    """Return what happens to the alert of a task, from what its executions came to.

    It does not matter in how many parts a history is followed: who goes on from what others have recorded comes to the
    same steps, so that any number of schedulers may do it, and any of them may die.

    Args:
        kind: ``failing`` or ``missed``. A missed occurrence opens at once, and the next success closes it.
        ends: The newest of the task; in any order.
        terms: After how many it opens and closes.
        opened: The alert, if it is open.
        behind: If it is not: the place of the end that closed the last one; what is up to there has been followed.
        since: What opened and was over before, and that nobody has recorded, is left out: nobody wants to hear of it.
    Raises:
        KeyError: The kind is another one.
    """
    bad, limits = BAD[kind], terms if kind == Kind.FAILING else Terms()
    start = opened.latest if opened is not None else behind
    steps: list[Step] = []
    count, successes = (opened.count if opened is not None else 0), 0
    is_open, first = opened is not None, None
    for end in sorted(ends, key=lambda one: one.place):
        if start is not None and end.place <= start:
            continue
        if end.outcome in bad:
            count, successes = count + 1, 0
            first = end.number if count == 1 else first
            if is_open or count >= limits.after:
                event = Event.COUNTED if is_open else Event.OPENED
                steps.append(Step(event, end.at, count, first if event == Event.OPENED else None, end.number))
                is_open = True
        elif end.outcome == Outcome.SUCCEEDED:
            successes += 1
            if not is_open:
                count = 0
            elif successes >= limits.closes_after:
                steps.append(Step(Event.CLOSED, end.at, count, None, end.number))
                steps = _without_old(steps, since)
                is_open, count = False, 0
    return steps


def _without_old(steps: Sequence[Step], since: datetime | None) -> list[Step]:
    """Return *steps* without the last opening and what follows it, if all of that is too old."""
    openings = [place for place, step in enumerate(steps) if step.event == Event.OPENED]
    is_old = bool(openings) and since is not None and steps[-1].at < since
    return list(steps[: openings[-1]] if is_old else steps)
