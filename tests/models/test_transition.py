"""Compare-and-swap: the one function through which each change of status goes, and what the database enforces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_scheduled_tasks.lifecycle import ENDED, Outcome, Status, Trigger, outcomes_of, sources
from django_scheduled_tasks.models import Execution
from tests import selection
from tests.database import ALIAS
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
NOW = datetime(2026, 3, 20, 23, tzinfo=UTC)
CLAIM = {"started_at": NOW, "lease_until": NOW + timedelta(minutes=1)}

moves = st.tuples(
    st.sampled_from(Status), st.sampled_from([None, *Outcome]), st.integers(min_value=1, max_value=3), st.booleans()
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=max(25, selection.examples(60)),
)
@given(sequence=st.lists(moves, max_size=12))
def test_no_sequence_of_operations_reaches_an_illegal_state(sequence):
    execution = make_execution(make_task())
    status, outcome, attempt = Status.PENDING, "", 1
    for to, how, speaks_for, with_key in sequence:
        legal = status in sources(to, how) and speaks_for == attempt
        changes = CLAIM | ({"exclusive_key": "k"} if with_key else {}) if to == Status.PROCESSING else {}
        if sources(to, how):
            moved = Execution.objects.transition(execution.tracking_id, to, attempt=speaks_for, outcome=how, **changes)
            assert moved == legal
        else:
            with pytest.raises(ValueError, match="No execution may become"):
                Execution.objects.transition(execution.tracking_id, to, attempt=speaks_for, outcome=how)
            continue
        if legal:
            attempt += to == Status.PENDING
            status, outcome = to, how or ""
        execution.refresh_from_db()
        assert (execution.status, execution.outcome, execution.attempt) == (status, outcome, attempt)
        assert (Outcome(outcome) if outcome else None) in outcomes_of(status)
        assert (execution.completed_at is not None) == (status in ENDED)
        assert (execution.lease_until is not None) == (status == Status.PROCESSING)
        assert execution.exclusive_key is None or status == Status.PROCESSING
    Execution.objects.all().delete()


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "running"},
        {"status": Status.COMPLETED, "outcome": Outcome.FAILED},
        {"status": Status.PENDING, "outcome": Outcome.SUCCEEDED},
        {"status": Status.ERRORS, "outcome": ""},
        {"status": Status.PENDING, "completed_at": NOW},
        {"status": Status.COMPLETED, "outcome": Outcome.SUCCEEDED, "completed_at": None},
        {"status": Status.PROCESSING, "lease_until": None},
        {"status": Status.PENDING, "lease_until": NOW},
        {"status": Status.PENDING, "exclusive_key": "k"},
        {"trigger": "magic"},
        {"trigger": Trigger.SCHEDULE, "scheduled_for": None},
    ],
)
def test_the_database_refuses_an_illegal_state(wrong):
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        make_execution(make_task(), **wrong)


def test_the_database_refuses_a_second_row_for_one_occurrence():
    task = make_task()
    make_execution(task, trigger=Trigger.SCHEDULE, scheduled_for=NOW)
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        make_execution(task, trigger=Trigger.SCHEDULE, scheduled_for=NOW)
    make_execution(task, trigger=Trigger.BACKFILL, scheduled_for=NOW, replay=1)
    make_execution(make_task(), trigger=Trigger.SCHEDULE, scheduled_for=NOW)


def test_the_database_refuses_two_holders_of_one_exclusive_key():
    values = {"status": Status.PROCESSING, "exclusive_key": "group:reports"}
    make_execution(**values)
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        make_execution(**values)


def test_a_transition_of_an_unknown_execution_is_false():
    assert not Execution.objects.transition(uuid4(), Status.PROCESSING, attempt=1, **CLAIM)
