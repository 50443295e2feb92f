"""The planner under calendars: with skips by hand, holds, ends and clocks that become others."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.lifecycle import CatchUp, Overlap
from django_scheduled_tasks.planner import DecisionKind, Skip, TaskPolicy, TaskState, forecast, plan, simulate
from django_scheduled_tasks.schedules import cron, parse_schedule
from django_scheduled_tasks.schedules.calendars import ON_EXCLUDED, WithCalendars, read_calendar
from tests import selection
from tests.schedules.calendars.model import MARGIN, due
from tests.schedules.calendars.test_excluding import KINDS, ZONES, drawn

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
ROUNDS = 250 if selection.IS_NIGHTLY else 6
WEEKEND = read_calendar("de", "Europe/Berlin", {"weekdays": ["mon", "tue", "wed", "thu", "fri"]})


def policy_of(schedule, **values):
    return TaskPolicy(task_id=UUID(int=1), schedule=schedule, overlap=Overlap.ALLOW, **values)


def nine(day):
    return datetime(2026, 12, day, 9, tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.timeout(3_600 if selection.IS_NIGHTLY else 120)
@pytest.mark.parametrize("how", ON_EXCLUDED)
def test_skips_and_holds_under_calendars_are_the_models(how):
    chance = random.Random(f"{how} 2")
    for _ in range(ROUNDS):
        kind, expression = chance.choice(KINDS)
        zone = ZoneInfo(chance.choice(ZONES))
        start = datetime(2026, chance.choice([3, 10, 12]), chance.randrange(1, 28), tzinfo=UTC)
        end = start + 20 * DAY
        schedule = parse_schedule(kind, expression, timezone=zone, anchor=datetime(2026, 1, 1, tzinfo=UTC))
        pairs = [drawn(chance, start.date()) for _ in range(chance.choice([1, 2]))]
        under = WithCalendars(schedule, tuple(pair[0] for pair in pairs), how, zone)
        low = start + chance.random() * 10 * DAY
        skip, hold = Skip(low, low + 3 * DAY), (low + 2 * DAY, low + 5 * DAY)
        policy = policy_of(under, skips=(skip,))
        nominals, at = [], schedule.next_after(start - MARGIN)
        while at is not None and at < end + MARGIN:
            nominals.append(at)
            at = schedule.next_after(at)
        wanted = [one for one in due(nominals, [pair[1] for pair in pairs], how, zone) if start < one < end]
        kept = [one for one in wanted if not skip.start <= one <= skip.end]
        coming = forecast(policy, now=start, holds=[hold])
        ahead = list(takewhile(lambda one, end=end: one.scheduled_for < end, coming))
        assert [(one.scheduled_for, one.held) for one in ahead] == [(one, hold[0] <= one < hold[1]) for one in kept]
        entries = simulate(policy, start + timedelta(microseconds=1), end).entries
        assert [one.scheduled_for for one in entries if one.kind == DecisionKind.START] == kept
        by_hand = [one.scheduled_for for one in entries if one.kind == DecisionKind.SKIP_BY_HAND]
        assert by_hand == [one for one in wanted if one not in kept]


def test_after_a_downtime_what_calendars_left_out_is_told_from_what_was_missed():
    policy = policy_of(WithCalendars(cron("0 9 * * *", timezone="Europe/Berlin"), (WEEKEND,), "skip", BERLIN))
    found = plan(policy, TaskState(next_run_at=nine(10)), now=nine(15) + timedelta(hours=1))
    assert [(one.kind, one.scheduled_for, one.count) for one in found.decisions] == [
        (DecisionKind.MISS, nine(10), 1),
        (DecisionKind.MISS, nine(11), 1),
        (DecisionKind.EXCLUDE, nine(13), 2),
        (DecisionKind.MISS, nine(14), 1),
        (DecisionKind.START, nine(15), 1),
    ]


def test_after_a_very_long_downtime_one_decision_counts_what_was_left_out_before_the_newest():
    schedule = WithCalendars(cron("0 * * * *", timezone="Europe/Berlin"), (WEEKEND,), "skip", BERLIN)
    policy = policy_of(schedule, catch_up=CatchUp.LATEST, calendars_since=nine(1))
    now = datetime(2027, 3, 1, 12, tzinfo=UTC)
    found = plan(policy, TaskState(next_run_at=schedule.next_after(nine(1))), now=now).decisions
    excluded = sum(one.count for one in found if one.kind == DecisionKind.EXCLUDE)
    others = sum(one.count for one in found if one.kind != DecisionKind.EXCLUDE)
    hours = [nine(1) + timedelta(hours=number) for number in range(1, int((now - nine(1)) / timedelta(hours=1)) + 1)]
    weekends = sum(one.astimezone(BERLIN).weekday() > 4 for one in hours)
    assert (excluded, others) == (weekends, len(hours) - weekends)


def test_a_task_that_is_done_leaves_nothing_out_after_its_last_run():
    schedule = WithCalendars(cron("0 9 * * *", timezone="Europe/Berlin"), (WEEKEND,), "skip", BERLIN)
    policy = policy_of(schedule, max_runs=1, catch_up=CatchUp.ALL)
    found = plan(policy, TaskState(next_run_at=nine(11)), now=nine(14))
    assert [one.kind for one in found.decisions] == [DecisionKind.START]
    assert found.next_run_at is None


def test_other_rules_of_a_zone_move_what_comes_and_not_what_is_due():
    """As an update of tzdata does between two passes: the zone is another one when the next run is due."""
    old = WithCalendars(cron("0 9 * * *", timezone="Europe/Berlin"), (WEEKEND,), "skip", BERLIN)
    moscow = ZoneInfo("Europe/Moscow")
    new = WithCalendars(
        cron("0 9 * * *", timezone=moscow.key), (dataclasses.replace(WEEKEND, zone=moscow),), "skip", moscow
    )
    planned = old.next_after(nine(10))
    found = plan(policy_of(new), TaskState(next_run_at=planned), now=planned)
    assert [one.scheduled_for for one in found.decisions if one.kind == DecisionKind.START] == [nine(11)]
    assert found.next_run_at == datetime(2026, 12, 14, 9, tzinfo=moscow)
