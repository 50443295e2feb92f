"""Each execution that has ended is counted exactly once, whatever happens between two steps."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from unittest import mock

import pytest
from django.db import connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from django_scheduled_tasks.db.statements import Statement
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import (
    NO_END,
    Execution,
    ScheduledTask,
    TaskDay,
    TimeBucket,
    Total,
    Uncounted,
    read_now,
)
from django_scheduled_tasks.services.scheduling import rollup
from django_scheduled_tasks.services.scheduling.retention import delete_counted, delete_executions, prune
from django_scheduled_tasks.services.scheduling.rollup import count_now, count_step, count_steps
from django_scheduled_tasks.services.scheduling.tally import OTHER
from django_scheduled_tasks.services.tasks.edit import delete_task
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task
from tests.selection import examples

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BAD = {"status": Status.ERRORS, "outcome": Outcome.FAILED}
DONE = {"status": Status.COMPLETED}


def counted() -> Counter[str]:
    found: Counter[str] = Counter()
    for total in Total.objects.all():
        found += Counter({str(outcome): total.of(outcome) for outcome in Outcome})
    return found


def ranges() -> list[tuple[int, int]]:
    return list(Uncounted.objects.exclude(pk=NO_END).order_by("pk").values_list("first_id", "last_id"))


class World:
    """A ledger of its own, beside ours."""

    def __init__(self) -> None:
        for model in (Execution, TaskDay, TimeBucket, Total, Uncounted, ScheduledTask):
            model.objects.all().delete()
        self.next_id = 1
        self.unseen: list[int] = []
        self.ended: Counter[str] = Counter()
        self.tasks = [make_task(name="one"), make_task(name="two")]

    def write(self, number: int, choice: int) -> None:
        task = self.tasks[choice % len(self.tasks)]
        values = ({}, {"status": Status.PROCESSING}, DONE, BAD)[choice % 4]
        row = make_execution(task, id=number, **values)
        self.ended[row.outcome] += bool(row.outcome)

    def act(self, what: str, choice: int) -> None:
        open_rows = Execution.objects.open().order_by("pk")
        if what == "write":
            self.write(self.next_id, choice)
            self.next_id += 1
        elif what == "id that is not seen yet":
            self.unseen.append(self.next_id)
            self.next_id += 1
        elif what == "commit it" and self.unseen:
            self.write(self.unseen.pop(choice % len(self.unseen)), choice)
        elif what == "end" and open_rows:
            row = open_rows[choice % len(open_rows)]
            outcome = (Outcome.CANCELLED, Outcome.EXPIRED)[choice % 2] if row.status == "pending" else Outcome.TIMED_OUT
            ended = {"status": Status.ERRORS, "outcome": outcome, "completed_at": NOON, "lease_until": None}
            Execution.objects.filter(pk=row.pk).update(**ended)
            self.ended[outcome] += 1
        elif what == "delete some":
            delete_counted(list(Execution.objects.ended().values_list("pk", flat=True))[: choice + 1])
        elif what == "delete a task" and len(self.tasks) > 1:
            delete_task(self.tasks.pop(choice % 2))
        elif what == "crash":
            crash(choice)
        else:
            count_step(limit=1 + choice)


def crash(place: int) -> None:
    """Let a step fail at its statement of this number, if it comes so far."""
    execute, done = Statement.execute, []

    def once(*arguments, **values):
        done.append(1)
        if len(done) > place % 4:
            raise ConnectionError
        return execute(*arguments, **values)

    with (
        mock.patch.object(Statement, "execute", once),
        mock.patch.object(rollup, "_ranges", side_effect=KeyError),
        pytest.raises((ConnectionError, KeyError)),
        transaction.atomic(ALIAS),
    ):
        count_step()


ACTS = (
    *("write", "write", "id that is not seen yet", "commit it", "end", "end"),
    *("delete some", "delete a task", "crash", "count", "count"),
)


@settings(max_examples=examples(200))
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 7)), max_size=40))
def test_the_counts_are_those_of_the_ledger_whatever_happens_between_two_steps(acts):
    world = World()
    for act in acts:
        world.act(*act)
    while not (step := count_step(limit=3)).is_all or step.counted:
        pass
    assert counted() == world.ended
    days = sum(sum(row.of(outcome) for outcome in Outcome) for row in TaskDay.objects.all())
    assert days <= sum(world.ended.values())
    known = [*ranges(), (Uncounted.objects.get(pk=NO_END).first_id, NO_END)]
    assert all(first <= last for first, last in known)
    assert all(one[1] < two[0] for one, two in pairwise(known)), "they do not overlap"
    inside = Execution.objects.ended().values_list("pk", flat=True)
    assert not [n for n in inside if any(first <= n <= last for first, last in known)]


def test_while_another_process_counts_nothing_is_counted_twice(transactional_db):
    if not connections[ALIAS].features.has_select_for_update_skip_locked:
        pytest.skip("here the transaction is the lock")
    row = make_execution(**DONE)
    count_step()
    late = make_execution(row.task, **DONE)

    def other() -> object:
        try:
            return count_step()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, transaction.atomic(ALIAS):
        assert count_now([late.pk]) == 1
        assert pool.submit(other).result(timeout=10) is None
        assert count_now([late.pk]) == 0
    assert count_step().counted == 0
    assert counted() == {"succeeded": 2}


def test_processes_that_count_end_and_delete_at_once_agree_in_the_end(transactional_db):
    if not connections[ALIAS].features.has_select_for_update_skip_locked:
        pytest.skip("here the transaction is the lock")
    task, count = make_task(), 120
    rows = [make_execution(task, status=Status.PROCESSING).pk for _ in range(count)]
    shuffled = random.Random(7).sample(rows, count)
    has_ended, ended = threading.Event(), {"status": Status.COMPLETED, "outcome": Outcome.SUCCEEDED}

    def end() -> None:
        for number in shuffled:
            Execution.objects.filter(pk=number).update(**ended, completed_at=NOON, lease_until=None)
        has_ended.set()

    def until_all_have_ended(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                while not has_ended.is_set():
                    act()
            finally:
                connections.close_all()

        return run

    def delete() -> None:
        delete_executions(list(Execution.objects.ended().order_by("?").values_list("pk", flat=True)[:3]))

    acts = [until_all_have_ended(act) for act in (lambda: count_step(limit=5), lambda: count_step(limit=7), delete)]
    with ThreadPoolExecutor(4) as pool:
        try:
            running = [pool.submit(act) for act in acts]
            end()
        finally:
            has_ended.set()
        for future in running:
            future.result()
    assert 0 < Execution.objects.count() <= count
    while count_step().counted:
        pass
    assert counted() == {"succeeded": count}


def test_what_it_is_that_is_counted():
    task = make_task(name="report", function="testapp.noop")
    times = {"triggered_at": NOON, "scheduled_for": NOON, "trigger": Trigger.SCHEDULE}
    make_execution(task, **times, **DONE, started_at=NOON + SECOND, completed_at=NOON + 3 * SECOND)
    later = {"triggered_at": NOON + 60 * SECOND, "scheduled_for": NOON + 60 * SECOND, "trigger": Trigger.SCHEDULE}
    make_execution(task, **later, **BAD, started_at=NOON + 62 * SECOND, completed_at=NOON + 69 * SECOND, attempt=2)
    missed = {"status": Status.ERRORS, "outcome": Outcome.MISSED, "started_at": None, "occurrences": 5}
    make_execution(task, triggered_at=NOON - timedelta(days=1), completed_at=NOON, **missed)
    count_step()
    total = Total.objects.get()
    assert (total.task_name, total.function) == ("report", "testapp.noop")
    assert (total.succeeded, total.failed, total.missed) == (1, 1, 5)
    assert total.last_success_at == NOON + 3 * SECOND
    assert (total.last_ran_at, total.last_seconds) == (NOON + 69 * SECOND, 7.0)
    first, second = TaskDay.objects.order_by("day")
    assert (first.day, first.missed, first.seconds) == (date(2026, 2, 28), 5, 0.0)
    assert (second.succeeded, second.failed, second.seconds, second.longest) == (1, 1, 9.0, 7.0)
    buckets = set(TimeBucket.objects.values_list("measure", "up_to", "count", "seconds"))
    assert buckets == {("duration", 5_000, 1, 2.0), ("duration", 10_000, 1, 7.0), ("lateness", 1_000, 1, 1.0)}

    make_execution(task, **DONE, started_at=NOON, completed_at=NOON + SECOND)
    count_step()
    total.refresh_from_db()
    assert (total.succeeded, total.last_seconds) == (2, 7.0), "it ended before the one that ended last"


def test_tasks_with_keys_and_those_beyond_the_limit_count_by_function(settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "METRICS_MAX_TASKS": 1}
    keyed, first, second = make_task(name="keyed"), make_task(name="first"), make_task(name="second")
    ScheduledTask.objects.filter(pk=keyed.pk).update(key="a")
    for task in (keyed, first, second, first):
        make_execution(task, **DONE)
    count_step()
    assert set(Total.objects.values_list("task_name", "succeeded")) == {("first", 2), ("", 2)}
    assert set(TaskDay.objects.values_list("task__name", "succeeded")) == {("first", 2), ("second", 1)}

    first.delete()
    make_execution(make_task(name="third"), **DONE)
    gone = make_execution(second, **DONE)
    Execution.objects.filter(pk=gone.pk).update(task=None, task_name="first")
    count_step()
    assert set(Total.objects.values_list("task_name", "succeeded")) == {("first", 3), ("", 3)}, "its place is kept"


def test_a_task_that_has_not_run_yet_counts_from_zero(settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "METRICS_MAX_TASKS": 2}
    tasks = [make_task(name=name) for name in ("one", "two", "three")]
    make_execution(tasks[1], **DONE)
    count_step()
    assert [rollup.name_tasks(NOON) for _ in range(2)] == [1, 0]
    found = Total.objects.order_by("task_name").values_list("task", "task_name", "succeeded")
    assert list(found) == [(tasks[0].pk, "one", 0), (tasks[1].pk, "two", 1)]
    tasks[0].delete()
    again = make_task(name="one")
    make_execution(again, **DONE)
    count_step()
    assert Total.objects.get(task_name="one").task_id == again.pk


def test_functions_beyond_the_limit_count_together(monkeypatch):
    monkeypatch.setattr("django_scheduled_tasks.services.scheduling.tally.MOST_FUNCTIONS", 1)
    for name in ("a.b", "a.c", "a.d"):
        make_execution(make_task(name=f"task {name[-1]}"), function=name, **DONE)
    count_step()
    count_step()
    assert set(Total.objects.values_list("function", flat=True)) == {"a.b", OTHER}
    assert counted() == {"succeeded": 3}


def test_a_range_without_rows_is_forgotten_when_nobody_can_write_into_it_any_more():
    task = make_task()
    make_execution(task, id=1, **DONE)
    make_execution(task, id=4, **DONE)
    make_execution(task, id=5)
    count_step()
    assert ranges() == [(2, 3), (5, 5)]
    young = {"postgresql": timedelta(minutes=9), "mysql": timedelta(hours=23)}.get(connection.vendor)
    if young is not None:
        rollup.forget(read_now() + young)
        assert ranges() == [(2, 3), (5, 5)]
    Uncounted.objects.filter(horizon__isnull=False).update(horizon=1)  # as of a transaction that is long over
    rollup.forget(read_now() + timedelta(minutes=11) + (young or timedelta()) * 1.1)
    assert ranges() == [(5, 5)], "what is open is never forgotten"


@pytest.mark.postgres
def test_on_postgresql_no_transaction_is_too_long_to_be_counted(transactional_db):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL tells which transactions are over")
    task = make_task()
    first, late, last = make_execution(task, **DONE), threading.Event(), threading.Event()

    def write_slowly() -> None:
        try:
            with transaction.atomic(ALIAS):
                make_execution(task, **BAD)
                late.set()
                last.wait(10)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(write_slowly)
        try:
            late.wait(10)
            make_execution(task, **DONE)
            count_step()
            rollup.forget(read_now() + timedelta(days=9))
            assert (first.pk + 1, first.pk + 1) in ranges()
        finally:
            last.set()
        slow.result()
    assert count_step().counted == 1
    assert counted() == {"succeeded": 2, "failed": 1}


def test_what_is_deleted_was_counted_before():
    task = make_task(keep_last=1, keep_for=timedelta(days=1))
    rows = [make_execution(task, triggered_at=NOON, completed_at=NOON, started_at=NOON, **DONE) for _ in range(5)]
    assert prune(dry_run=True).total == 4
    assert not Total.objects.exists()
    assert prune().total == 4
    assert Total.objects.get().task_id == task.pk
    assert delete_executions([row.pk for row in rows]) == 1
    assert list(count_steps()) == [0]
    assert counted() == {"succeeded": 5}


def test_counts_of_tasks_long_gone_and_of_old_days_are_forgotten():
    kept, gone = make_task(name="kept"), make_task(name="gone")
    for task in (kept, gone):
        make_execution(task, triggered_at=NOON, started_at=NOON, completed_at=NOON, **DONE)
    count_step()
    delete_task(gone)
    assert TaskDay.objects.count() == 1
    rollup.forget(NOON + timedelta(days=29))
    assert Total.objects.count() == 2
    rollup.forget(NOON + timedelta(days=31))
    assert Total.objects.get().task_name == "kept"
    rollup.forget(NOON + timedelta(days=402))
    assert not TaskDay.objects.exists()


def test_an_idle_step_reads_and_writes_nothing(django_assert_num_queries):
    make_execution(**DONE)
    count_step()
    before = Uncounted.objects.get(pk=NO_END)
    with django_assert_num_queries(6):  # the savepoint, the lock, two reads, and whether there are ranges
        assert count_step().counted == 0
    assert Uncounted.objects.get(pk=NO_END).first_id == before.first_id
