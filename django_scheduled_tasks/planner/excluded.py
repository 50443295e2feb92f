"""What calendars have left out or moved, as decisions about what is due, and as what is shown ahead."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise

from django_scheduled_tasks.planner import reasons
from django_scheduled_tasks.planner.late import Due
from django_scheduled_tasks.planner.model import STARTS, Decision, DecisionKind, TaskPolicy
from django_scheduled_tasks.schedules.calendars import SKIP, Excluded, WithCalendars, landed_at, last_left_out, left_out
from django_scheduled_tasks.schedules.calendars.stretches import MOST_NAMED

SECOND = timedelta(seconds=1)


def with_left_out(
    policy: TaskPolicy, due: Due, first: datetime, decisions: Sequence[Decision], *, is_done: bool
) -> list[Decision]:
    """Return *decisions*, with what calendars have left out before them, and what they have moved to them.

    Args:
        policy: The task's.
        due: What is due.
        first: The first of it.
        decisions: About that.
        is_done: Whether the task has started as often as it may: what comes after the last of them is none of it.
    """
    found = left_out_before(policy, due, first)
    if is_done:
        last = max((one.scheduled_for for one in decisions), default=None)
        found = [one for one in found if last is not None and one.scheduled_for < last]
    return found + with_moves(policy, decisions)


def left_out_before(policy: TaskPolicy, due: Due, first: datetime) -> list[Decision]:
    """Return what calendars have left out before each of the occurrences in *due*, since the last one handled.

    Args:
        policy: The task's.
        due: What is due; those that were counted only share one decision with what lies between them.
        first: The first of it.
    """
    schedule = policy.schedule
    if not isinstance(schedule, WithCalendars) or not due.newest:
        return []
    since = _since(policy)
    found: list[Decision] = []
    if due.earlier:
        before = schedule.previous_before(first)
        low = max((one for one in (since, before) if one is not None), default=first - SECOND)
        found += _in_between(schedule, low, due)
    else:
        found += _left_out(schedule, since, due.newest[0])
    for before, after in pairwise(due.newest):
        found += _left_out(schedule, before, after)
    return found


def left_out_until(policy: TaskPolicy, before: datetime) -> Decision | None:
    """Return the decision about what calendars have left out before an instant, since the last occurrence."""
    schedule = policy.schedule
    if not isinstance(schedule, WithCalendars):
        return None
    return next(iter(_left_out(schedule, _since(policy), before)), None)


def _since(policy: TaskPolicy) -> datetime | None:
    """Return until when what was left out has its row; None: as far back as an unbroken stretch reaches."""
    if policy.starts_at is None:
        return policy.calendars_since
    start = policy.starts_at - SECOND
    return start if policy.calendars_since is None else max(policy.calendars_since, start)


def _left_out(schedule: WithCalendars, after: datetime | None, before: datetime) -> list[Decision]:
    found = left_out(schedule, after, before)
    if found is None:
        return []
    reason = reasons.left_out(found.exclusions, more=len(found.exclusions) == MOST_NAMED < found.count)
    return [Decision(kind=DecisionKind.EXCLUDE, scheduled_for=found.last, count=found.count, reason=reason)]


def _in_between(schedule: WithCalendars, since: datetime, due: Due) -> list[Decision]:
    """Return the one decision about all that was left out before the newest ones: they were not visited either."""
    end = due.newest[0]
    last = left_out(schedule, since, end)
    if schedule.on_excluded == SKIP:
        count = schedule.schedule.count(since, end - SECOND) - schedule.count(since, end - SECOND)
        if count > 0 and (found := last_left_out(schedule, since, end)) is not None:
            last = dataclasses.replace(found, count=count)
    if last is None:
        return []
    reason = reasons.left_out(last.exclusions, more=True)
    return [Decision(kind=DecisionKind.EXCLUDE, scheduled_for=last.last, count=last.count, reason=reason)]


def with_moves(policy: TaskPolicy, decisions: Sequence[Decision]) -> list[Decision]:
    """Let those of *decisions* that start something say what calendars have moved there."""
    schedule = policy.schedule
    if not isinstance(schedule, WithCalendars) or schedule.on_excluded == SKIP:
        return list(decisions)
    return [_with_move(schedule, one) if one.kind in STARTS else one for one in decisions]


def _with_move(schedule: WithCalendars, decision: Decision) -> Decision:
    landed = landed_at(schedule, decision.scheduled_for)
    return decision if landed is None else dataclasses.replace(decision, moved=reasons.moved(landed, schedule.zone))


def excluded_ahead(policy: TaskPolicy, *, after: datetime, until: datetime, most: int) -> list[Excluded]:
    """Return the excluded occurrences later than *after* and not later than *until*, with what becomes of each.

    Args:
        policy: The task's.
        after: Aware.
        until: Aware.
        most: How many at most.
    """
    return list(islice(_excluded(policy, after, until), most))


def _excluded(policy: TaskPolicy, after: datetime, until: datetime) -> Iterator[Excluded]:
    if not isinstance(policy.schedule, WithCalendars):
        return
    low = after if policy.starts_at is None else max(after, policy.starts_at - SECOND)
    high = until if policy.ends_at is None else min(until, policy.ends_at - SECOND)
    yield from policy.schedule.excluded_between(low, high)
