"""The one forecast, and what a change makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.planner import Side, TaskPolicy, differ, forecast
from django_scheduled_tasks.schedules import parse_schedule

NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
TASK = UUID("01234567-0000-7000-8000-000000000001")


def policy(expression: str = "0 3 * * *", kind: str = "cron", **values) -> TaskPolicy:
    schedule = parse_schedule(kind, expression, timezone="Europe/Berlin", anchor=datetime(2026, 1, 1, tzinfo=UTC))
    return TaskPolicy(task_id=TASK, schedule=schedule, **values)


def days(found, count: int = 5) -> list[int]:
    return [one.scheduled_for.astimezone(BERLIN).day for one in islice(found, count)]


@pytest.mark.parametrize(
    ("values", "run_count", "expected"),
    [
        ({}, 0, [29, 30, 1, 2, 3]),
        ({"starts_at": datetime(2026, 12, 1, tzinfo=UTC)}, 0, [1, 2, 3, 4, 5]),
        ({"ends_at": datetime(2026, 12, 1, tzinfo=UTC)}, 0, [29, 30]),
        ({"max_runs": 5}, 3, [29, 30]),
        ({"max_runs": 5}, 5, []),
        ({"enabled": False}, 0, []),
        ({"paused": True}, 0, []),
        ({"paused": True, "paused_until": datetime(2026, 12, 2, tzinfo=UTC)}, 0, [2, 3, 4, 5, 6]),
    ],
)
def test_it_knows_start_end_runs_pause_and_switch(values, run_count, expected):
    assert days(forecast(policy(**values), now=NOW, run_count=run_count)) == expected


def test_it_knows_spread_and_holds():
    window = timedelta(hours=1)
    held = (datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    found = list(islice(forecast(policy(spread=window), now=NOW, holds=[held]), 3))
    assert {one.at - one.scheduled_for for one in found} == {found[0].at - found[0].scheduled_for}
    assert timedelta(0) <= found[0].at - found[0].scheduled_for < window
    assert [one.held for one in found] == [False, True, False]
    endless = forecast(policy(), now=NOW, holds=[(NOW, None)])
    assert all(one.held for one in islice(endless, 3))


def test_runs_that_a_step_passes_over_count():
    found = forecast(policy("1m", "interval", max_runs=25), now=NOW, step=timedelta(minutes=10))
    assert [one.scheduled_for.minute for one in found] == [11, 20, 30]


def test_lost_new_and_kept_are_told_for_seven_days():
    found = differ(Side(policy=policy("0 3 * * 1-5")), Side(policy=policy("0 3 * * 1-3,6")), now=NOW, zone=BERLIN)
    assert (found.lost, found.new, found.same) == (2, 1, 3)
    assert [(day.day.day, len(day.before), len(day.after)) for day in found.days] == [
        (29, 0, 0), (30, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 0), (4, 1, 0), (5, 0, 1),
    ]  # fmt: skip
    assert found.is_exact
    assert found.is_other
    assert not found.ends


def test_the_same_instants_are_no_difference():
    found = differ(Side(policy=policy("0 3 * * 1-5")), Side(policy=policy("0 3 * * MON-FRI")), now=NOW, zone=BERLIN)
    assert not found.is_other


def test_a_difference_after_these_days_is_one():
    found = differ(Side(policy=policy("0 3 1 6 *")), Side(policy=policy("0 3 2 6 *")), now=NOW, zone=BERLIN)
    assert (found.lost, found.new, found.is_other) == (0, 0, True)


def test_many_are_counted_by_day():
    found = differ(
        Side(policy=policy("5s", "interval")),
        Side(policy=policy("1s", "interval", max_runs=100_000)),
        now=NOW,
        zone=BERLIN,
    )
    assert [(day.count_before, day.count_after) for day in found.days][:3] == [
        (13_559, 67_799), (17_280, 32_201), (17_280, 0),
    ]  # fmt: skip
    assert not found.is_exact
    assert found.is_other


def test_what_never_runs_again_says_so():
    found = differ(Side(policy=policy()), Side(policy=policy(ends_at=NOW)), now=NOW, zone=BERLIN)
    assert found.ends
