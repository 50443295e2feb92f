"""A task whose schedule only ever fails is paused, if it asks for that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.services.running.claim import claim
from django_scheduled_tasks.services.running.finish import fail, succeed
from django_scheduled_tasks.services.running.retry import Failure
from django_scheduled_tasks.services.tasks import autopause
from django_scheduled_tasks.services.tasks.edit import pause, resume
from django_scheduled_tasks.store.executions import load
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]
FAILURE = Failure(outcome=Outcome.FAILED, code="failed", message="no")


@pytest.fixture
def task():
    return make_task(schedule_kind="interval", expression="1h", pause_after_failures=3, overlap="allow")


def end(task, *, trigger=Trigger.SCHEDULE, failure: Failure | None = FAILURE):
    """Let one execution of *task* run and end; those of the schedule are of different occurrences."""
    now = read_now()
    due = now + timedelta(seconds=task.executions.count()) if trigger == Trigger.SCHEDULE else None
    row = make_execution(task, status=Status.PENDING, trigger=trigger, triggered_at=now, scheduled_for=due)
    execution = load(row.tracking_id)
    assert claim(execution, now=now)
    if failure is None:
        assert succeed(execution, completed_at=now, result=None, result_format="json")
    else:
        assert fail(execution, failure, ended_at=now)
    task.refresh_from_db()
    return execution


def test_as_many_failures_in_a_row_as_it_allows_pause_it_and_say_so(task):
    for _ in range(2):
        end(task)
        assert task.paused_at is None
    last = end(task)
    assert task.paused_at is not None
    assert task.next_run_at is None
    assert task.pause_reason == f"3 executions in a row failed; the last one is #{last.pk}."


def test_time_outs_and_lost_workers_count_as_failures(task):
    for outcome in (Outcome.TIMED_OUT, Outcome.WORKER_LOST, Outcome.FAILED):
        end(task, failure=Failure(outcome=outcome, code=str(outcome), message=""))
    assert task.paused_at is not None


def test_a_success_in_between_starts_the_count_anew(task):
    for failure in (FAILURE, FAILURE, None, FAILURE, FAILURE):
        end(task, failure=failure)
    assert task.paused_at is None


def test_manual_runs_neither_count_nor_help(task):
    for _ in range(4):
        end(task, trigger=Trigger.ADMIN)
    assert task.paused_at is None
    end(task)
    end(task)
    end(task, trigger=Trigger.ADMIN, failure=None)
    end(task)
    assert task.paused_at is not None


def test_whoever_resumes_it_gets_a_full_count_again(task):
    for _ in range(3):
        end(task)
    resume(task)
    end(task)
    end(task)
    assert task.paused_at is None
    end(task)
    assert task.paused_at is not None


def test_retries_do_not_count_before_the_last(task):
    task.max_attempts, task.pause_after_failures, task.min_backoff = 2, 1, timedelta(seconds=1)
    task.save()
    end(task)
    assert task.paused_at is None


def test_a_task_that_does_not_ask_for_it_is_never_paused(task):
    task.pause_after_failures = None
    task.save()
    for _ in range(5):
        end(task)
    assert task.paused_at is None


def test_a_pause_of_a_person_in_the_same_moment_stays(task, monkeypatch):
    user = make_user()
    monkeypatch.setattr(
        autopause, "pause", lambda row, **options: pause(row, reason="audit", user=user) and pause(row, **options)
    )
    for _ in range(3):
        end(task)
    task.refresh_from_db()
    assert (task.pause_reason, task.paused_by) == ("audit", user)
