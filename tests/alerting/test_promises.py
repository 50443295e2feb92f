"""What a task promises, and hours in which nobody is told: the pure rules, next to an independent model."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.alerting import (
    Condition,
    Event,
    Kind,
    QuietHours,
    Rule,
    Told,
    changes,
    last_deadline,
    late_margin,
    stale_from,
    told_from,
    wanted,
)
from tests.alerting import model

BERLIN, HOUR, MINUTE = ZoneInfo("Europe/Berlin"), timedelta(hours=1), timedelta(minutes=1)
zones = st.sampled_from(
    [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")]
)
walls = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
# Around the days on which the clocks of these zones change, and any others.
moments = st.builds(
    lambda day, quarters: datetime.combine(day, time.min, UTC) + quarters * model.QUARTER,
    st.sampled_from([date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 25), date(2026, 11, 1)]),
    st.integers(-96, 192),
)


@given(by=walls, zone=zones, now=moments)
def test_the_last_deadline_is_what_the_model_says_whatever_the_clocks_do(by, zone, now):
    day, at = model.last_deadline(by, zone, now)
    found = last_deadline(by, zone, now)
    assert found.at == at
    assert found.midnight == model.reached(day, time.min, zone)
    assert found.before == model.reached(day - timedelta(days=1), by, zone)


@given(begin=walls, end=walls, zone=zones, now=moments)
def test_quiet_hours_end_when_the_model_says_whatever_the_clocks_do(begin, end, zone, now):
    if begin != end:
        assert QuietHours(begin, end, zone).over_at(now) == model.is_quiet(begin, end, zone, now)


@pytest.mark.parametrize(
    ("day", "by", "expected"),
    [
        (date(2026, 3, 29), time(2, 30), "01:00"),  # the clock goes from 02:00 to 03:00
        (date(2026, 10, 25), time(2, 30), "00:30"),  # it shows 02:30 twice: the first time counts
    ],
)
def test_a_deadline_that_the_clock_skips_or_shows_twice(day, by, expected):
    found = last_deadline(by, BERLIN, datetime.combine(day, time(12), UTC))
    assert (found.at.date(), f"{found.at:%H:%M}") == (day, expected)


def test_which_occurrences_a_deadline_is_about():
    now = datetime(2026, 11, 28, 5, 10, tzinfo=UTC)
    deadline = last_deadline(time(6), BERLIN, now)
    assert (deadline.at, deadline.midnight) == (now.replace(minute=0), datetime(2026, 11, 27, 23, tzinfo=UTC))
    evening = now - 8 * HOUR  # 22:10 in Berlin
    assert deadline.counts_from([]) is None, "a day on which it does not run"
    assert deadline.counts_from([now - 2 * HOUR, evening]) == deadline.midnight
    assert deadline.counts_from([evening]) == deadline.before, "due in the evening, to be done in the morning"
    assert deadline.counts_from([deadline.at]) is None, "what is due at the deadline is for the next one"
    assert deadline.counts_from([deadline.before - MINUTE]) is None


def test_without_a_success_it_is_stale_after_so_long_since_that_was_asked():
    since = datetime(2026, 11, 28, tzinfo=UTC)
    assert stale_from(26 * HOUR, expected_since=since, succeeded_at=None) == since + 26 * HOUR
    assert stale_from(26 * HOUR, expected_since=since, succeeded_at=since - HOUR) == since + 26 * HOUR
    assert stale_from(26 * HOUR, expected_since=since, succeeded_at=since + HOUR) == since + 27 * HOUR


# --- margins, quiet hours, and what somebody has closed

NIGHT = datetime(2026, 11, 28, 2, tzinfo=UTC)
MORNING = datetime(2026, 11, 28, 6, tzinfo=UTC)
QUIET = QuietHours(time(22), time(7), BERLIN)


def make_rule(*channels, **values):
    return Rule(**{"kinds": frozenset({Kind.FAILING, Kind.LATE}), "channels": frozenset(channels), **values})


def told(rules, now, *, kind=Kind.FAILING, opened_at=NIGHT, **values):
    return list(wanted(kind, rules, count=1, opened_at=opened_at, now=now, **values))


def test_in_quiet_hours_nobody_is_told_or_reminded_and_at_their_end_once():
    rules = [make_rule(1, quiet=QUIET, remind_every=HOUR)]
    assert told(rules, NIGHT + 2 * HOUR) == []
    assert told(rules, MORNING) == [Told(1, Event.OPENED), Told(1, Event.REMINDER, 4)]
    assert told(rules, MORNING, is_acknowledged=True) == [Told(1, Event.OPENED)]


def test_a_kind_that_is_told_at_once_and_a_channel_of_which_another_rule_is_not_quiet():
    quiet = make_rule(1, 2, quiet=QUIET)
    assert told([make_rule(1, quiet=QUIET, at_once=frozenset({Kind.FAILING}))], NIGHT) == [Told(1, Event.OPENED)]
    assert told([quiet, make_rule(2)], NIGHT) == [Told(2, Event.OPENED)]
    until_six = make_rule(2, quiet=QuietHours(time(22), time(6), BERLIN))
    assert told_from(Kind.FAILING, [quiet, until_six], NIGHT) == MORNING - HOUR
    assert told_from(Kind.FAILING, [quiet], NIGHT) == MORNING
    assert told_from(Kind.MISSED, [quiet], NIGHT) == NIGHT, "no rule of it is about this kind (any more)"
    assert told_from(Kind.FAILING, [], NIGHT) == NIGHT


def test_each_rule_tells_of_what_is_late_after_its_own_margin():
    rules = [make_rule(1, margin=2 * MINUTE), make_rule(2), make_rule(3, margin=10 * MINUTE)]
    assert late_margin(rules) == 2 * MINUTE
    assert late_margin(rules[2:]) == 10 * MINUTE
    assert late_margin([]) == late_margin(rules[1:2]) == 5 * MINUTE
    for minutes, expected in [(1, 0), (2, 1), (5, 2), (10, 3)]:
        assert len(told(rules, NIGHT + minutes * MINUTE, kind=Kind.LATE)) == expected
    late = [Condition(Kind.LATE, "a", NIGHT)]
    for margin, minutes, opens in [(None, 4, False), (None, 5, True), (2, 2, True), (10, 9, False)]:
        given_margin = {} if margin is None else {"a": margin * MINUTE}
        found = changes(NIGHT + minutes * MINUTE, late, opened=set(), late_after=given_margin)
        assert bool(found) is opens


def test_what_somebody_has_closed_opens_again_only_if_it_came_anew():
    key = Kind.STALE, "a"
    for since, opens in [(NIGHT - HOUR, False), (NIGHT, False), (NIGHT + MINUTE, True)]:
        found = changes(NIGHT + HOUR, [Condition(*key, since)], opened=set(), dismissed={key: NIGHT})
        assert bool(found) is opens
