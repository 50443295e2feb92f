"""The planner and the simulator against a slow, obvious model."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.lifecycle import CatchUp, Outcome, Overlap, Status
from django_scheduled_tasks.planner import Decision, DecisionKind, TaskPolicy, simulate
from django_scheduled_tasks.planner.simulate import _Workers
from django_scheduled_tasks.schedules import Interval, Schedule, at, cron, every, spread_offset
from tests.planner.model import Row, Task, World
from tests.schedules.help import DAY, HOUR, MINUTE, NOW, examples, utc

TASK_ID = UUID(int=7)
START = int(NOW.timestamp())
LENGTH = 900


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def second_of(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, Callable[[int], bool]]:
    """Return a schedule, and another way to say the same."""
    kind = draw(st.sampled_from(["interval", "step", "minutes", "dates", "burst"]))
    if kind == "interval":
        length, shift = draw(st.integers(1, 120)), draw(st.integers(-100, 200))
        schedule = Interval(timedelta(seconds=length), instant(START + shift))
        return schedule, lambda second: second >= START + shift and (second - START - shift) % length == 0
    if kind == "step":
        step = draw(st.sampled_from([1, 2, 7, 13, 20, 45]))
        return cron(f"*/{step} * * * * *"), lambda second: second % 60 % step == 0
    if kind == "minutes":
        step = draw(st.sampled_from([1, 2, 3, 7]))
        return cron(f"*/{step} * * * *"), lambda second: second % 60 == 0 and second // 60 % 60 % step == 0
    if kind == "burst":
        return cron("0-19 */3 * * * *"), lambda second: second % 60 < 20 and second // 60 % 60 % 3 == 0
    chosen = draw(st.sets(st.integers(-50, LENGTH), min_size=1, max_size=12))
    return at(*(instant(START + second) for second in chosen)), lambda second: second - START in chosen


def maybe(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | strategy


seconds_within = st.integers(-50, LENGTH + 50)


@examples(400)
@given(
    schedule=schedules(),
    overlap=st.sampled_from(Overlap),
    catch_up=st.sampled_from(CatchUp),
    grace=maybe(st.integers(0, 300)),
    max_runs=maybe(st.integers(1, 12)),
    starts=maybe(seconds_within),
    ends=maybe(seconds_within),
    paused=maybe(seconds_within),
    window=maybe(st.integers(1, 200)),
    downs=st.lists(st.tuples(st.integers(0, LENGTH), st.integers(1, 500)), max_size=3),
    duration=st.sampled_from(["none", "short", "long", "mixed"]),
)
def test_the_ledger_is_the_one_of_the_model(
    schedule, overlap, catch_up, grace, max_runs, starts, ends, paused, window, downs, duration
):
    value, is_due = schedule

    def lasts(second: int) -> int:
        if duration == "mixed":
            return random.Random(second).choice([0, 1, 30, 200])
        return {"none": 0, "short": 3, "long": 100}[duration]

    def start_of(second: int, following: int | None) -> int:
        room = window if following is None else min(window, following - second)
        return second + int(spread_offset(TASK_ID, timedelta(seconds=room)).total_seconds())

    task = Task(
        is_due=is_due,
        overlap=overlap.value,
        catch_up=catch_up.value,
        grace=grace,
        max_runs=max_runs,
        starts_at=None if starts is None else START + starts,
        ends_at=None if ends is None else START + ends,
        paused_until=None if paused is None or paused <= 0 else START + paused,
        spread=start_of if window else None,
    )
    world = World(
        task,
        duration=lasts,
        is_down=lambda second: any(START + low <= second < START + low + length for low, length in downs),
        horizon=START + LENGTH + 4_000,
    )
    expected = world.run(START, START + LENGTH)
    policy = TaskPolicy(
        task_id=TASK_ID,
        schedule=value,
        overlap=overlap,
        catch_up=catch_up,
        grace=None if grace is None else timedelta(seconds=grace),
        spread=timedelta(seconds=window) if window else None,
        max_runs=max_runs,
        starts_at=None if starts is None else instant(START + starts),
        ends_at=None if ends is None else instant(START + ends),
        paused=paused is not None,
        paused_until=None if paused is None else instant(START + paused),
    )
    ledger = simulate(
        policy,
        NOW,
        instant(START + LENGTH),
        downtime=[(instant(START + low), instant(START + low + length)) for low, length in downs],
        durations=lambda moment: timedelta(seconds=lasts(second_of(moment) or 0)),
    )
    assert [
        Row(
            what=entry.kind.value,
            scheduled_for=second_of(entry.scheduled_for) or 0,
            decided_at=second_of(entry.decided_at) or 0,
            not_before=second_of(entry.not_before),
            count=entry.count,
            blocked_by=entry.blocked_by,
            started_at=second_of(entry.started_at),
            ended_at=second_of(entry.ended_at),
            outcome=str(entry.outcome),
        )
        for entry in ledger.entries
    ] == expected
    assert ledger.run_count == world.runs
    assert not ledger.truncated


# --- stories ------------------------------------------------------------------------------------------------------


def policy(**values: object) -> TaskPolicy:
    return TaskPolicy(**{"task_id": TASK_ID, "schedule": every("1h"), **values})  # type: ignore[arg-type]


def test_a_night_of_downtime():
    ledger = simulate(policy(), NOW, NOW + 12 * HOUR, downtime=[(NOW + 90 * MINUTE, NOW + 9 * HOUR + MINUTE)])
    assert ledger.counts() == {"succeeded": 5, "missed": 7}
    assert [entry.kind for entry in ledger.entries[:3]] == [DecisionKind.START, DecisionKind.START, DecisionKind.MISS]
    late = ledger.entries[9]
    assert (late.scheduled_for, late.decided_at) == (NOW + 9 * HOUR, NOW + 9 * HOUR + MINUTE)
    assert late.outcome == Outcome.SUCCEEDED
    assert ledger.next_run_at == NOW + 12 * HOUR


def test_a_downtime_begins_and_ends_within_a_second():
    half = timedelta(milliseconds=500)
    before, during = simulate(policy(), NOW, NOW + 2 * HOUR, downtime=[(NOW + half, NOW + HOUR + half)]).entries
    assert (before.scheduled_for, before.decided_at) == (NOW, NOW)
    assert (during.scheduled_for, during.decided_at) == (NOW + HOUR, NOW + HOUR + half)


def test_the_instants_of_a_downtime_need_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        simulate(policy(), NOW, NOW + HOUR, downtime=[(NOW.replace(tzinfo=None), NOW)])


def test_downtimes_that_touch_are_one():
    gaps = [(NOW + HOUR, NOW + 2 * HOUR), (NOW, NOW + HOUR)]
    (entry, *_others) = simulate(policy(), NOW, NOW + 3 * HOUR, downtime=gaps).entries
    assert entry.decided_at == NOW + 2 * HOUR


def test_what_is_spread_waits_for_its_instant():
    workers = _Workers(one_at_a_time=True, durations=MINUTE)
    workers.take([Decision(kind=DecisionKind.START, scheduled_for=NOW, not_before=NOW + HOUR)], NOW)
    workers.advance(NOW + MINUTE)
    assert [one.status for one in workers.open_executions()] == [Status.PENDING]
    workers.advance(NOW + HOUR)
    assert [one.status for one in workers.open_executions()] == [Status.PROCESSING]
    workers.advance(None)
    assert workers.entries[0].ended_at == NOW + HOUR + MINUTE


def test_a_run_that_takes_too_long_blocks_and_is_named():
    ledger = simulate(policy(), NOW, NOW + 4 * HOUR, durations=90 * MINUTE)
    assert [entry.outcome for entry in ledger.entries] == [
        *(Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.SUCCEEDED, Outcome.SKIPPED)
    ]
    assert [entry.blocked_by for entry in ledger.entries] == [None, 1, None, 3]


def test_it_stops_at_its_limit_and_says_so():
    ledger = simulate(policy(schedule=every("1s")), NOW, NOW + DAY, limit=10)
    assert len(ledger.entries) == 10
    assert ledger.truncated
    assert simulate(policy(), NOW, NOW, limit=10).entries == ()


@pytest.mark.parametrize(("expression", "runs"), [("30 2 * * *", 31), ("*/30 2 * * *", 61), ("30 * * * *", 743)])
def test_a_month_with_a_gap(expression, runs):
    berlin = policy(schedule=cron(expression, timezone="Europe/Berlin"))
    ledger = simulate(berlin, utc(2027, 2, 28, 23), utc(2027, 3, 31, 22))
    assert ledger.counts() == {"succeeded": runs}
