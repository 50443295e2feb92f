"""The load of a week, against a slow model that looks at each second."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.planner import TaskPolicy
from django_scheduled_tasks.planner.load import Work, busiest_between, load_of
from django_scheduled_tasks.schedules import cron, every, spread_offset
from tests.selection import examples

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 30)
MIDNIGHT = datetime(2026, 11, 29, 23, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def work(expression: str, seconds: int, *, count: int = 1, number: int = 1, run_count: int = 0, **values) -> Work:
    policy = TaskPolicy(
        **{"task_id": UUID(int=number), "schedule": cron(expression, timezone="Europe/Berlin"), **values}
    )
    return Work(policy=policy, takes=timedelta(seconds=seconds), count=count, run_count=run_count)


def load(*works: Work, processes: int | None = 4, day: date = MONDAY):
    return load_of(works, day, BERLIN, processes=processes)


def test_an_hour_shows_the_most_that_are_busy_at_once():
    found = load(work("0 0 * * 1", 180, count=9), work("30 0 * * *", 60), work("59 3 * * 2", 120))
    assert (found.cells[0][0], found.cells[1][0], found.cells[0][1]) == (9, 1, 0)
    assert (found.cells[1][3], found.cells[1][4]) == (1, 1)
    assert found.most == 9
    assert (found.days[0], found.days[-1]) == (MONDAY, MONDAY + timedelta(days=6))


def test_the_worst_minutes_say_who_meets_for_how_long_and_who_waits():
    found = load(work("0 0 * * 1", 180, count=9), work("0 0 * * *", 20), work("0 6 * * *", 50, count=5))
    first, second = found.worst
    assert (first.at, first.busy, first.due, first.over) == (MIDNIGHT, 10, 10, timedelta(seconds=180))
    assert first.works == (1, 0)
    assert first.waits == ((0, timedelta(seconds=360)),)
    assert (second.at, second.busy, second.times) == (MIDNIGHT + timedelta(hours=6), 5, 7)
    assert second.waits == ((2, timedelta(seconds=50)),)


def test_where_nobody_knows_how_many_processes_there_are_each_meeting_counts_and_nobody_waits():
    (found,) = load(work("0 0 * * *", 10, count=2), processes=None).worst
    assert (found.busy, found.waits) == (2, ())
    assert load(work("0 0 * * *", 10), processes=None).worst == ()
    assert load(work("0 0 * * *", 10, count=4)).worst == ()


def test_what_is_due_often_counts_by_its_rate_hour_by_hour():
    found = load(work("* 8-9 * * *", 60, overlap=Overlap.ALLOW), work("*/2 8 * * *", 240, overlap=Overlap.ALLOW))
    assert [found.cells[0][hour] for hour in (7, 8, 9, 10)] == [0, 3, 1, 0]
    assert not found.runs.single


def test_a_task_that_does_not_overlap_itself_keeps_one_process_busy_however_long_it_takes():
    often = Work(policy=TaskPolicy(task_id=UUID(int=1), schedule=every("1m")), takes=timedelta(hours=1))
    assert load(often).most == 1
    assert load(work("0 * * * *", 9_000)).most == 1
    assert load(work("0 * * * *", 9_000, overlap=Overlap.ALLOW)).most == 3


def test_spread_skips_end_and_runs_that_are_left_count():
    window = timedelta(minutes=10)
    spread = [work("0 0 * * *", 1, number=number, spread=window) for number in range(8)]
    found = load(*spread)
    starts = sorted(int(MIDNIGHT.timestamp()) + spread_offset(UUID(int=n), window).seconds for n in range(8))
    assert [run.start for run in found.runs.single[:8]] == starts
    assert len(load(work("0 0 * * *", 1, max_runs=5, run_count=3)).runs.single) == 2
    assert len(load(work("0 0 * * *", 1, ends_at=MIDNIGHT + timedelta(days=2))).runs.single) == 2
    assert load(work("0 0 * * *", 1, ends_at=MIDNIGHT)).runs.single == []
    ended = work("* * * * *", 60, overlap=Overlap.ALLOW, ends_at=MIDNIGHT + timedelta(hours=5))
    assert [load(ended).cells[0][hour] for hour in (4, 5)] == [1, 0]


@pytest.mark.parametrize(("day", "hour", "expected"), [(date(2027, 3, 22), 2, None), (date(2026, 10, 19), 2, 1)])
def test_an_hour_that_the_clock_skips_is_empty_and_one_that_it_shows_twice_counts_both(day, hour, expected):
    found = load(work("45 * * * 0", 60), day=day)
    assert found.cells[6][hour] == expected
    assert len(found.runs.single) == (23 if expected is None else 25)


def test_beyond_the_runs_that_are_looked_at_a_task_counts_by_its_rate(monkeypatch):
    monkeypatch.setattr("django_scheduled_tasks.planner.load.runs.MOST_RUNS", 1)
    found = load(work("0 0 * * *", 60), work("0 * * * *", 3_600))
    assert len(found.runs.single) == 7
    assert found.cells[0][5] == 1


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 59), st.integers(0, 3), st.integers(1, 5_000), st.integers(1, 5), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 6),
)
def test_it_agrees_with_a_model_that_looks_at_each_second(tasks, processes):
    works = [
        work(f"{minute} {hour} * * 1", seconds, count=count, overlap=Overlap.ALLOW if side else Overlap.SKIP)
        for minute, hour, seconds, count, side in tasks
    ]
    found = load_of(works, MONDAY, BERLIN, processes=processes)
    busy = [0] * (4 * 86_400)
    for minute, hour, seconds, count, _side in tasks:
        for second in range(hour * 3_600 + minute * 60, hour * 3_600 + minute * 60 + seconds):
            busy[second] += count
    for hour in range(6):
        assert found.cells[0][hour] == max(busy[hour * 3_600 : (hour + 1) * 3_600])
    assert sum((one.over for one in found.worst), timedelta(0)) <= timedelta(seconds=sum(n > processes for n in busy))
    assert bool(found.worst) == (max(busy) > processes)
    if found.worst:
        assert found.worst[0].busy == max(busy)
        assert busiest_between(found.levels, found.worst[0].at, found.worst[0].until) == max(busy)
