"""Each statement that is written by hand can be explained by the database, and does what the ORM would do."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest
from django.db import connections

from django_scheduled_tasks import store
from django_scheduled_tasks.db.connections.cursor import binding_cursor
from django_scheduled_tasks.db.loaders import RowLoader
from django_scheduled_tasks.db.statements import Json, Statement
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Execution, ScheduledTask, database_now, frozen_at, read_now
from django_scheduled_tasks.store import claim, due, executions, insert, keys, prefetch, tasks
from django_scheduled_tasks.store.reading import outlook, recent
from django_scheduled_tasks.store.reading.left import Left
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]

ONLY_POSTGRES = {"CLAIM", "INSERT_OPTIMISTIC", "COUNT_DUE", "READ_DUE", "LOCK_READY", "RECORD_READY"} | {
    "DATABASE",
    "CLUSTER",
    "ISOLATION",
}
only_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL runs this statement")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def statements() -> dict[str, Statement]:
    found = {}
    for module in pkgutil.walk_packages(store.__path__, f"{store.__name__}."):
        names = vars(importlib.import_module(module.name))
        found |= {name: value for name, value in names.items() if isinstance(value, Statement)}
    return found


WRITTEN_VALUES = dict.fromkeys(insert.WRITTEN) | {"params": {}, "tracking_id": uuid4(), "status": "pending"}
ON_POSTGRES = connection.vendor == "postgresql"
NEW_TASK = dict.fromkeys(keys.INSERTED) | {"id": uuid4(), "params": {}, "retry_on": Json([]), "enabled": True}
NEW_CHANGE = dict.fromkeys(keys.RECORDED) | {"at": NOW, "fields": Json([])}
NO_BUCKET = {"function": "a.b", "measure": "duration", "up_to": 100}
ALL = {"all": "[]"} if ON_POSTGRES else {}
NO_COUNTS = dict.fromkeys(map(str, Outcome), 0)
NO_TOTAL = dict.fromkeys(("last_success_at", "last_seconds", "last_ran_at", "task_id")) | {
    "task_name": "",
    "function": "a.b",
    "last_end_at": NOW,
}
LEFT = {"left_function": "a.b", "left_kind": "", "left_zone": "Mars/Olympus", "left_id": uuid4()}
VALUES = {
    "LOAD": {"tracking_id": uuid4()},
    "READ": {"tracking_id": uuid4()},
    "LOCK": {"name_key": "a", "id": uuid4()},
    "LOCK_DUE": {"limit": 5, "rows": [LEFT]},
    "MOVE_ON": {
        "rows": [
            {"id": uuid4(), "next_run_at": NOW, "run_count": 1},
            {"id": uuid4(), "next_run_at": None, "run_count": 2},
        ]
    },
    "LOOK": {"rows": [LEFT]},
    "FIRST_OF_DAYS": {"rows": [{"at": NOW}, {"at": NOW + timedelta(days=1)}]},
    "ENDS_BY_DAY": {"rows": [{"task_id": uuid4(), "first": 1, "last": 2}], "count": 5},
    "HELD": {"tracking_id": uuid4()},
    "HELD_TASKS": {},
    "RELEASE": {"id": 1},
    "RUNNING": {"id": 1, "limit": 5},
    "CLAIM": {
        "tracking_id": uuid4(),
        "lease": timedelta(seconds=60),
        "overtime": timedelta(seconds=5),
        "host": "here",
        "pid": 1,
        "release": "abc",
    },
    "CLAIM_LOADED": {
        "tracking_id": uuid4(),
        "attempt": 1,
        "lock_key": "a",
        "started_at": NOW,
        "lease_until": NOW,
        "host": "here",
        "pid": 1,
        "release": "abc",
    },
    "INSERT": WRITTEN_VALUES,
    "INSERT_MISSING": {"rows": [WRITTEN_VALUES, WRITTEN_VALUES]},
    "INSERT_MANY": {**WRITTEN_VALUES, "rows": [WRITTEN_VALUES, WRITTEN_VALUES]},
    "INSERT_OPTIMISTIC": {
        **{name: value for name, value in WRITTEN_VALUES.items() if not name.endswith("_at")},
        "not_before": None,
        "version": "1",
        "send_after": timedelta(1),
        "expire_after": None,
        "task_id": uuid4(),
        "completed_at": None,
        "scheduled_for": None,
    },
    "READ_KEYS": {"rows": [{"key": "a"}, {"key": "b"}]},
    "LOCK_IDS": {"rows": [{"id": uuid4()}, {"id": uuid4()}]},
    "COUNT_KEYED": {"rows": [{"function": "a.b"}, {"function": "a.c"}], "most": 5},
    "FIND_IDS": {"rows": [{"id": uuid4()}, {"id": uuid4()}]},
    "INSERT_TASKS": {"all": "[]"} if ON_POSTGRES else {"rows": [NEW_TASK, NEW_TASK]},
    "REPLACE_TASKS": {"all": "[]"} if ON_POSTGRES else {"rows": [dict.fromkeys(keys.REPLACED) | NEW_TASK] * 2},
    "INSERT_CHANGES": {"all": "[]"} if ON_POSTGRES else {"rows": [NEW_CHANGE, NEW_CHANGE]},
    "COUNT_DUE": {"at": NOW, "limit": 9, "rows": [LEFT]},
    "READ_DUE": {"at": NOW, "limit": 9, "rows": [LEFT]},
    "DATABASE": {},
    "ISOLATION": {},
    "NEWEST_ALONE": {},
    "CLUSTER": {},
    "NEWEST": {"rows": [{"task_id": uuid4()}, {"task_id": uuid4()}], "count": 3},
    "NUMBERS": {"rows": [{"task_id": uuid4()}, {"task_id": uuid4()}], "count": 3},
    "ENDS": {"rows": [{"task_id": uuid4()}, {"task_id": uuid4()}], "count": 3},
    "OPEN": {"limit": 9},
    "SIGNS": {"since": NOW, "limit": 9},
    "LAST_SUCCESS": {"rows": [{"task_id": uuid4()}, {"task_id": uuid4()}]},
    "TOTALS": {},
    "NEXT_RUNS": {},
    "GAUGES": {},
    "ENDED_BEFORE": {"limit": 5},
    "WRITTEN_SINCE": {"first_id": 1, "limit": 5},
    "ENDED_OF": {"rows": [{"id": 1}, {"id": 2}]},
    "FORGET_EMPTY": {"soon": NOW, "late": NOW},
    "NOW_AND_HORIZON": {},
    "ADD_TO_DAYS": ALL
    or {"rows": [NO_COUNTS | {"task_id": uuid4(), "day": NOW.date(), "seconds": 1.5, "longest": 1.0}]},
    "ADD_TO_TOTALS": ALL or {"rows": [NO_COUNTS | NO_TOTAL] * 2},
    "ADD_TO_BUCKETS": ALL or {"rows": [NO_BUCKET | {"count": 1, "seconds": 0.1}]},
    "LOCK_READY": {"task_id": [uuid4()], "version": ["1"]},
    "RECORD_READY": {name: [None] for name in prefetch._READY | prefetch._OWN} | {"params": [{}]},
}
"""Values with which each can be explained."""


def test_no_statement_is_without_values():
    assert set(statements()) == set(VALUES)


@pytest.mark.parametrize("frozen", [False, True], ids=["", "the clock stopped"])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_the_database_can_explain_it(name, frozen):
    if name in ONLY_POSTGRES and connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL runs this statement")
    values = dict(VALUES[name])
    rows = values.pop("rows", ())

    def explain() -> list[object]:
        statement = statements()[name]
        explained = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with binding_cursor(connections[ALIAS]) as cursor:
            sql = f"{explained} {statement.sql(rows=len(rows))}"
            cursor.execute(sql, statement.parameters(rows, **values))
            return list(cursor.fetchall())

    if name.startswith(("INSERT", "REPLACE", "ADD")) and connection.vendor == "sqlite":
        explain()  # it has no plan for plain values
    elif frozen:
        with frozen_at(NOW):
            assert explain()
    else:
        assert explain()


def columns(row, without: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in without
    }


@pytest.fixture
def full_task() -> ScheduledTask:
    return make_task(
        name="full",
        function="testapp.add",
        params={"a": 1, "b": 2},
        schedule_kind="cron",
        expression="0 3 * * *",
        timezone="Europe/Berlin",
        expires_after=timedelta(hours=3),
        timeout=timedelta(minutes=1),
        max_runtime=timedelta(seconds=30),
        grace=timedelta(minutes=5),
        retry_on=["ValueError"],
        keep_for=timedelta(days=3),
    )


@pytest.fixture
def full_execution(full_task) -> Execution:
    return make_execution(
        full_task,
        trigger=Trigger.ADMIN,
        triggered_by=make_user(),
        reason="why, “really”",
        params={"a": 1, "b": [None, "ü", {"c": 0.5}]},
        scheduled_for=NOW,
        expires_at=NOW + timedelta(days=9000),
        lock_key="task:x",
        send_at=NOW,
    )


# --- what is read -------------------------------------------------------------------------------------------------


def test_an_execution_is_read_as_the_orm_reads_it(full_execution):
    expected = Execution.objects.select_related("task").get(pk=full_execution.pk)
    loaded = executions.load(full_execution.tracking_id)
    read = executions.read(full_execution.tracking_id)
    assert columns(loaded) == columns(read) == columns(expected)
    assert columns(loaded.task) == columns(expected.task)
    assert abs(loaded.database_now - read_now()) < timedelta(seconds=20)
    assert loaded.database_now.tzinfo is UTC
    assert (loaded._state.db, loaded._state.adding) == (expected._state.db, False)


def test_an_execution_whose_task_is_gone_has_none(full_execution):
    Execution.objects.update(task=None)
    assert executions.load(full_execution.tracking_id).task is None
    assert executions.load(uuid4()) is None
    assert executions.load("no id") is None


def test_a_task_is_locked_and_read_as_the_orm_reads_it(full_task):
    expected = ScheduledTask.objects.get(pk=full_task.pk)
    for name in ("full", "FULL", str(full_task.pk), full_task.pk):
        assert columns(tasks.lock_task(name)) == columns(expected)


def test_what_is_not_read_is_asked_for_when_it_is_needed(full_execution, django_assert_num_queries):
    loader = RowLoader(Execution, without=frozenset({"params"}))
    statement = Statement("SELECT {e.columns} FROM {executions} e", returns=(loader,), e=loader, executions=Execution)
    ((row,),) = statement.fetch()
    with django_assert_num_queries(1):
        assert row.params == full_execution.params


def test_the_due_tasks_are_those_of_the_orm_and_move_on_as_with_bulk_update():
    now = read_now()
    for number, seconds in enumerate((5, -3, -7, -1)):
        make_task(name=f"task {number}")
        ScheduledTask.objects.filter(name=f"task {number}").update(next_run_at=now + timedelta(seconds=seconds))
    expected = list(ScheduledTask.objects.filter(next_run_at__lte=database_now()).order_by("next_run_at"))
    found = due.lock_due_tasks(10)
    assert [columns(row) for row in found] == [columns(row) for row in expected]
    assert due.lock_due_tasks(1) == expected[:1]
    for number, row in enumerate(found):
        row.run_count, row.next_run_at = number + 7, None if number == 1 else now + timedelta(days=number)
    due.update_next_runs(found)
    for row in found:
        assert columns(ScheduledTask.objects.get(pk=row.pk)) == columns(row)


def test_tasks_that_are_left_to_others_are_neither_looked_at_nor_locked():
    now = read_now()
    names = ("function", "kind", "zone", "id", "none")
    rows = {name: make_task(name=f"left {name}") for name in names}
    ScheduledTask.objects.update(next_run_at=now - timedelta(seconds=9))
    ScheduledTask.objects.filter(pk=rows["none"].pk).update(next_run_at=now - timedelta(seconds=1))
    ScheduledTask.objects.filter(pk=rows["function"].pk).update(function="shop.gone")
    ScheduledTask.objects.filter(pk=rows["kind"].pk).update(schedule_kind="moon")
    ScheduledTask.objects.filter(pk=rows["zone"].pk).update(timezone="Mars/Olympus")
    left = [
        Left(function="shop.gone"),
        Left(schedule_kind="moon"),
        Left(timezone="Mars/Olympus"),
        Left(task_id=rows["id"].pk),
    ]
    assert [task.name for task in due.lock_due_tasks(9, left)] == ["left none"]
    assert len(due.lock_due_tasks(9)) == 5
    assert outlook.look(left).next_run_at == now - timedelta(seconds=1)
    if connection.vendor == "postgresql":
        assert prefetch.count_due(now, most=9, left=left) == 1
        assert [task.name for task, _version in prefetch.read_due(now, most=9, left=left)] == ["left none"]


def test_a_look_says_what_three_queries_of_the_orm_say(full_execution):
    now = read_now()
    ScheduledTask.objects.update(next_run_at=now + timedelta(hours=1))
    running = make_execution(make_task(name="other"))
    lease_until = now + timedelta(minutes=1)
    Execution.objects.filter(pk=running.pk).update(status=Status.PROCESSING, started_at=now, lease_until=lease_until)
    found = outlook.look()
    assert (found.next_run_at, found.send_at, found.lease_until) == (now + timedelta(hours=1), NOW, lease_until)
    assert found.next_at() == NOW


def test_the_newest_executions_of_several_tasks_are_those_of_the_orm():
    rows = [make_task() for _ in range(3)]
    for row in (*rows, *rows[:2], rows[0]):
        make_execution(row, status=Status.ERRORS, error_message="x" * 400, error_type="ValueError")
    found = recent.newest_executions([row.pk for row in rows], count=2)
    expected = [one for row in rows for one in Execution.objects.filter(task=row).order_by("-pk")[:2]]
    assert {row.pk for row in found} == {row.pk for row in expected}
    for row in found:
        assert columns(row) == columns(Execution.objects.get(pk=row.pk))
        assert row.error_line == "x" * recent.ERROR_LINE
    ends = recent.newest_ends([row.pk for row in rows], count=1)
    assert {one[0] for one in ends} == {row.pk for row in rows}
    newest = Execution.objects.filter(task=rows[0]).order_by("-pk").first()
    assert (rows[0].pk, newest.status, newest.started_at, newest.completed_at) in ends
    assert recent.newest_executions([], count=2) == recent.newest_ends([], count=2) == []


# --- what is written ----------------------------------------------------------------------------------------------


def new_row(task: ScheduledTask, **values: object) -> Execution:
    given = {
        "task": task,
        "task_name": task.name,
        "function": task.function,
        "trigger": Trigger.PYTHON,
        "params": {"a": [1, None, "ü'%"]},
        "triggered_at": NOW,
        "scheduled_for": NOW,
        "send_at": NOW,
        "reason": "it's 100 %",
        "lock_key": "task:x",
        "expires_at": NOW + timedelta(days=1),
        "submissions": 1,
    }
    return Execution(**(given | values))


def test_an_inserted_row_is_as_the_orm_saves_it(full_task, admin_user):
    by_hand, by_orm = (new_row(full_task, replay=number, triggered_by=admin_user) for number in range(2))
    insert.insert(by_hand)
    by_orm.save()
    own = ("id", "tracking_id", "replay")
    read = Execution.objects.get(pk=by_hand.pk)
    assert columns(read, own) == columns(Execution.objects.get(pk=by_orm.pk), own)
    assert read.tracking_id == by_hand.tracking_id
    assert (by_hand._state.adding, by_hand._state.db) == (False, by_orm._state.db)


def test_rows_are_inserted_as_with_bulk_create_that_ignores_conflicts(full_task):
    there = new_row(full_task)
    there.save()
    missed = {"status": Status.ERRORS, "outcome": Outcome.MISSED, "completed_at": NOW, "error_code": "missed"}
    later = [NOW + timedelta(minutes=number) for number in range(1, 4)]
    rows = [new_row(full_task, scheduled_for=at, **(missed if number else {})) for number, at in enumerate(later)]
    insert.insert_missing([new_row(full_task), *rows])
    found = {row.scheduled_for: row for row in Execution.objects.all()}
    assert len(found) == 4
    assert found[NOW].tracking_id == there.tracking_id
    for row in rows:
        assert columns(found[row.scheduled_for], ("id",)) == columns(row, ("id",))
    insert.insert_missing([])


def test_more_rows_than_a_statement_takes_are_all_inserted(full_task, monkeypatch):
    monkeypatch.setattr(insert, "MOST_ROWS", 3)
    insert.insert_missing([new_row(full_task, scheduled_for=NOW + timedelta(minutes=number)) for number in range(8)])
    assert Execution.objects.count() == 8


def test_each_column_that_no_statement_writes_has_a_default_that_stands_in_its_text():
    names = {field.column for field in Execution._meta.concrete_fields} - {"id"}
    assert set(insert.WRITTEN) <= names
    assert names - set(insert.WRITTEN) <= set(insert.default_literals(Execution))


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_loaded_execution_is_claimed_as_a_transition_would(full_execution, attempt):
    Execution.objects.update(attempt=attempt, error_code="failed", error_message="No.", progress_current=3)
    row = executions.load(full_execution.tracking_id)
    until = NOW + timedelta(seconds=60)
    assert claim.claim_loaded(row, started_at=NOW, lease_until=until)
    claimed = Execution.objects.get(pk=row.pk)
    Execution.objects.update(
        status=Status.PENDING,
        started_at=None,
        lease_until=None,
        exclusive_key=None,
        worker_host="",
        worker_pid=None,
    )
    changes = {"worker_host": claim.HOST, "worker_pid": claimed.worker_pid, "exclusive_key": row.lock_key}
    changes |= {"error_code": "", "error_message": "", "progress_current": None}
    assert Execution.objects.transition(
        row.tracking_id, Status.PROCESSING, attempt=attempt, started_at=NOW, lease_until=until, **changes
    )
    assert columns(claimed) == columns(Execution.objects.get(pk=row.pk))
    assert not claim.claim_loaded(row, started_at=NOW, lease_until=until)


@only_postgres
def test_one_statement_claims_as_two_would(full_execution):
    with frozen_at(NOW + timedelta(hours=1)):
        row = executions.load(full_execution.tracking_id)
        until = row.database_now + timedelta(seconds=60)
        assert claim.claim_loaded(row, started_at=row.database_now, lease_until=until)
        expected = columns(Execution.objects.get(pk=row.pk))
        Execution.objects.update(
            status=Status.PENDING,
            started_at=None,
            lease_until=None,
            exclusive_key=None,
            worker_host="",
            worker_pid=None,
        )
        claimed = claim.claim(full_execution.tracking_id)
        assert columns(Execution.objects.get(pk=row.pk)) == expected
        assert claimed.database_now == row.database_now
        assert claimed.task.timeout == timedelta(minutes=1)
        assert claim.claim(full_execution.tracking_id) is None


@only_postgres
def test_prefetched_occurrences_are_recorded_as_insert_missing_would(full_task):
    other = make_task(name="other")
    now = read_now()
    ScheduledTask.objects.update(next_run_at=now - timedelta(seconds=1))
    found = prefetch.read_due(now, most=5)
    assert {columns(task)["name"] for task, _version in found} == {"full", "other"}
    assert prefetch.count_due(now, most=1) == 1
    ready = []
    for number, (task, version) in enumerate(found):
        values = {"trigger": Trigger.SCHEDULE, "reason": "", "params": task.params}
        values |= {"expires_at": None} if number else {}
        ready.append(
            prefetch.Ready(new_row(task, **values), version, None if number else now, number + 3, is_exclusive=True)
        )
    with frozen_at(now):
        assert prefetch.lock_ready(ready) == ready
        written = prefetch.record_ready(ready)
    assert written == [one.execution for one in ready]
    for one in ready:
        row = Execution.objects.get(pk=one.execution.pk)
        assert columns(row, ("triggered_at",)) == columns(one.execution, ("triggered_at",))
        assert row.triggered_at == now == one.execution.triggered_at
        task = ScheduledTask.objects.get(pk=row.task_id)
        assert (task.next_run_at, task.run_count) == (one.next_run_at, one.run_count)
    assert prefetch.record_ready(ready) == []
    assert other.pk in {row.task_id for row in written}


# --- tasks by their keys ------------------------------------------------------------------------------------------


def test_tasks_are_found_by_key_and_locked_by_id_as_the_orm_reads_them(full_task):
    ScheduledTask.objects.filter(pk=full_task.pk).update(key="K")
    expected = ScheduledTask.objects.get(pk=full_task.pk)
    assert {key: columns(row) for key, row in keys.read_by_key(["k", "K"]).items()} == {"K": columns(expected)}
    found = keys.lock_by_id([full_task.pk, uuid4()])
    assert {pk: columns(row) for pk, row in found.items()} == {full_task.pk: columns(expected)}


def twin(task: ScheduledTask, **values: object) -> ScheduledTask:
    return ScheduledTask(**columns(task) | {"id": uuid4()} | values)


def test_tasks_are_inserted_and_replaced_as_the_orm_saves_them(full_task):
    full_task.refresh_from_db()
    full_task.paused_by = full_task.updated_by = make_user()
    full_task.must_finish_by, full_task.environments, full_task.tags = time(6, 30), ["a", "b"], ["x"]
    full_task.skips, full_task.changed_fields = [{"from": "a"}], ["name"]
    copy = ScheduledTask.objects.get(pk=full_task.pk)
    copy.__dict__.update(
        {name: getattr(full_task, name) for name in keys.INSERTED} | {"id": uuid4(), "name_key": "c", "key": "c"}
    )
    assert keys.insert_tasks([copy]) == [copy]
    assert keys.insert_tasks([twin(copy), twin(copy, key="d"), twin(copy, name_key="d")]) == []
    assert columns(ScheduledTask.objects.get(pk=copy.pk)) == columns(copy)
    keys.replace_tasks([full_task])
    found = columns(ScheduledTask.objects.get(pk=full_task.pk))
    assert {name: found[name] for name in keys.REPLACED} == {name: getattr(full_task, name) for name in keys.REPLACED}
    assert (found["skips"], found["changed_fields"], found["created_at"]) == (None, [], full_task.created_at)
    full_task.save()
    full_task.refresh_from_db()
    assert {name: found[name] for name in keys.REPLACED} == {name: getattr(full_task, name) for name in keys.REPLACED}


def test_tasks_with_keys_are_counted_up_to_a_limit():
    for number in range(4):
        row = make_task(function="testapp.noop" if number else "testapp.give")
        ScheduledTask.objects.filter(pk=row.pk).update(key=f"k{number}")
    make_task(function="testapp.add", params={"a": 1})
    names = ["testapp.noop", "testapp.add", "testapp.give"]
    assert keys.count_keyed(names, most=9) == {"testapp.noop": 3, "testapp.give": 1}
    assert keys.count_keyed(names, most=2) == {"testapp.noop": 2, "testapp.give": 1}
    assert keys.count_keyed([], most=2) == {}
