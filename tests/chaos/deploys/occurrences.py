"""Compares what a task's schedule says with the rows that its occurrences have."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.chaos.deploys.audit import Entry

SECOND = timedelta(seconds=1)
Planned = Callable[[str, datetime], bool]
_STEP = re.compile(r"\*/(\d)")


def expected_occurrences(task: ScheduledTask, entries: Sequence[Entry]) -> list[datetime]:
    """Return the instants at which *task* was due, from its beginning until it was stopped, or stands still.

    Args:
        task: As it was when it was stopped.
        entries: Its changes, in order.
    """
    found: list[datetime] = []
    instant = entries[0].updated_at.replace(microsecond=0, tzinfo=UTC) + SECOND
    number = 0
    while _is_before_end(instant, task):
        # A change counts for what comes after it.
        while number + 1 < len(entries) and entries[number + 1].updated_at < instant:
            number += 1
        if int(instant.timestamp()) % _step(entries[number].schedule) == 0:
            found.append(instant)
        instant += SECOND
    return found


def _is_before_end(instant: datetime, task: ScheduledTask) -> bool:
    if task.stands_since is not None:
        return instant <= task.stands_since
    return task.next_run_at is not None and instant < task.next_run_at


def _step(schedule: str) -> int:
    found = _STEP.search(schedule)
    return int(found[1]) if found else 1


def judge_occurrences(
    task: ScheduledTask, entries: Sequence[Entry], rows: Sequence[Execution], is_planned: Planned
) -> tuple[int, list[tuple[str, str]]]:
    """Return how many occurrences there were, and what is wrong with their rows.

    Each has exactly one row, or belongs to the stretch of one that stands for several. Each has started, unless the
    task stood still, or no scheduler knew it.

    Args:
        task: As it was when it was stopped.
        entries: Its changes, in order.
        rows: Its executions by schedule.
        is_planned: Tells whether a scheduler that knows a function was there for some time from an instant on.
    """
    expected = expected_occurrences(task, entries)
    return len(expected), list(_problems(task, expected, entries, rows, is_planned))


def _problems(
    task: ScheduledTask,
    expected: list[datetime],
    entries: Sequence[Entry],
    rows: Sequence[Execution],
    is_planned: Planned,
) -> Iterator[tuple[str, str]]:
    covered: dict[datetime, Execution] = {}
    for row in rows:
        place = bisect_left(expected, row.scheduled_for)
        if place == len(expected) or expected[place] != row.scheduled_for:
            yield "doubled", f"{task}: #{row.pk} ({row.outcome}) at {row.scheduled_for}, where nothing was due"
            continue
        for instant in expected[max(place + 1 - row.occurrences, 0) : place + 1]:
            if instant in covered:
                yield "doubled", f"{task} at {instant}: #{covered[instant].pk} and #{row.pk} ({row.error_code})"
            covered[instant] = row
    for instant in expected:
        if instant not in covered:
            yield "lost", f"{task} at {instant} has no row"
        elif (row := covered[instant]).outcome in {"skipped", "missed"} and _should_start(instant, entries, is_planned):
            yield "lost", f"{task} at {instant}: #{row.pk}, {row.outcome}: {row.error_message}"


def _should_start(instant: datetime, entries: Sequence[Entry], is_planned: Planned) -> bool:
    """Whether the task did not stand still at *instant*, and a scheduler was there for it."""
    moments = [entry.updated_at for entry in entries]
    entry = entries[max(bisect_right(moments, instant) - 1, 0)]
    # A pause as broken begins with the first occurrence that nobody could plan.
    was_paused = any(one.paused_at is not None and one.paused_at <= instant <= one.updated_at for one in entries)
    stands_still = not entry.enabled or entry.paused_at is not None or was_paused
    return not stands_still and is_planned(entry.function, instant)
