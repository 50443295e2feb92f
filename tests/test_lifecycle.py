"""The table of transitions."""

from __future__ import annotations

from itertools import product

import pytest

from django_scheduled_tasks.lifecycle import BORN, ENDED, OPEN, TRANSITIONS, Outcome, Status, outcomes_of, sources


def test_an_end_is_final():
    for status in ENDED:
        assert not TRANSITIONS[status]


def test_each_status_is_open_or_ended():
    assert set(Status) == OPEN | ENDED
    assert not OPEN & ENDED


def test_only_an_end_has_an_outcome_and_each_end_has_one():
    for status in OPEN:
        assert outcomes_of(status) == {None}
    assert outcomes_of(Status.COMPLETED) == {Outcome.SUCCEEDED}
    assert outcomes_of(Status.ERRORS) == set(Outcome) - {Outcome.SUCCEEDED}


@pytest.mark.parametrize(
    ("to", "outcome", "expected"),
    [
        (Status.PROCESSING, None, {Status.PENDING}),
        (Status.PENDING, None, {Status.PROCESSING}),
        (Status.COMPLETED, Outcome.SUCCEEDED, {Status.PROCESSING}),
        (Status.COMPLETED, None, set()),
        (Status.ERRORS, Outcome.CANCELLED, {Status.PENDING, Status.PROCESSING}),
        (Status.ERRORS, Outcome.EXPIRED, {Status.PENDING}),
        (Status.ERRORS, Outcome.WORKER_LOST, {Status.PROCESSING}),
        (Status.ERRORS, Outcome.SKIPPED, {Status.PENDING}),
        (Status.ERRORS, Outcome.MISSED, set()),
        (Status.ERRORS, Outcome.SUCCEEDED, set()),
    ],
)
def test_where_a_transition_may_come_from(to, outcome, expected):
    assert sources(to, outcome) == expected


def test_missed_is_only_born_and_skipped_at_most_before_it_started():
    for to, outcome in product(Status, (Outcome.SKIPPED, Outcome.MISSED)):
        assert sources(to, outcome) <= {Status.PENDING}
        assert outcome == Outcome.SKIPPED or not sources(to, outcome)
    assert BORN[Status.ERRORS] == {Outcome.SKIPPED, Outcome.MISSED}
