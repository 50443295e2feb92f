"""The facade for Python code, and the contract of its JSON."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from django_scheduled_tasks import task
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def bill():
    return make_task(name="billOnDemand", function="testapp.add", params={"a": 1})


def test_right_after_run_once_the_answer_has_exactly_the_contracts_keys(bill, engine):
    info, errors = answer = task("billOnDemand").run_once()
    assert errors is None
    assert answer.as_dict() == {
        "info": {
            "trackingId": str(info.tracking_id),
            "scheduledTaskId": str(bill.pk),
            "scheduledTaskName": "billOnDemand",
            "triggeredAt": answer.as_dict()["info"]["triggeredAt"],
            "status": "pending",
        },
        "errors": None,
    }
    assert INSTANT.fullmatch(answer.as_dict()["info"]["triggeredAt"])


def test_later_the_status_is_completed_with_its_times(bill, engine, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        info, _ = task("billOnDemand").run_once()
    engine.run_all()
    later = task("billOnDemand").get_task_status(info.tracking_id).as_dict()
    assert list(later["info"]) == [
        *("trackingId", "scheduledTaskId", "scheduledTaskName", "triggeredAt", "status", "startedAt", "completedAt"),
        "result",
    ]
    assert later["info"]["status"] == "completed"
    assert later["info"]["triggeredAt"] <= later["info"]["startedAt"] <= later["info"]["completedAt"]
    assert later["info"]["result"] == 3
    assert later["errors"] is None


def test_a_function_without_a_result_has_exactly_the_contracts_keys_at_the_end(
    engine, django_capture_on_commit_callbacks
):
    make_task(name="quiet")
    with django_capture_on_commit_callbacks(execute=True):
        info, _ = task("quiet").run_once()
    engine.run_all()
    found = task("quiet").get_task_status(info.tracking_id).as_dict()["info"]
    assert list(found) == [
        *("trackingId", "scheduledTaskId", "scheduledTaskName", "triggeredAt", "status", "startedAt", "completedAt")
    ]


def test_a_task_is_found_by_name_in_any_case_and_by_id(bill, engine):
    for name in ("BILLONDEMAND", " billondemand ", bill.pk, str(bill.pk)):
        info, errors = task(name).run_once(overlap="allow")
        assert errors is None
        assert info.scheduled_task_id == bill.pk


def test_an_id_wins_over_a_name(bill, engine):
    """Else whoever may rename one task runs it wherever another one is meant, even with the other one's parameters."""
    bill = update_task(bill, overlap="allow")
    run_once(make_task(name=str(bill.pk), function=bill.function, params=bill.params, overlap="allow"))
    earlier = make_execution(bill, status=Status.COMPLETED)
    started = [run_once(wanted) for wanted in (bill, bill.pk, str(bill.pk))]
    assert {one.execution.task_id for one in [*started, run_once(bill, rerun_of=earlier)]} == {bill.pk}
    assert task(str(bill.pk)).run_once().info.scheduled_task_id == bill.pk


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda: task("nope").run_once(), 404, "task_not_found"),
        (lambda: task("nope").get_task_status(uuid4()), 404, "task_not_found"),
        (lambda: task("billOnDemand").get_task_status(uuid4()), 404, "execution_not_found"),
        (lambda: task("billOnDemand").get_task_status("no uuid"), 404, "execution_not_found"),
        (lambda: task("billOnDemand").cancel(uuid4()), 404, "execution_not_found"),
        (lambda: task("billOnDemand").run_once({"b": "x"}), 422, "invalid_parameters"),
    ],
)
def test_what_is_refused_is_answered_and_not_raised(bill, call, status, code):
    info, errors = call()
    assert info is None
    assert errors.status == status
    assert [item.code for item in errors.items] == [code]
    assert errors.as_dict()["statusText"]
    assert str(errors)


def test_the_tracking_id_of_another_task_is_not_found(bill):
    other = make_execution(make_task(name="other"))
    _, errors = task("billOnDemand").get_task_status(other.tracking_id)
    assert errors.items[0].code == "execution_not_found"
    assert '"billOnDemand"' in errors.items[0].message


def test_the_executions_of_a_deleted_task_are_still_found_by_its_name(bill):
    execution = make_execution(bill)
    bill.delete()
    info, _ = task("billOnDemand").get_task_status(execution.tracking_id)
    assert info.scheduled_task_name == "billOnDemand"
    assert info.as_dict()["scheduledTaskId"] is None


def test_bad_parameters_have_one_item_a_field(bill):
    _, errors = task("billOnDemand").run_once({"b": "x", "c": 1})
    assert [(item.details["field"], item.origin) for item in errors.items] == [
        ("b", "client_error"),
        ("c", "client_error"),
    ]
    assert not Execution.objects.exists()


def test_an_overlap_rule_that_there_is_not_is_answered_at_its_field(bill):
    info, errors = task("billOnDemand").run_once(overlap="bogus")
    assert (info, errors.status) == (None, 422)
    assert [item.details["field"] for item in errors.items] == ["overlap"]
    assert errors.items[0].message == "overlap: Value 'bogus' is not a valid choice."
    assert not Execution.objects.exists()
    assert task("billOnDemand").run_once({"b": 1}, overlap="allow").errors is None


def test_a_function_that_is_gone_is_answered_with_409(bill):
    type(bill).objects.update(function="shop.gone")
    _, errors = task("billOnDemand").run_once()
    assert (errors.status, errors.items[0].code) == (409, "function_not_registered")


def test_an_execution_that_failed_says_how(engine, django_capture_on_commit_callbacks):
    make_task(name="bad", function="testapp.fail")
    with django_capture_on_commit_callbacks(execute=True):
        info, _ = task("bad").run_once({"message": "No paper."})
    engine.run_all()
    found = task("bad").get_task_status(info.tracking_id).as_dict()["info"]
    assert (found["status"], found["outcome"]) == ("errors", "failed")
    (item,) = found["errors"]
    assert (item["origin"], item["code"], item["message"]) == ("function", "failed", "No paper.")
    assert item["details"]["type"] == "ValueError"
    assert "raise ValueError" in item["details"]["traceback"]


def test_wait_returns_at_the_end_or_when_the_time_is_up(bill):
    done = make_execution(bill, status=Status.COMPLETED)
    assert task("billOnDemand").wait(done.tracking_id).info.status == Status.COMPLETED
    still = make_execution(bill)
    assert task("billOnDemand").wait(still.tracking_id, timeout=timedelta(milliseconds=120)).info.is_open
    assert task("billOnDemand").wait(uuid4(), timeout=5).errors.status == 404


@pytest.mark.django_db(transaction=True)
def test_wait_notices_the_end():
    execution = make_execution(make_task(name="slow"), status=Status.PROCESSING)

    def finish():
        Execution.objects.transition(execution.tracking_id, Status.COMPLETED, attempt=1, outcome=Outcome.SUCCEEDED)
        connection.close()

    timer = threading.Timer(0.3, finish)
    timer.start()
    answer = task("slow").wait(execution.tracking_id, timeout=20)
    timer.join()
    assert answer.info.status == Status.COMPLETED


def test_cancel_ends_a_pending_execution(bill):
    execution = make_execution(bill)
    info, errors = task("billOnDemand").cancel(execution.tracking_id)
    assert errors is None
    assert (info.status, info.outcome) == (Status.ERRORS, Outcome.CANCELLED)
    _, errors = task("billOnDemand").cancel(make_execution(bill, status=Status.COMPLETED).tracking_id)
    assert errors.items[0].code == "not_cancellable"


@pytest.mark.django_db(transaction=True)
def test_the_async_twins():
    make_task(name="async", function="testapp.add", params={"a": 1})

    async def run():
        info, errors = await task("async").arun_once({"b": 1})
        assert errors is None
        return await task("async").aget_task_status(info.tracking_id)

    info, _ = async_to_sync(run)()
    assert info.result == 2


@pytest.mark.django_db(transaction=True)
def test_a_run_in_a_transaction_that_is_rolled_back_never_was(engine):
    make_task(name="undone")
    with pytest.raises(RuntimeError), transaction.atomic(using=ALIAS):
        info, _ = task("undone").run_once()
        raise RuntimeError
    assert not engine.submitted
    assert task("undone").get_task_status(info.tracking_id).errors.status == 404


def test_a_refusal_leaves_the_callers_transaction_usable(bill, engine):
    make_execution(bill)
    with transaction.atomic(using=ALIAS):
        _, errors = task("billOnDemand").run_once()
        assert errors.items[0].code == "already_running"
        assert Execution.objects.count() == 1


def test_a_handle_says_what_it_is():
    assert repr(task("billOnDemand")) == "task('billOnDemand')"


def test_trigger_costs_three_statements_and_status_one(bill, engine, django_assert_num_queries):
    handle = task("billOnDemand")
    with django_assert_num_queries(3):
        info, _ = handle.run_once()
    with django_assert_num_queries(1):
        handle.get_task_status(info.tracking_id)


@pytest.mark.parametrize("key", [None, "once"])
def test_values_that_no_database_holds_are_answered_as_errors(engine, key):
    make_task(name="give", function="testapp.give")
    deep = []
    for _ in range(5_000):
        deep = [deep]
    for value in (float("nan"), float("inf"), "\ud800", "\x00", deep):
        info, errors = task("give").run_once({"value": value}, idempotency_key=key)
        assert info is None
        assert [item.code for item in errors.items] == ["invalid_parameters"]
    assert not Execution.objects.exists()
