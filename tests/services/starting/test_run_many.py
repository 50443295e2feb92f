"""Starting a task many times with one call."""

from __future__ import annotations

import threading

import pytest

from django_scheduled_tasks import task as facade
from django_scheduled_tasks.exceptions import (
    AlreadyRunning,
    IdempotencyMismatch,
    InvalidInput,
    InvalidParameters,
    PermissionDenied,
    ScheduledTasksError,
    TaskNotFound,
)
from django_scheduled_tasks.lifecycle import Overlap, Status, Trigger
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.planner import QUEUE_ALL_CAP
from django_scheduled_tasks.services.starting.run_many import run_many
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.signals import execution_queued
from tests.database import connection
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def rows_of(done) -> list[Execution]:
    return [item for item in done.items if isinstance(item, Execution)]


def codes(done) -> list[str]:
    return [item.code if isinstance(item, ScheduledTasksError) else "" for item in done.items]


def test_each_row_is_the_one_that_run_once_would_have_written(engine):
    user, task = make_user(), make_task(function="testapp.add", params={"a": 1, "b": 2}, overlap="allow")
    alone = run_once(task, params={"b": 3}, reason=" month end ", user=user, trigger=Trigger.API).execution
    done = run_many(task, [{"b": 3}, None, {"a": 9}], reason=" month end ", user=user, trigger=Trigger.API)
    assert [row.params for row in rows_of(done)] == [{"a": 1, "b": 3}, {"a": 1, "b": 2}, {"a": 9, "b": 2}]
    own = {"id", "tracking_id", "triggered_at", "send_at"}
    wanted, written = (Execution.objects.values().get(pk=row.pk) for row in (alone, rows_of(done)[0]))
    assert {k: v for k, v in written.items() if k not in own} == {k: v for k, v in wanted.items() if k not in own}
    assert [row.pk for row in rows_of(done)] == sorted(row.pk for row in rows_of(done))


def test_one_that_is_wrong_does_not_stop_the_others_and_says_where_it_is(engine):
    task = make_task(function="testapp.add", params={"a": 1, "b": 2}, overlap="allow")
    infos, errors = facade(task.name).run_many([{"a": 5}, {"a": "x"}, [1], {"a": 6}])
    assert [info is not None for info in infos] == [True, False, False, True]
    assert [(item.code, item.details["index"]) for item in errors.items] == [("invalid_parameters", 1)] * 1 + [
        ("invalid_parameters", 2)
    ]
    assert Execution.objects.count() == 2


def test_what_is_wrong_with_all_of_them_writes_nothing(engine):
    task = make_task(overlap="allow")

    def refuse(_task):
        raise PermissionDenied

    for wrong, error in (
        ({"reason": "x" * 501}, InvalidInput),
        ({"overlap": Overlap.CANCEL_RUNNING}, InvalidInput),
        ({"idempotency_key": ""}, InvalidInput),
        ({"authorize": refuse}, PermissionDenied),
    ):
        with pytest.raises(error):
            run_many(task, [None, None], **wrong)
    with pytest.raises(TaskNotFound):
        run_many("nobody", [])
    infos, errors = facade("nobody").run_many([None])
    assert (infos, errors.status) == ((), 404)
    assert not Execution.objects.exists()


def test_a_task_that_lets_nothing_run_beside_it_runs_them_one_at_a_time(engine):
    task = make_task(overlap="skip")
    make_execution(task, status=Status.PROCESSING)
    done = run_many(task, [None] * 3)
    assert codes(done) == [""] * 3
    assert {row.lock_key for row in rows_of(done)} == {task.lock_key_for(Overlap.QUEUE_ALL)}


@pytest.mark.parametrize(("overlap", "open_ones", "expected"), [("skip", 0, 1), ("skip", 1, 0), ("queue_one", 1, 1)])
def test_a_policy_that_is_asked_for_counts_as_if_they_came_one_by_one(engine, overlap, open_ones, expected):
    task = make_task(overlap="allow")
    for _ in range(open_ones):
        make_execution(task, status=Status.PROCESSING)
    done = run_many(task, [None] * 3, overlap=Overlap(overlap))
    assert codes(done) == [""] * expected + ["already_running"] * (3 - expected)
    first = Execution.objects.filter(task=task).order_by("id").first() if overlap == "skip" else rows_of(done)[0]
    for refused in done.items[expected:]:
        assert isinstance(refused, AlreadyRunning)
        assert refused.tracking_id == first.tracking_id


def test_no_more_wait_than_queue_all_allows(engine):
    task = make_task(overlap="skip")
    done = run_many(task, [None] * (QUEUE_ALL_CAP + 2))
    assert codes(done)[-3:] == ["", "already_running", "already_running"]


def test_the_same_key_and_request_answer_what_was_started_and_start_what_was_not(engine):
    task = make_task(function="testapp.add", params={"a": 1, "b": 2}, overlap="skip")
    asked = [{"a": 5}, {"a": "x"}, {"a": 6}]
    first = run_many(task, asked, overlap=Overlap.SKIP, idempotency_key="k")
    assert codes(first) == ["", "invalid_parameters", "already_running"]
    Execution.objects.update(status=Status.COMPLETED, outcome="succeeded", completed_at=rows_of(first)[0].triggered_at)
    second = run_many(task, asked, overlap=Overlap.SKIP, idempotency_key="k")
    assert codes(second) == ["", "invalid_parameters", ""]
    assert second.items[0] == first.items[0]
    assert not second.replayed
    with pytest.raises(IdempotencyMismatch):
        run_many(task, [{"a": 5}], idempotency_key="k")
    assert Execution.objects.count() == 2


def test_a_key_of_many_is_none_of_one(engine):
    task = make_task(overlap="allow")
    run_many(task, [None, None], idempotency_key="k")
    assert run_many(task, [None, None], idempotency_key="k").replayed
    assert not run_once(task, idempotency_key="k").replayed
    assert Execution.objects.count() == 3


def test_a_batch_costs_the_same_few_statements_however_many_it_has(engine, django_assert_num_queries):
    task = make_task(overlap="allow")
    run_many(task, [None])
    no_keys = not connection.features.can_return_rows_from_bulk_insert
    with django_assert_num_queries(2 + no_keys):  # the lock and the rows
        run_many(task, [{}] * 500)
    with django_assert_num_queries(2 * (2 + no_keys)):
        run_many(task, [{}] * 501)


def test_each_is_announced_and_sent(engine, django_capture_on_commit_callbacks):
    task, heard = make_task(overlap="allow"), []

    def hear(execution, **_rest):
        heard.append(execution.pk)

    execution_queued.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            done = run_many(task, [None] * 5)
    finally:
        execution_queued.disconnect(hear)
    assert heard == [row.pk for row in rows_of(done)]
    assert None not in heard
    assert {one.tracking_id for one in engine.submitted} == {row.tracking_id for row in rows_of(done)}
    assert all(one.may_share for one in engine.submitted)


@pytest.mark.django_db(transaction=True)
def test_of_the_same_call_twice_at_once_one_starts_them(engine):
    if connection.vendor == "sqlite":
        pytest.skip("one connection writes at a time")
    task, found = make_task(overlap="allow"), []

    def act() -> None:
        from django.db import connections

        try:
            found.append(run_many(task.pk, [None] * 20, idempotency_key="k"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert Execution.objects.count() == 20
    assert sorted(done.replayed for done in found) == [False, True, True, True]
    assert len({tuple(row.tracking_id for row in rows_of(done)) for done in found}) == 1


def test_what_is_said_to_be_wrong_is_a_parameter(engine):
    done = run_many(make_task(overlap="allow"), ["x"])
    assert isinstance(done.items[0], InvalidParameters)
