"""When alerts open, remind and close: the pure rules, next to an independent model."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_scheduled_tasks.alerting import (
    MARGINS,
    OF_ENDS,
    OF_INSTALLATION,
    OF_TASK,
    RED,
    Condition,
    End,
    Event,
    Kind,
    Opened,
    Rule,
    Terms,
    Told,
    changes,
    follow,
    reminder_number,
    terms_of,
    too_long_after,
    wanted,
)
from django_scheduled_tasks.lifecycle import Outcome
from tests.alerting import model

NOW = datetime(2026, 11, 28, 5, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BAD = {Kind.FAILING: model.FAILED, Kind.MISSED: {"missed"}}
outcomes = st.lists(st.sampled_from([*Outcome, Outcome.FAILED, Outcome.FAILED, Outcome.SUCCEEDED]), max_size=24)
kinds = st.sampled_from(sorted(OF_ENDS))
terms = st.builds(Terms, st.integers(1, 4), st.integers(1, 3))


def ends_of(found):
    return [End(NOW + MINUTE * place, 100 + place, outcome) for place, outcome in enumerate(found)]


def told(steps):
    return [(str(step.event), step.at, step.latest) for step in steps if step.event != Event.COUNTED]


def expected(kind, ends, limits):
    limits = limits if kind == Kind.FAILING else Terms()
    return model.history(BAD[kind], ends, limits.after, limits.closes_after)


@given(kind=kinds, found=outcomes, limits=terms, seed=st.integers(0, 2**16))
def test_what_opens_and_closes_is_what_the_model_says(kind, found, limits, seed):
    ends = ends_of(found)
    shuffled = random.Random(seed).sample(ends, len(ends))
    assert told(follow(kind, shuffled, limits)) == expected(kind, ends, limits)


@given(kind=kinds, found=outcomes, limits=terms, data=st.data())
def test_who_goes_on_from_what_was_recorded_comes_to_the_same_steps(kind, found, limits, data):
    """Whoever looks, and however often: another scheduler, or the same one after a crash, with older rows as well."""
    ends = ends_of(found)
    opened, behind, steps = None, None, []
    for stop in [*sorted(data.draw(st.lists(st.integers(0, len(ends)), max_size=4))), len(ends), len(ends)]:
        new = follow(kind, ends[:stop], limits, opened=opened, behind=behind)
        steps += new
        for step in new:
            if step.event == Event.CLOSED:
                opened, behind = None, (step.at, step.latest)
            else:
                opened = Opened(step.count, (step.at, step.latest))
    assert told(steps) == expected(kind, ends, limits)
    assert steps == follow(kind, ends, limits)


@given(found=outcomes, limits=terms, place=st.integers(0, 24))
def test_what_was_over_long_ago_is_left_out_but_never_what_is_open(found, limits, place):
    ends, since = ends_of(found), NOW + MINUTE * place
    steps, every = follow(Kind.FAILING, ends, limits, since=since), follow(Kind.FAILING, ends, limits)
    assert [step for step in every if step.at >= since] == [step for step in steps if step.at >= since]
    left_out = [step for step in every if step not in steps]
    assert all(step.at < since for step in left_out)
    closed = [step.event for step in steps].count(Event.CLOSED)
    assert closed == sum(step.event == Event.CLOSED and step.at >= since for step in every)


def test_how_often_it_happened_and_which_was_the_first():
    failed, fine = Outcome.FAILED, Outcome.SUCCEEDED
    ends = ends_of([fine, failed, Outcome.CANCELLED, Outcome.TIMED_OUT, Outcome.WORKER_LOST, fine])
    opened, counted, closed = follow(Kind.FAILING, ends, Terms(after=2))
    assert (opened.event, opened.count, opened.first, opened.latest) == (Event.OPENED, 2, 101, 103)
    assert (counted.event, counted.count, counted.latest) == (Event.COUNTED, 3, 104)
    assert (closed.event, closed.count, closed.latest) == (Event.CLOSED, 3, 105)


def test_a_missed_occurrence_opens_at_once_and_a_success_closes_whatever_a_rule_says_of_failures():
    steps = follow(Kind.MISSED, ends_of([Outcome.MISSED, Outcome.FAILED, Outcome.SUCCEEDED]), Terms(3, 3))
    assert [step.event for step in steps] == [Event.OPENED, Event.CLOSED]


def test_the_kinds_that_follow_from_ends_are_no_conditions():
    with pytest.raises(KeyError):
        follow(Kind.LATE, [], Terms())
    assert set(MARGINS) == set(Kind) - OF_ENDS
    assert set(Kind) == OF_TASK | OF_INSTALLATION
    assert set(Kind) > RED


facts = st.lists(
    st.builds(
        Condition,
        st.sampled_from(sorted(Kind)),
        st.sampled_from(["", "a", "b"]),
        st.integers(0, 60).map(lambda minutes: NOW - MINUTE * minutes),
    ),
    unique_by=lambda one: one.key,
)


@given(found=facts, opened=st.sets(st.tuples(st.sampled_from(sorted(Kind)), st.sampled_from(["", "a", "b"]))))
def test_a_condition_opens_after_its_margin_and_closes_when_it_is_over(found, opened):
    examined = set(Kind) - OF_ENDS
    after = set(opened)
    for event, key in changes(NOW, found, opened=opened):
        assert (key in after) == (event == Event.CLOSED), "nothing opens or closes twice"
        (after.remove if event == Event.CLOSED else after.add)(key)
    for key in {*opened, *(one.key for one in found)}:
        fact = next((one for one in found if one.key == key), None)
        is_wrong = fact is not None and fact.since + MARGINS.get(key[0], MINUTE) <= NOW
        assert (key in after) == (is_wrong if key[0] in examined else key in opened)


def test_of_what_was_not_examined_nothing_closes():
    opened = {(Kind.LATE, "a"), (Kind.NO_WORKER, "")}
    assert changes(NOW, [], opened=opened, examined={Kind.LATE}) == [(Event.CLOSED, (Kind.LATE, "a"))]


@given(st.lists(st.integers(0, 10_000).map(lambda seconds: timedelta(seconds=seconds)), min_size=10, max_size=50))
def test_too_long_is_three_times_the_usual_and_a_minute_more(durations):
    usual = model.usual(durations)
    assert too_long_after(None, durations) == max(3 * usual, usual + MINUTE)
    assert too_long_after(MINUTE, durations) == MINUTE
    assert too_long_after(None, durations[:9]) is None


def make_rule(*channels, kind=Kind.FAILING, after=1, closes_after=1, remind_every=None):
    limits = Terms(after, closes_after)
    return Rule(kinds=frozenset({kind}), channels=frozenset(channels), terms=limits, remind_every=remind_every)


def test_several_rules_open_with_the_first_and_close_with_the_last():
    rules = [make_rule(1, after=2), make_rule(2, after=3, closes_after=2), make_rule(3, kind=Kind.LATE)]
    assert terms_of(Kind.FAILING, rules) == Terms(2, 2)
    assert terms_of(Kind.MISSED, rules) == Terms()


def test_each_channel_is_told_when_one_of_its_rules_asks():
    rules = [make_rule(1, 2), make_rule(2, 3, after=3), make_rule(4, kind=Kind.LATE)]

    def told_to(count):
        return list(wanted(Kind.FAILING, rules, count=count, opened_at=NOW, now=NOW))

    assert told_to(1) == [Told(1, Event.OPENED), Told(2, Event.OPENED)]
    assert told_to(3) == [Told(1, Event.OPENED), Told(2, Event.OPENED), Told(3, Event.OPENED)]
    late = wanted(Kind.LATE, [make_rule(5, kind=Kind.LATE, after=7)], count=1, opened_at=NOW - 5 * MINUTE, now=NOW)
    assert list(late) == [Told(5, Event.OPENED)], "after how many is asked of failures only"


@given(minutes=st.integers(0, 600), every=st.integers(1, 90))
def test_reminders_have_numbers_so_that_none_comes_twice(minutes, every):
    rules = [make_rule(1, remind_every=MINUTE * every), make_rule(1, remind_every=MINUTE * 91)]
    now = NOW + MINUTE * minutes
    found = [one for one in wanted(Kind.FAILING, rules, count=1, opened_at=NOW, now=now) if one.number]
    number = minutes // every
    assert found == ([Told(1, Event.REMINDER, number)] if number else [])
    assert list(wanted(Kind.FAILING, rules, count=1, opened_at=NOW, now=now, is_acknowledged=True)) == [
        Told(1, Event.OPENED)
    ]


def test_of_what_is_silenced_nobody_is_told_and_reminders_have_a_number_from_one_on():
    rules = [make_rule(1, remind_every=MINUTE)]
    assert not list(wanted(Kind.FAILING, rules, count=1, opened_at=NOW, now=NOW + 3 * MINUTE, is_silenced=True))
    assert reminder_number(NOW, NOW + MINUTE, timedelta(0)) == 0
    assert reminder_number(NOW, NOW - MINUTE, MINUTE) == 0
