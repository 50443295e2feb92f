"""What projects use in their tests."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import transaction

from django_scheduled_tasks import signals, task
from django_scheduled_tasks.engines import get_engine
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, read_now
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.testing import DeferredEngine, ImmediateEngine, run_pending_executions, use_engine
from tests.factories import make_execution, make_task

pytestmark = pytest.mark.django_db


def test_executions_wait_until_the_test_runs_them_though_nothing_is_committed(run_scheduled_tasks):
    make_task(name="Add", function="testapp.add")
    info, errors = task("Add").run_once({"a": 1, "b": 2})
    assert (info.status, errors) == ("pending", None)
    (execution,) = run_scheduled_tasks()
    assert (execution.outcome, execution.result) == (Outcome.SUCCEEDED, 3)
    assert run_scheduled_tasks() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_waits_in_the_engine(scheduled_tasks_engine, run_scheduled_tasks):
    execution = run_once(make_task(function="testapp.noop")).execution
    assert [item.tracking_id for item in scheduled_tasks_engine.submitted] == [execution.tracking_id]
    scheduled_tasks_engine.run_all()
    execution.refresh_from_db()
    assert execution.outcome == Outcome.SUCCEEDED
    assert run_scheduled_tasks() == []


def test_what_an_execution_starts_runs_as_well(run_scheduled_tasks):
    first, second = make_task(function="testapp.noop"), make_task(function="testapp.noop")
    started = []

    def start_another(**_signal):
        if not started:
            started.append(run_once(second).execution)

    signals.execution_started.connect(start_another)
    try:
        run_once(first)
        assert [execution.task for execution in run_scheduled_tasks()] == [first, second]
    finally:
        signals.execution_started.disconnect(start_another)


def test_waiters_for_one_key_run_in_their_order(run_scheduled_tasks):
    waiting = make_task(function="testapp.noop", overlap="queue_all")
    executions = [run_once(waiting).execution for _ in range(3)]
    assert run_scheduled_tasks() == executions


def test_what_waits_for_an_instant_or_cannot_start_is_left_alone(run_scheduled_tasks):
    later = make_execution(not_before=read_now() + timedelta(hours=1))
    held = make_task(function="testapp.noop", concurrency_group="g")
    make_execution(held, status=Status.PROCESSING, lock_key="group:g", exclusive_key="group:g")
    waiting = make_execution(held, lock_key="group:g")
    assert [execution.status for execution in run_scheduled_tasks()] == [Status.PENDING]
    assert set(Execution.objects.filter(status=Status.PENDING)) == {later, waiting}


def test_an_execution_that_fails_is_no_error_of_the_test(run_scheduled_tasks):
    run_once(make_task(function="testapp.fail", max_attempts=3))
    (execution,) = run_scheduled_tasks()
    assert (execution.status, execution.error_message) == (Status.PENDING, "It broke.")


def test_an_engine_stands_in_whatever_the_settings_say(settings):
    before = get_engine()
    with use_engine(DeferredEngine()) as outer:
        settings.SCHEDULED_TASKS = {}
        assert get_engine() is outer
        with use_engine(ImmediateEngine()) as inner:
            assert get_engine() is inner
        assert get_engine() is outer
        with pytest.raises(RuntimeError), use_engine(ImmediateEngine()):
            raise RuntimeError
        assert get_engine() is outer
    settings.SCHEDULED_TASKS = {"ENGINE": f"{ImmediateEngine.__module__}.ImmediateEngine"}
    assert get_engine() is before


@pytest.mark.django_db(transaction=True)
def test_it_works_within_a_transaction_of_the_test_and_without_pytest():
    with use_engine(DeferredEngine()), transaction.atomic():
        run_once(make_task(function="testapp.noop"))
        (execution,) = run_pending_executions()
    execution.refresh_from_db()
    assert execution.outcome == Outcome.SUCCEEDED


@pytest.mark.parametrize("has_pytest", [True, False])
def test_it_is_imported_before_models_are_ready_and_where_there_is_no_pytest(has_pytest):
    code = f"""
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name: real(name) if {has_pytest} else None
from django_scheduled_tasks import testing
print(testing.use_engine.__name__, hasattr(testing, "run_scheduled_tasks"), "pytest" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["use_engine", str(has_pytest), str(has_pytest)], done.stderr
