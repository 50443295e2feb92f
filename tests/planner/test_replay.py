"""Past occurrences that somebody asks for again: only the overlap rule counts."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from django_scheduled_tasks.lifecycle import CatchUp, Overlap, Status
from django_scheduled_tasks.planner import QUEUE_ALL_CAP, DecisionKind, OpenExecution, TaskPolicy, replay
from django_scheduled_tasks.schedules import every
from tests.schedules.help import DAY, HOUR, NOW

START, QUEUE, SKIP = DecisionKind.START, DecisionKind.QUEUE, DecisionKind.SKIP
CANCEL = DecisionKind.CANCEL_THEN_START
RUNNING = OpenExecution(id=81, status=Status.PROCESSING)
THREE = [NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR]


def make_policy(**values: object) -> TaskPolicy:
    return TaskPolicy(**{"task_id": UUID(int=7), "schedule": every("1h"), **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("overlap", "opened", "expected"),
    [
        (Overlap.SKIP, (), [START, SKIP, SKIP]),
        (Overlap.SKIP, (RUNNING,), [SKIP, SKIP, SKIP]),
        (Overlap.QUEUE_ONE, (), [START, SKIP, SKIP]),
        (Overlap.QUEUE_ONE, (RUNNING,), [QUEUE, SKIP, SKIP]),
        (Overlap.QUEUE_ALL, (), [START, QUEUE, QUEUE]),
        (Overlap.QUEUE_ALL, (RUNNING,), [QUEUE, QUEUE, QUEUE]),
        (Overlap.CANCEL_RUNNING, (), [SKIP, SKIP, START]),
        (Overlap.CANCEL_RUNNING, (RUNNING,), [SKIP, SKIP, CANCEL]),
        (Overlap.ALLOW, (RUNNING,), [START, START, START]),
    ],
)
def test_the_overlap_rule_is_the_one_of_the_schedule(overlap, opened, expected):
    decisions = replay(make_policy(overlap=overlap), THREE, opened)
    assert [decision.kind for decision in decisions] == expected
    assert [decision.scheduled_for for decision in decisions] == THREE
    blocker = 81 if opened else None
    assert all(decision.blocked_by == blocker for decision in decisions if decision.kind != START)


@pytest.mark.parametrize(
    "values",
    [
        {"grace": timedelta(0)},
        {"catch_up": CatchUp.NONE},
        {"max_runs": 1},
        {"starts_at": NOW},
        {"ends_at": NOW - 9 * DAY},
        {"enabled": False},
        {"paused": True},
    ],
)
def test_what_would_keep_the_schedule_from_starting_does_not_count(values):
    decisions = replay(make_policy(overlap=Overlap.ALLOW, **values), THREE)
    assert [decision.kind for decision in decisions] == [START, START, START]


def test_nothing_is_spread():
    decisions = replay(make_policy(overlap=Overlap.ALLOW, spread=HOUR), THREE)
    assert {decision.not_before for decision in decisions} == {None}


def test_no_more_wait_than_may():
    instants = [NOW + number * HOUR for number in range(QUEUE_ALL_CAP + 2)]
    decisions = replay(make_policy(overlap=Overlap.QUEUE_ALL), instants)
    kinds = [decision.kind for decision in decisions]
    assert kinds == [START, *[QUEUE] * (QUEUE_ALL_CAP - 1), SKIP, SKIP]


def test_no_instants_no_decisions():
    assert replay(make_policy(), [], (RUNNING,)) == ()
