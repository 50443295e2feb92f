"""What is prepared before its instant is written at it, if nobody was there in between; else it is left to the pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections

from django_scheduled_tasks import task as handle
from django_scheduled_tasks.lifecycle import Overlap, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, frozen_at, write_alias
from django_scheduled_tasks.services.scheduling import prefetch
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.tasks.edit import delete_task, pause, update_task
from tests.database import connection
from tests.factories import make_execution, make_task

pytestmark = [
    pytest.mark.every_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="occurrences are prepared on PostgreSQL"),
]
HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}


def prepared_for(task: ScheduledTask) -> prefetch.Prefetched:
    with frozen_at(task.next_run_at - timedelta(milliseconds=30)):
        return prefetch.prefetch(task.next_run_at)


def columns(row: Execution) -> dict[str, object]:
    own = {"id", "tracking_id", "task_id", "task_name", "lock_key", "scheduled_for"}
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname not in own
    }


@pytest.mark.parametrize("overlap", [Overlap.ALLOW, Overlap.SKIP, Overlap.QUEUE_ONE, Overlap.QUEUE_ALL])
def test_it_writes_what_the_pass_would_write(engine, django_assert_num_queries, overlap):
    options = {**HOURLY, "overlap": overlap, "expires_after": timedelta(minutes=5), "max_runs": 3}
    options |= {"function": "testapp.log_in", "params": {"password": "pa55word"}}
    task, other = make_task(name="one", **options), make_task(name="other", **options)
    prepared = prepared_for(task)
    assert {one.execution.task_id for one in prepared.ready} == {task.pk, other.pk}
    assert prepared.is_all
    # What is due at one instant comes in no order.
    prepared = prefetch.Prefetched(sorted(prepared.ready, key=lambda one: one.execution.task_id != task.pk))
    ScheduledTask.objects.filter(pk=other.pk).update(description="something else")  # left to the pass
    with frozen_at(task.next_run_at):
        prefetch.record(prefetch.Prefetched())
        statements = 1 if overlap == Overlap.ALLOW else 4
        first = prefetch.Prefetched(prepared.ready[:1])
        with django_assert_num_queries(statements, connection=connections[write_alias()]):
            (written,) = prefetch.record(first)
        assert [item.tracking_id for item in engine.submitted] == [written.tracking_id]
        assert prefetch.record(prepared) == []
        assert record_due(limit=10).tasks == 1
    one, two = (Execution.objects.get(task=item) for item in (task, other))
    assert one.pk == written.pk
    assert columns(one) == columns(two)
    assert one.secret_params == {"password": True}
    assert (one.scheduled_for, one.triggered_at, one.trigger) == (task.next_run_at, task.next_run_at, Trigger.SCHEDULE)
    for item in (task, other):
        item.refresh_from_db()
    assert (task.next_run_at, task.run_count) == (other.next_run_at, other.run_count)
    assert task.run_count == 1


def _edit(task: ScheduledTask) -> object:
    return update_task(task, params={"a": 7, "b": 1})


BETWEEN: dict[str, Callable[[ScheduledTask], object]] = {
    "pause": lambda task: pause(task, reason="holiday"),
    "edit": _edit,
    "delete": delete_task,
    "another scheduler": lambda _task: record_due(limit=10),
    "plain SQL": lambda task: ScheduledTask.objects.filter(pk=task.pk).update(description="changed"),
}


@pytest.mark.parametrize("overlap", [Overlap.ALLOW, Overlap.SKIP])
@pytest.mark.parametrize("what", BETWEEN)
def test_whoever_changes_the_task_in_between_wins(engine, what, overlap):
    task = make_task(function="testapp.add", params={"a": 1, "b": 1}, overlap=overlap, **HOURLY)
    prepared = prepared_for(task)
    assert len(prepared.ready) == 1
    at = task.next_run_at
    with frozen_at(at):
        BETWEEN[what](task)
        before = Execution.objects.count()
        assert prefetch.record(prepared) == []
        assert Execution.objects.count() == before


def test_a_run_that_is_open_by_then_is_in_the_way(engine):
    task = make_task(overlap="skip", **HOURLY)
    prepared = prepared_for(task)
    info, _errors = handle(task.name).run_once()
    with frozen_at(task.next_run_at):
        assert prefetch.record(prepared) == []
        (skipped,) = record_due(limit=10).executions
    assert skipped.outcome == "skipped"
    assert Execution.objects.get(status=Status.PENDING).tracking_id == info.tracking_id


def test_it_is_not_written_before_the_instant(engine):
    task = make_task(overlap="allow", **HOURLY)
    prepared = prepared_for(task)
    with frozen_at(task.next_run_at - timedelta(milliseconds=1)):
        assert prefetch.record(prepared) == []
    assert not Execution.objects.exists()


def test_an_occurrence_that_has_a_row_gets_no_second_one(engine):
    task = make_task(overlap="allow", **HOURLY)
    prepared = prepared_for(task)
    make_execution(task, scheduled_for=task.next_run_at, status=Status.COMPLETED, outcome="succeeded")
    with frozen_at(task.next_run_at):
        assert prefetch.record(prepared) == []
    assert Execution.objects.count() == 1
    assert engine.submitted == []


@pytest.mark.parametrize(
    "options",
    [
        {"overlap": "cancel_running"},
        {"spread": timedelta(minutes=10)},
        {"function": "gone.away"},
        {"paused_at": "now", "paused_until": "due"},
    ],
    ids=["cancel running", "spread", "gone", "pause ends"],
)
def test_what_is_not_a_plain_start_is_left_to_the_pass(engine, options):
    task = make_task(**HOURLY)
    values = {"now": task.created_at, "due": task.next_run_at}
    ScheduledTask.objects.filter(pk=task.pk).update(**{k: values.get(str(v), v) for k, v in options.items()})
    prepared = prepared_for(task)
    assert prepared.ready == []
    assert not prepared.is_all


def test_of_more_than_are_prepared_the_others_come_with_the_pass(engine, monkeypatch):
    monkeypatch.setattr(prefetch, "MOST", 5)
    tasks = [make_task(name=f"task {number}", overlap="allow", **HOURLY) for number in range(8)]
    prepared = prepared_for(tasks[0])
    assert len(prepared.ready) == 5
    assert not prepared.is_all
    with frozen_at(tasks[0].next_run_at):
        assert len(prefetch.record(prepared)) == 5
        assert record_due(limit=100).tasks == 3
    assert Execution.objects.count() == len(tasks)


OPTIONS = [
    {"overlap": "allow"},
    {"overlap": "skip", "expires_after": timedelta(minutes=1)},
    {"overlap": "queue_one", "concurrency_group": "books"},
    {"overlap": "queue_all", "function": "testapp.add", "params": {"a": 1, "b": 2}},
    {"overlap": "allow", "max_runs": 1},
]


def many(count: int = 40) -> list[ScheduledTask]:
    return [make_task(name=f"task {number}", **HOURLY, **OPTIONS[number % len(OPTIONS)]) for number in range(count)]


def rows_by_task() -> dict[str, dict[str, object]]:
    return {row.task_name: columns(row) | {"scheduled_for": row.scheduled_for} for row in Execution.objects.all()}


def states() -> dict[str, tuple[object, ...]]:
    return {task.name: (task.next_run_at, task.run_count) for task in ScheduledTask.objects.all()}


def test_many_are_written_by_few_statements_as_the_pass_would_write_them(engine, django_assert_num_queries):
    tasks = many()
    at = tasks[0].next_run_at
    before = states()
    prepared = prepared_for(tasks[0])
    assert prepared.is_all
    with frozen_at(at):
        # One alone, which need not be locked if it may overlap; then 2, 4, 8, 16 and 9: begin, lock, write, commit.
        alone = 4 if prepared.ready[0].is_exclusive else 1
        with django_assert_num_queries(alone + 5 * 4, connection=connections[write_alias()]):
            written = prefetch.record(prepared)
        assert [row.tracking_id for row in written] == [one.execution.tracking_id for one in prepared.ready]
        assert [item.tracking_id for item in engine.submitted] == [row.tracking_id for row in written]
        for row in written:
            stored = Execution.objects.get(pk=row.pk)
            assert (stored.tracking_id, stored.triggered_at) == (row.tracking_id, row.triggered_at)
        ours, moved = rows_by_task(), states()
        Execution.objects.all().delete()
        for task in tasks:
            next_run_at, run_count = before[task.name]
            ScheduledTask.objects.filter(pk=task.pk).update(next_run_at=next_run_at, run_count=run_count)
        assert record_due(limit=100).tasks == len(tasks)
    assert ours == rows_by_task()
    assert moved == states()


@pytest.mark.parametrize("what", BETWEEN)
def test_of_many_only_those_that_were_changed_are_left_to_the_pass(engine, what):
    tasks = [make_task(name=f"task {n}", function="testapp.add", params={"a": 1, "b": 1}, **HOURLY) for n in range(12)]
    prepared = prepared_for(tasks[0])
    with frozen_at(tasks[0].next_run_at):
        if what == "another scheduler":
            assert record_due(limit=5).tasks == 5
        else:
            for task in tasks[3:8]:
                BETWEEN[what](task)
        before = Execution.objects.count()
        assert len(prefetch.record(prepared)) == 7
    assert Execution.objects.count() == before + 7


def test_of_many_those_with_an_open_run_are_left_to_the_pass(engine):
    tasks = [make_task(name=f"task {number}", overlap="skip", **HOURLY) for number in range(12)]
    prepared = prepared_for(tasks[0])
    for task in tasks[3:8]:
        handle(task.name).run_once()
    with frozen_at(tasks[0].next_run_at):
        assert len(prefetch.record(prepared)) == 7
        assert {row.outcome for row in record_due(limit=100).executions} == {"skipped"}
    assert Execution.objects.filter(outcome="skipped").count() == 5


def test_two_schedulers_that_prepared_the_same_many_write_each_once(engine):
    """In opposite orders, so that whoever waited for the other would wait for ever."""
    tasks = many(60)
    prepared = prepared_for(tasks[0])
    other = prefetch.Prefetched(list(reversed(prepared_for(tasks[0]).ready)), is_all=True)
    written: list[Execution] = []
    together = threading.Barrier(2)

    def write(ready: prefetch.Prefetched) -> None:
        together.wait(10)
        written.extend(prefetch.record(ready))
        connections.close_all()

    with frozen_at(tasks[0].next_run_at):
        threads = [threading.Thread(target=write, args=[ready]) for ready in (prepared, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        # What neither could have, since the other held it at that moment and then found it done, is nothing's loss.
        record_due(limit=100)
    assert len({row.task_id for row in written}) == len(written)
    assert Execution.objects.count() == len(tasks)
    assert sorted(Execution.objects.values_list("task_name", flat=True)) == sorted(task.name for task in tasks)


def test_planning_many_stops_when_it_is_told_to(engine):
    tasks = [make_task(name=f"task {number}", overlap="allow", **HOURLY) for number in range(3 * prefetch.SLICE)]
    asked: list[bool] = []

    def go_on() -> bool:
        asked.append(True)
        return len(asked) < 2

    with frozen_at(tasks[0].next_run_at - timedelta(seconds=1)):
        prepared = prefetch.prefetch(tasks[0].next_run_at, go_on=go_on)
    assert len(prepared.ready) == 2 * prefetch.SLICE
    assert not prepared.is_all


@pytest.mark.parametrize("count", [prefetch.FEW, prefetch.FEW + 1])
def test_whether_there_are_many_is_known_without_reading_them(engine, count):
    tasks = [make_task(name=f"task {number}", **HOURLY) for number in range(count)]
    assert prefetch.are_many(tasks[0].next_run_at) == (count > prefetch.FEW)
    assert not prefetch.are_many(tasks[0].next_run_at - timedelta(seconds=1))
