"""A task that may overlap is started without locking it, if it is as it was; whoever changed it in between wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections, transaction

from django_scheduled_tasks import task as handle
from django_scheduled_tasks.exceptions import InvalidParameters, TaskNotFound
from django_scheduled_tasks.models import Execution, ScheduledTask, frozen_at, read_now, write_alias
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.edit import delete_task, pause, update_task
from django_scheduled_tasks.store import tasks
from tests.database import connection
from tests.factories import make_task

pytestmark = [
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="on other databases the task is always locked"),
]
PARAMS = {"a": 1, "b": 2}


@pytest.fixture(autouse=True)
def _nothing_known():
    tasks._known.clear()


@pytest.fixture
def adding(engine) -> ScheduledTask:
    """Return a task that was run before by this process."""
    task = make_task(name="adding", function="testapp.add", params=PARAMS, overlap="allow")
    run_once("adding")
    return task


def columns(row: Execution) -> dict[str, object]:
    own = {"id", "tracking_id"}
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname not in own
    }


@pytest.mark.parametrize("name", ["adding", "ADDING"])
def test_the_second_run_is_one_statement_and_the_same_row(engine, django_assert_num_queries, admin_user, name):
    make_task(
        name="adding",
        function="testapp.add",
        params=PARAMS,
        overlap="allow",
        expires_after=timedelta(minutes=5),
        concurrency_group="books",
    )
    with frozen_at(read_now()):
        asked = {"params": {"a": 7}, "reason": "again", "user": admin_user}
        first = run_once(name, **asked).execution
    with frozen_at(first.triggered_at + timedelta(hours=1)):
        with django_assert_num_queries(1, connection=connections[write_alias()]):
            second = run_once(name, **asked).execution
        Execution.objects.filter(pk=first.pk).delete()
        tasks._known.clear()
        third = run_once(name, **asked).execution
    read = Execution.objects.get(pk=second.pk)
    assert columns(read) == columns(Execution.objects.get(pk=third.pk))
    assert columns(read) == columns(second)
    assert read.expires_at == read.triggered_at + timedelta(minutes=5)
    assert [item.tracking_id for item in engine.submitted] == [row.tracking_id for row in (first, second, third)]


def _renamed(task: ScheduledTask) -> None:
    update_task(task, name="other")
    make_task(name="adding", function="testapp.add", params={"a": 5, "b": 5}, overlap="allow")


CHANGES: dict[str, Callable[[ScheduledTask], object]] = {
    "its parameters": lambda task: update_task(task, params={"a": 5, "b": 5}),
    "plain SQL": lambda task: ScheduledTask.objects.filter(pk=task.pk).update(params={"a": 5, "b": 5}),
    "its name, which another one has now": _renamed,
}


@pytest.mark.parametrize("what", CHANGES)
def test_whoever_changes_the_task_in_between_wins(adding, what):
    assert run_once("adding").execution.params == PARAMS
    CHANGES[what](adding)
    for _ in range(2):
        execution = run_once("adding").execution
        assert execution.params == {"a": 5, "b": 5}
        assert execution.task == ScheduledTask.objects.get(name="adding")


def test_a_task_that_may_no_longer_overlap_does_not(adding):
    update_task(adding, overlap="skip")
    info, errors = handle("adding").run_once()
    assert info is None
    assert errors.items[0].code == "already_running"


def test_a_policy_for_one_run_locks_the_task(adding):
    info, errors = handle("adding").run_once(overlap="skip")
    assert info is None
    assert errors.items[0].code == "already_running"


def test_a_task_that_is_paused_still_runs_by_hand(adding):
    pause(adding, reason="holiday")
    assert run_once("adding").execution.task.paused_at is not None


def test_a_task_that_was_deleted_is_not_found(adding):
    delete_task(adding)
    with pytest.raises(TaskNotFound):
        run_once("adding")


def test_who_is_about_to_delete_the_task_is_waited_for(adding):
    """Else the deletion would meet an execution that refers to what it deletes."""
    alias, found = write_alias(), []

    def run() -> None:
        found.append(handle("adding").run_once())
        connections.close_all()

    with transaction.atomic(using=alias):
        ScheduledTask.objects.using(alias).select_for_update().get(pk=adding.pk)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        Execution.objects.using(alias).filter(task=adding).update(task=None)
        ScheduledTask.objects.using(alias).filter(pk=adding.pk).delete()
    thread.join(20)
    ((info, errors),) = found
    assert info is None
    assert errors.items[0].code == "task_not_found"


def test_within_a_transaction_its_own_changes_count_even_two_of_them(adding):
    with transaction.atomic(using=write_alias()):
        for number in range(3):
            ScheduledTask.objects.filter(pk=adding.pk).update(params={"a": number, "b": number})
            assert run_once("adding").execution.params == {"a": number, "b": number}
        transaction.set_rollback(True, using=write_alias())
    assert run_once("adding").execution.params == PARAMS


def test_permission_is_asked_of_the_task_as_it_is_now(adding):
    def only_described(task: ScheduledTask) -> None:
        if not task.description:
            raise PermissionError

    with pytest.raises(PermissionError):
        run_once("adding", authorize=only_described)
    ScheduledTask.objects.filter(pk=adding.pk).update(description="by the public")
    assert run_once("adding", authorize=only_described).execution.pk
    ScheduledTask.objects.filter(pk=adding.pk).update(description="")
    before = Execution.objects.count()
    with pytest.raises(PermissionError):
        run_once("adding", authorize=only_described)
    assert Execution.objects.count() == before


def test_what_is_wrong_is_said_as_ever(adding):
    with pytest.raises(InvalidParameters):
        run_once("adding", params={"a": "many"})


def test_what_is_done_to_the_task_of_an_execution_is_not_kept(adding):
    run_once("adding").execution.task.params["a"] = 99
    assert run_once("adding").execution.params == PARAMS


def test_a_row_that_is_another_task_of_the_same_name_is_not_taken_for_it(adding):
    """A row in somebody's hands may have been renamed since."""
    update_task(adding, name="other")
    make_task(name="adding", function="testapp.add", params={"a": 5, "b": 5}, overlap="allow")
    run_once("adding")
    stale = ScheduledTask(pk=adding.pk, name="adding")
    assert run_once(stale).execution.task_name == "other"


def test_a_process_keeps_so_many_tasks_and_no_more(engine, monkeypatch):
    monkeypatch.setattr(tasks, "MOST_KNOWN", 3)
    for number in range(7):
        make_task(name=f"task {number}", overlap="allow")
        run_once(f"task {number}")
        assert len(tasks._known) <= 3


def test_what_is_looked_up_by_its_id_is_not_kept_under_it(adding):
    """An id wins over a name that looks like it, also if that is known and the id is not."""
    late = make_task(name=str(adding.pk), overlap="allow")
    assert run_once(late).execution.task == late
    for _ in range(2):
        assert run_once(str(adding.pk)).execution.task == adding
