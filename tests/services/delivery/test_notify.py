"""Of what is due before a sleeping scheduler looks again by itself it is told; of anything else it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.exceptions import EngineUnavailable, FunctionNotRegistered
from django_scheduled_tasks.lifecycle import Outcome, Overlap
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.services.delivery.notify import longest_sleep
from django_scheduled_tasks.services.running.claim import take
from django_scheduled_tasks.services.running.finish import fail
from django_scheduled_tasks.services.running.giveback import give_back
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.scheduling import occurrences
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.database import connection
from tests.factories import make_task

pytestmark = [
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL can tell others"),
]
SOON, LATER = timedelta(seconds=2), timedelta(hours=1)


def tells(act: Callable[[], object]) -> bool:
    """Return whether *act* tells schedulers."""
    with CaptureQueriesContext(connection) as queries:
        act()
    return any("pg_notify" in query["sql"] for query in queries)


@pytest.mark.parametrize(("wait", "told"), [(SOON, True), (LATER, False)])
def test_a_run_asked_for_at_an_instant(engine, wait, told):
    task, at = make_task(), read_now() + wait
    assert tells(lambda: run_once(task, not_before=at)) is told


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.ALLOW])
def test_a_run_asked_for_now_costs_nothing_more_unless_it_expires_soon(engine, overlap):
    task = make_task(overlap=overlap)
    assert not tells(lambda: run_once(task, overlap=Overlap.ALLOW))
    brief = make_task(overlap=overlap, expires_after=SOON)
    assert tells(lambda: run_once(brief))


def test_what_a_scheduler_records_itself_it_knows(engine):
    task = make_task(schedule_kind="cron", expression="* * * * * *", expires_after=SOON)
    type(task).objects.update(next_run_at=read_now())
    assert not tells(lambda: occurrences.record_due(limit=10))
    assert Execution.objects.exists()


@pytest.mark.parametrize(("wait", "told"), [(SOON, True), (LATER, False)])
def test_a_retry(engine, wait, told):
    task = make_task(max_attempts=2, min_backoff=wait, max_backoff=wait)
    execution, _has_log = take(str(run_once(task).execution.tracking_id))
    failure = Failure(outcome=Outcome.FAILED, code="failed", message="No.")
    assert tells(lambda: fail(execution, failure, ended_at=read_now())) is told
    assert Execution.objects.get().not_before is not None


def test_an_execution_that_is_left_to_others(engine):
    execution, _has_log = take(str(run_once(make_task()).execution.tracking_id))
    error, at = FunctionNotRegistered("shop.new"), read_now() + SOON
    assert tells(lambda: give_back(execution, error, again_at=at))


def test_what_the_engine_did_not_take(engine, monkeypatch):
    def refuse(_submissions):
        raise EngineUnavailable("away", sent=0, of=1)

    monkeypatch.setattr(engine, "submit", refuse)
    task = make_task()
    assert tells(lambda: run_once(task))
    assert Execution.objects.get().submissions == 0


def test_a_task_that_may_not_be_held_any_longer(engine):
    planned, by_hand = make_task(schedule_kind="cron", expression="0 3 * * *"), make_task()
    assert tells(lambda: update_task(planned, queue="other"))
    assert not tells(lambda: update_task(by_hand, queue="other"))


def test_nobody_sleeps_longer_than_what_any_process_sets_without_a_word(settings):
    assert longest_sleep() == timedelta(seconds=5)
    for name in ("LEASE", "RESEND_AFTER"):
        settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {name: SOON}
        assert longest_sleep() == SOON
        del settings.SCHEDULED_TASKS[name]
