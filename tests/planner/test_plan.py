"""The rules of the planner, case by case."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import pytest

from django_scheduled_tasks.lifecycle import CatchUp, Overlap, Status
from django_scheduled_tasks.planner import (
    Decision,
    DecisionKind,
    OpenExecution,
    TaskPolicy,
    TaskState,
    first_run_at,
    plan,
)
from django_scheduled_tasks.schedules import Manual, at, cron, every, spread_offset
from tests.schedules.help import DAY, HOUR, MINUTE, NOW, utc

SECOND, INSTANT = timedelta(seconds=1), timedelta(microseconds=1)
TASK_ID = UUID(int=7)
START, QUEUE, SKIP = DecisionKind.START, DecisionKind.QUEUE, DecisionKind.SKIP
MISS, SUMMARY, CANCEL = DecisionKind.MISS, DecisionKind.MISS_SUMMARY, DecisionKind.CANCEL_THEN_START
NOT_FOUND = "No scheduler found it within %s; this task does not start late occurrences."
RUNNING, WAITING = OpenExecution(id=81, status=Status.PROCESSING), OpenExecution(id=82, status=Status.PENDING)


def make_policy(**values: object) -> TaskPolicy:
    return TaskPolicy(**{"task_id": TASK_ID, "schedule": every("1h"), **values})  # type: ignore[arg-type]


def decide(policy: TaskPolicy, due: int = 1, opened: tuple[OpenExecution, ...] = (), run_count: int = 0, late=SECOND):
    """Plan where *due* hourly occurrences are due, the newest of them *late* ago."""
    state = TaskState(next_run_at=NOW - (due - 1) * HOUR, run_count=run_count, open=opened)
    return plan(policy, state, now=NOW + late)


def kinds(planned) -> list[DecisionKind]:
    return [decision.kind for decision in planned.decisions]


# --- what is due --------------------------------------------------------------------------------------------------


def test_one_occurrence_starts_and_the_next_is_known():
    planned = decide(make_policy())
    assert planned.decisions == (Decision(kind=START, scheduled_for=NOW),)
    assert (planned.next_run_at, planned.run_count) == (NOW + HOUR, 1)


def test_nothing_is_due_before_its_time():
    state = TaskState(next_run_at=NOW, run_count=3)
    planned = plan(make_policy(), state, now=NOW - INSTANT)
    assert (planned.decisions, planned.next_run_at, planned.run_count) == ((), NOW, 3)
    assert kinds(plan(make_policy(), state, now=NOW)) == [START]


@pytest.mark.parametrize(
    "values",
    [{"enabled": False}, {"paused": True}, {"ends_at": NOW}, {"max_runs": 3}, {"schedule": Manual()}],
)
def test_nothing_is_due_for_a_task_that_is_off_or_done(values):
    next_run_at = None if "schedule" in values else NOW
    planned = plan(make_policy(**values), TaskState(next_run_at=next_run_at, run_count=3), now=NOW + DAY)
    assert (planned.decisions, planned.next_run_at, planned.run_count) == ((), None, 3)


def test_a_pause_that_ends_by_itself():
    policy = make_policy(paused=True, paused_until=NOW + 3 * HOUR)
    during = plan(policy, TaskState(next_run_at=NOW), now=NOW + HOUR)
    assert (during.decisions, during.next_run_at) == ((), NOW + 3 * HOUR)
    after = plan(policy, TaskState(next_run_at=NOW), now=NOW + 4 * HOUR)
    assert [decision.scheduled_for for decision in after.decisions] == [NOW + 3 * HOUR, NOW + 4 * HOUR]
    assert plan(policy, TaskState(next_run_at=None), now=NOW + 4 * HOUR).decisions == ()


def test_the_end_is_exclusive_and_no_next_one_lies_behind_it():
    planned = decide(make_policy(ends_at=NOW + SECOND, catch_up=CatchUp.ALL), due=3, late=DAY)
    assert [decision.scheduled_for for decision in planned.decisions] == [NOW - 2 * HOUR, NOW - HOUR, NOW]
    assert planned.next_run_at is None
    planned = decide(make_policy(ends_at=NOW, catch_up=CatchUp.ALL), due=3)
    assert [decision.scheduled_for for decision in planned.decisions] == [NOW - 2 * HOUR, NOW - HOUR]


def test_what_was_due_when_it_was_planned_stays_due_whatever_the_schedule_says_now():
    odd = NOW - 17 * MINUTE
    planned = plan(make_policy(), TaskState(next_run_at=odd), now=NOW - MINUTE)
    assert planned.decisions == (Decision(kind=START, scheduled_for=odd),)
    assert planned.next_run_at == NOW


def test_it_is_deterministic():
    policy = make_policy(catch_up=CatchUp.ALL, overlap=Overlap.QUEUE_ALL, spread=HOUR)
    assert decide(policy, due=9) == decide(policy, due=9)


# --- catch-up and grace -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "late", "expected"),
    [
        (CatchUp.LATEST, SECOND, [MISS, MISS, START]),
        (CatchUp.LATEST, 59 * MINUTE, [MISS, MISS, START]),
        (CatchUp.ALL, SECOND, [START, START, START]),
        (CatchUp.NONE, 10 * SECOND, [MISS, MISS, START]),
        (CatchUp.NONE, 11 * SECOND, [MISS, MISS, MISS]),
    ],
)
def test_catching_up(catch_up, late, expected):
    planned = decide(make_policy(catch_up=catch_up, overlap=Overlap.ALLOW), due=3, late=late)
    assert kinds(planned) == expected
    assert [decision.scheduled_for for decision in planned.decisions] == [NOW - 2 * HOUR, NOW - HOUR, NOW]
    assert planned.run_count == expected.count(START)
    assert planned.next_run_at == NOW + HOUR


@pytest.mark.parametrize(
    ("catch_up", "grace", "expected"),
    [
        (CatchUp.LATEST, MINUTE, [MISS, MISS, START]),
        (CatchUp.LATEST, MINUTE - SECOND, [MISS, MISS, MISS]),
        (CatchUp.LATEST, timedelta(0), [MISS, MISS, MISS]),
        (CatchUp.ALL, HOUR + MINUTE, [MISS, START, START]),
        (CatchUp.ALL, HOUR, [MISS, MISS, START]),
        (CatchUp.NONE, HOUR, [MISS, MISS, MISS]),
    ],
)
def test_what_is_older_than_the_grace_is_missed(catch_up, grace, expected):
    policy = make_policy(catch_up=catch_up, grace=grace, overlap=Overlap.ALLOW)
    planned = decide(policy, due=3, late=MINUTE)
    assert kinds(planned) == expected
    assert all(decision.reason for decision in planned.decisions if decision.kind == MISS)


@pytest.mark.parametrize(
    ("values", "late", "reason"),
    [
        ({"grace": SECOND}, timedelta(seconds=1.02), "It was found 1.1s after it was due, and its grace is 1s."),
        ({"grace": MINUTE}, timedelta(seconds=60.1), "It was found 61s after it was due, and its grace is 1m."),
        ({"catch_up": CatchUp.NONE}, 11 * SECOND, NOT_FOUND % "10s"),
        ({"catch_up": CatchUp.NONE, "on_time": 2 * SECOND}, 3 * SECOND, NOT_FOUND % "2s"),
        (
            {"catch_up": CatchUp.NONE, "grace": SECOND},
            3 * SECOND,
            "It was found 3s after it was due, and its grace is 1s.",
        ),
    ],
)
def test_a_missed_one_says_what_kept_it_and_nothing_about_schedulers_that_ran(values, late, reason):
    (decision,) = decide(make_policy(**values), late=late).decisions
    assert (decision.kind, decision.reason) == (MISS, reason)


def test_those_that_catching_up_leaves_say_so():
    planned = decide(make_policy(), due=2)
    assert planned.decisions[0].reason == "A later occurrence was due by then; of several only the newest is started."
    planned = decide(make_policy(catch_up=CatchUp.ALL), due=101)
    assert planned.decisions[0].reason == ("Of the occurrences that were due by then only the newest 100 are started.")
    planned = decide(make_policy(catch_up=CatchUp.ALL, grace=HOUR), due=300)
    assert planned.decisions[0].reason == "It was found 4d5h1s after it was due, and its grace is 1h."


@pytest.mark.parametrize(("late", "expected"), [(2 * SECOND, START), (2 * SECOND + INSTANT, MISS)])
def test_how_late_is_still_on_time_is_a_setting(late, expected):
    planned = decide(make_policy(catch_up=CatchUp.NONE, on_time=2 * SECOND), late=late)
    assert kinds(planned) == [expected]


def test_a_single_date_is_never_too_late_unless_a_grace_says_so():
    policy = make_policy(schedule=at(NOW))
    assert kinds(plan(policy, TaskState(next_run_at=NOW), now=NOW + 900 * DAY)) == [START]
    policy = make_policy(schedule=at(NOW), grace=HOUR)
    planned = plan(policy, TaskState(next_run_at=NOW), now=NOW + 900 * DAY)
    assert (kinds(planned), planned.next_run_at) == ([MISS], None)


def test_a_hundred_missed_ones_have_rows_and_the_earlier_ones_share_one():
    assert kinds(decide(make_policy(), due=101)) == [MISS] * 100 + [START]
    planned = decide(make_policy(), due=150)
    assert kinds(planned) == [SUMMARY] + [MISS] * 100 + [START]
    summary = planned.decisions[0]
    assert (summary.count, summary.scheduled_for) == (49, NOW - 101 * HOUR)
    assert sum(decision.count for decision in planned.decisions) == 150


@pytest.mark.parametrize("due", [99, 100, 101, 199, 200, 201, 250, 1_000])
def test_all_starts_the_hundred_newest_oldest_first(due):
    policy = make_policy(catch_up=CatchUp.ALL, overlap=Overlap.ALLOW)
    planned = decide(policy, due=due)
    starts = [decision.scheduled_for for decision in planned.decisions if decision.kind == START]
    assert starts == [NOW - number * HOUR for number in range(min(due, 100) - 1, -1, -1)]
    assert sum(decision.count for decision in planned.decisions) == due
    assert planned.run_count == len(starts)


@pytest.mark.parametrize(
    "schedule", [every("1s"), cron("* * * * * *"), cron("* * * * * *", timezone="Europe/Berlin"), cron("* 0-22 * * *")]
)
def test_a_year_of_downtime_is_planned_quickly_and_counted_right(schedule):
    start = utc(2025, 11, 24)
    state = TaskState(next_run_at=schedule.next_after(start))
    started = time.process_time()
    planned = plan(make_policy(schedule=schedule), state, now=start + 365 * DAY)
    assert time.process_time() - started < 1
    total = sum(decision.count for decision in planned.decisions)
    assert total == 365 * 86_400 if schedule.expression != "* 0-22 * * *" else 365 * 23 * 60
    assert len({decision.scheduled_for for decision in planned.decisions}) == 102


# --- overlap ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "opened", "kind", "blocked_by"),
    [
        (Overlap.SKIP, (), START, None),
        (Overlap.SKIP, (RUNNING,), SKIP, 81),
        (Overlap.SKIP, (WAITING,), SKIP, 82),
        (Overlap.QUEUE_ONE, (), START, None),
        (Overlap.QUEUE_ONE, (RUNNING,), QUEUE, 81),
        (Overlap.QUEUE_ONE, (WAITING,), SKIP, 82),
        (Overlap.QUEUE_ONE, (RUNNING, WAITING), SKIP, 81),
        # Two may run at once if one was started with overlap=allow: none of them waits.
        (Overlap.QUEUE_ONE, (RUNNING, RUNNING), QUEUE, 81),
        (Overlap.QUEUE_ONE, (RUNNING, RUNNING, WAITING), SKIP, 81),
        (Overlap.QUEUE_ALL, (), START, None),
        (Overlap.QUEUE_ALL, (RUNNING,), QUEUE, 81),
        (Overlap.QUEUE_ALL, (RUNNING, *[WAITING] * 999), QUEUE, 81),
        (Overlap.QUEUE_ALL, (RUNNING, *[WAITING] * 1_000), SKIP, 81),
        (Overlap.QUEUE_ALL, (*[RUNNING] * 1_001, *[WAITING] * 999), QUEUE, 81),
        (Overlap.QUEUE_ALL, (*[WAITING] * 1_000,), SKIP, 82),
        (Overlap.CANCEL_RUNNING, (), START, None),
        (Overlap.CANCEL_RUNNING, (RUNNING,), CANCEL, 81),
        (Overlap.CANCEL_RUNNING, (RUNNING, WAITING), CANCEL, 81),
        (Overlap.ALLOW, (), START, None),
        (Overlap.ALLOW, (RUNNING, WAITING), START, None),
    ],
)
def test_overlap(overlap, opened, kind, blocked_by):
    planned = decide(make_policy(overlap=overlap), opened=opened)
    (decision,) = planned.decisions
    assert (decision.kind, decision.blocked_by) == (kind, blocked_by)
    assert planned.run_count == (0 if kind == SKIP else 1)
    assert bool(decision.reason) == (kind != START)
    assert planned.next_run_at == NOW + HOUR


def test_the_reason_says_what_the_blocker_was_doing():
    texts = [decide(make_policy(), opened=(one,)).decisions[0].reason for one in (RUNNING, WAITING)]
    assert texts == ["Execution #81 was still running.", "Execution #82 was waiting to start."]


@pytest.mark.parametrize(
    ("overlap", "opened", "expected"),
    [
        (Overlap.SKIP, (), [START, QUEUE, QUEUE, QUEUE]),
        (Overlap.SKIP, (RUNNING,), [SKIP, SKIP, SKIP, SKIP]),
        (Overlap.QUEUE_ONE, (), [START, QUEUE, QUEUE, QUEUE]),
        (Overlap.QUEUE_ONE, (RUNNING,), [QUEUE, QUEUE, QUEUE, QUEUE]),
        (Overlap.QUEUE_ONE, (RUNNING, WAITING), [SKIP, SKIP, SKIP, SKIP]),
        (Overlap.QUEUE_ALL, (), [START, QUEUE, QUEUE, QUEUE]),
        (Overlap.QUEUE_ALL, (*[WAITING] * 998,), [QUEUE, QUEUE, SKIP, SKIP]),
        (Overlap.CANCEL_RUNNING, (), [SKIP, SKIP, SKIP, START]),
        (Overlap.CANCEL_RUNNING, (RUNNING,), [SKIP, SKIP, SKIP, CANCEL]),
        (Overlap.ALLOW, (RUNNING,), [START, START, START, START]),
    ],
)
def test_all_means_all(overlap, opened, expected):
    planned = decide(make_policy(overlap=overlap, catch_up=CatchUp.ALL), due=4, opened=opened)
    assert kinds(planned) == expected
    assert planned.run_count == 4 - expected.count(SKIP)
    if not opened:
        assert {decision.blocked_by for decision in planned.decisions} == {None}


@pytest.mark.parametrize(
    ("overlap", "opened", "expected"),
    [
        (Overlap.SKIP, (), [START, SKIP, SKIP]),
        (Overlap.SKIP, (RUNNING,), [SKIP, SKIP, SKIP]),
        (Overlap.QUEUE_ONE, (), [START, SKIP, SKIP]),
        (Overlap.QUEUE_ONE, (RUNNING,), [QUEUE, SKIP, SKIP]),
        (Overlap.QUEUE_ALL, (), [START, QUEUE, QUEUE]),
        (Overlap.CANCEL_RUNNING, (), [SKIP, SKIP, START]),
        (Overlap.CANCEL_RUNNING, (RUNNING,), [SKIP, SKIP, CANCEL]),
        (Overlap.ALLOW, (RUNNING,), [START, START, START]),
    ],
)
def test_without_catching_up_what_a_plan_starts_is_open_for_what_follows(overlap, opened, expected):
    policy = make_policy(schedule=every("1s"), overlap=overlap, catch_up=CatchUp.NONE)
    state = TaskState(next_run_at=NOW - 2 * SECOND, open=opened)
    planned = plan(policy, state, now=NOW)
    assert kinds(planned) == expected
    assert planned.run_count == 3 - expected.count(SKIP)


def test_a_concurrency_group_changes_no_decision():
    alone, grouped = make_policy(), make_policy(concurrency_group="reports")
    assert decide(alone, due=3, opened=(RUNNING,)) == decide(grouped, due=3, opened=(RUNNING,))


# --- max_runs -----------------------------------------------------------------------------------------------------


def test_the_last_run_ends_the_schedule():
    planned = decide(make_policy(max_runs=5), run_count=4)
    assert (kinds(planned), planned.next_run_at, planned.run_count) == ([START], None, 5)


def test_a_skipped_or_missed_one_does_not_use_up_a_run():
    planned = decide(make_policy(max_runs=5), due=3, opened=(RUNNING,), run_count=4)
    assert (kinds(planned), planned.next_run_at, planned.run_count) == ([MISS, MISS, SKIP], NOW + HOUR, 4)


def test_what_would_be_due_after_the_last_run_is_not():
    policy = make_policy(max_runs=2, catch_up=CatchUp.ALL, overlap=Overlap.QUEUE_ALL)
    planned = decide(policy, due=5)
    assert [decision.scheduled_for for decision in planned.decisions] == [NOW - 4 * HOUR, NOW - 3 * HOUR]
    assert planned.next_run_at is None


# --- spread -------------------------------------------------------------------------------------------------------


def test_spread_moves_the_start_and_not_the_instant():
    offset = spread_offset(TASK_ID, 30 * MINUTE)
    assert timedelta(0) < offset < 30 * MINUTE
    planned = decide(make_policy(spread=30 * MINUTE, catch_up=CatchUp.ALL, overlap=Overlap.ALLOW), due=3)
    for decision in planned.decisions:
        assert decision.not_before == decision.scheduled_for + offset
    assert decide(make_policy(spread=timedelta(0))).decisions[0].not_before is None


def test_spread_ends_before_the_next_one_is_due():
    (decision,) = decide(make_policy(spread=9 * DAY)).decisions
    assert NOW <= decision.not_before < NOW + HOUR
    (decision,) = plan(make_policy(schedule=at(NOW), spread=9 * DAY), TaskState(next_run_at=NOW), now=NOW).decisions
    assert decision.not_before == NOW + spread_offset(TASK_ID, 9 * DAY)


def test_what_does_not_start_has_no_start():
    planned = decide(make_policy(spread=HOUR), due=2, opened=(RUNNING,))
    assert [decision.not_before for decision in planned.decisions] == [None, None]


# --- first_run_at -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, NOW + HOUR),
        ({"schedule": at(NOW)}, None),
        ({"schedule": at(NOW + SECOND)}, NOW + SECOND),
        ({"schedule": Manual()}, None),
        ({"starts_at": NOW + 5 * HOUR}, NOW + 5 * HOUR),
        ({"starts_at": NOW + 5 * HOUR + 999 * INSTANT}, NOW + 5 * HOUR),
        ({"starts_at": NOW - DAY}, NOW + HOUR),
        ({"ends_at": NOW + HOUR}, None),
        ({"ends_at": NOW + HOUR + SECOND}, NOW + HOUR),
        ({"enabled": False}, None),
        ({"paused": True}, None),
        ({"paused": True, "paused_until": NOW + 5 * HOUR}, NOW + 5 * HOUR),
        ({"paused": True, "paused_until": NOW - 5 * HOUR}, NOW + HOUR),
        ({"paused": True, "paused_until": NOW + 2 * HOUR, "starts_at": NOW + 5 * HOUR}, NOW + 5 * HOUR),
        ({"paused": True, "paused_until": NOW + 5 * HOUR, "ends_at": NOW + 5 * HOUR}, None),
        ({"max_runs": 3}, None),
        ({"max_runs": 4}, NOW + HOUR),
    ],
)
def test_a_task_counts_from_now(values, expected):
    assert first_run_at(make_policy(**values), now=NOW, run_count=3) == expected


def test_switching_on_an_old_task_starts_nothing_at_once():
    policy = make_policy(schedule=cron("0 3 * * *"), starts_at=NOW - 900 * DAY)
    following = first_run_at(policy, now=NOW)
    assert following == utc(2026, 11, 25, 3)
    assert plan(policy, TaskState(next_run_at=following), now=NOW).decisions == ()
