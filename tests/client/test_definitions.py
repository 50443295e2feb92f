"""Tasks by program: upserts, and what is found by a key or an owner."""

from __future__ import annotations

import threading
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connections, transaction

from django_scheduled_tasks import cron, every, get_task, tasks_of, upsert_task, upsert_tasks
from django_scheduled_tasks.exceptions import InvalidInput, InvalidTask, InvalidTasks, TaskNotFound
from django_scheduled_tasks.models import Change, Deed, Execution, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.services.tasks.edit import create_task, pause, update_task
from django_scheduled_tasks.services.tasks.upsert import many
from tests.database import ALIAS, connection
from tests.factories import make_task, make_user
from tests.testapp.tasks import add

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MONTHLY = cron("0 9 1 * *", timezone="Europe/Berlin")


def columns(row: ScheduledTask) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def stored(row: ScheduledTask) -> dict[str, object]:
    return columns(ScheduledTask.objects.get(pk=row.pk))


def rows(number: int, **values: object) -> list[dict[str, object]]:
    common = {"function": "testapp.add", "schedule": MONTHLY, **values}
    return [{"key": f"customer:{one}", "params": {"a": one}, **common} for one in range(number)]


# --- one --------------------------------------------------------------------------------------------------------


def test_a_new_key_makes_the_task_that_the_admin_would_make():
    with frozen_at(read_now()):
        row, created = upsert_task("testapp.add", key="customer:17", schedule=MONTHLY, params={"a": 1}, timeout="5m")
        same = create_task(
            name="other",
            function="testapp.add",
            schedule_kind="cron",
            expression="0 9 1 * *",
            timezone="Europe/Berlin",
            params={"a": 1},
            timeout=timedelta(minutes=5),
        )
    assert created
    assert row.name == "add customer-17"
    assert stored(row) == columns(row)
    own = {"id", "name", "name_key", "key"}
    assert {k: v for k, v in stored(row).items() if k not in own} == {
        k: v for k, v in stored(same).items() if k not in own
    }
    assert [(change.deed, change.task_name) for change in Change.objects.filter(task=row.pk)] == [
        (Deed.CREATED, "add customer-17")
    ]


def test_the_same_again_writes_nothing_and_moves_no_schedule(django_assert_num_queries):
    given = {"schedule": every("1h"), "params": {"a": 1}, "tags": ["b", "a"], "grace": "2m", "retry_on": [OSError]}
    row, _ = upsert_task(add, key="k", **given)
    before, changes = stored(row), Change.objects.count()
    with frozen_at(read_now() + timedelta(hours=7)), django_assert_num_queries(1):
        found, created = upsert_task(add, key="k", **given)
    assert not created
    assert columns(found) == stored(row) == before
    assert Change.objects.count() == changes


def test_what_is_another_one_is_changed_as_the_admin_changes_it():
    user = make_user()
    first, _ = upsert_task("testapp.add", key="k", schedule=MONTHLY, params={"a": 1}, description="kept")
    other = make_task(
        name="other",
        function="testapp.add",
        params={"a": 1},
        schedule_kind="cron",
        expression="0 9 1 * *",
        timezone="Europe/Berlin",
    )
    with frozen_at(read_now() + timedelta(days=40)):
        row, created = upsert_task(
            "testapp.add", key="k", schedule=cron("30 9 1 * *"), params={"a": 2}, user=user, reason="they asked"
        )
        update_task(other, expression="30 9 1 * *", timezone="UTC", user=user)
    assert not created
    assert (row.pk, row.description, row.timezone) == (first.pk, "kept", "UTC")
    assert stored(row) == columns(row)
    other.refresh_from_db()
    assert (row.next_run_at, row.updated_at, row.updated_by) == (other.next_run_at, other.updated_at, user)
    change = Change.objects.filter(task=row.pk).latest("pk")
    assert (change.deed, change.user, change.reason) == (Deed.CHANGED, user, "they asked")
    assert {(one["field"], one["old"], one["new"]) for one in change.fields} >= {
        ("expression", "0 9 1 * *", "30 9 1 * *"),
        ("params", "1", "2"),
    }


def test_what_is_not_given_stays_and_so_does_a_pause():
    row, _ = upsert_task("testapp.noop", key="k", schedule=MONTHLY)
    pause(update_task(row, timeout=timedelta(minutes=3)), reason="why not")
    found, _ = upsert_task("testapp.noop", key="k", schedule=MONTHLY, tags=["new"])
    assert (found.timeout, found.pause_reason, found.tags) == (timedelta(minutes=3), "why not", ["new"])
    assert found.next_run_at is None


def test_what_was_due_while_it_was_switched_off_gets_its_row():
    row, _ = upsert_task("testapp.noop", key="k", schedule=every("1h"), enabled=False)
    with frozen_at(read_now() + timedelta(hours=3)):
        upsert_task("testapp.noop", key="k", enabled=True)
    assert [(one.outcome, one.occurrences) for one in Execution.objects.filter(task=row)] == [("skipped", 3)]


def test_a_mask_stands_for_the_stored_secret():
    row, _ = upsert_task("testapp.secretive", key="k", params={"password": "hush", "user": "a"})
    masked = {"password": "********", "user": "b"}
    from django_scheduled_tasks.services.secrets import shown_params

    masked["password"] = shown_params(row)["password"]
    found, _ = upsert_task("testapp.secretive", key="k", params=masked)
    assert found.params == {"password": "hush", "user": "b"}
    assert found.secret_params == {"password": True}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"key": ""}, ["key"]),
        ({"key": " a"}, ["key"]),
        ({"key": "a\nb"}, ["key"]),
        ({"key": "a" * 256}, ["key"]),
        ({"key": "a\x00"}, ["key"]),
        ({"function": "no.such"}, ["function"]),
        ({"function": len}, ["function"]),
        ({"params": {"a": "x", "c": 1}}, ["params.a", "params.c"]),
        ({"params": {}}, ["params.a"]),
        ({"timezone": "Mars/Olympus"}, ["timezone"]),
        ({"schedule_kind": "cron", "expression": "61 * * * *"}, ["expression"]),
        ({"schedule": "daily"}, ["schedule"]),
        ({"timeout": "soon"}, ["timeout"]),
        ({"timeout": "0s"}, ["timeout"]),
        ({"max_attempts": 0}, ["max_attempts"]),
        ({"overlap": "never"}, ["overlap"]),
        ({"tags": ["not a tag!"]}, ["tags"]),
        ({"owner": 17}, ["owner"]),
        ({"owner": Group(name="new")}, ["owner"]),
        ({"name": "x"}, ["name"]),
        ({"run_count": 7}, ["run_count"]),
    ],
)
def test_what_is_wrong_is_said_by_field(values, fields):
    given = {"function": "testapp.add", "key": "k", "schedule": MONTHLY, "params": {"a": 1}, **values}
    with pytest.raises(InvalidTasks) as caught:
        upsert_tasks([given])
    assert [error.field for error in caught.value.errors] == [f"0.{field}" for field in fields]
    assert not ScheduledTask.objects.exists()


def test_a_change_is_checked_against_the_whole_task():
    starts = read_now() + timedelta(days=9)
    upsert_task("testapp.add", key="k", schedule=MONTHLY, params={"a": 1}, starts_at=starts)
    with pytest.raises(InvalidTask, match="later than the start"):
        upsert_task("testapp.add", key="k", ends_at=starts - timedelta(days=1))
    with pytest.raises(InvalidTask, match="needs it"):
        upsert_task("testapp.secretive", key="k")


def test_keys_are_compared_letter_by_letter():
    for key in ("a", "A", "ä", "Ä", "a/b", "a b"):
        assert upsert_task("testapp.noop", key=key).created, key
    for key in ("a", "A", "ä", "Ä", "a/b", "a b"):
        assert not upsert_task("testapp.noop", key=key).created, key
        assert get_task(key=key).row.key == key


def test_the_database_itself_knows_a_key_once():
    upsert_task("testapp.noop", key="k")
    with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
        ScheduledTask.objects.filter(pk=make_task().pk).update(key="k")


def test_names_that_look_alike_are_told_apart():
    make_task(name="noop A-1")
    names = [upsert_task("testapp.noop", key=key).row.name for key in ("a:1", "a-1", "x" * 255, "x" * 254)]
    assert len(set(names)) == 4
    assert all(len(name) <= 64 for name in names)
    with pytest.raises(InvalidTask, match="name already"):
        upsert_task("testapp.noop", key="new", name="noop A-1")
    with pytest.raises(InvalidTask, match="name already"):
        upsert_task("testapp.noop", key="a:1", name="NOOP a-1")
    assert upsert_task("testapp.noop", key="a:1", name="Their own").row.name == "Their own"


# --- many -------------------------------------------------------------------------------------------------------


def test_many_are_created_updated_and_left_alone_in_few_statements(django_assert_max_num_queries, monkeypatch):
    monkeypatch.setattr(many, "BATCH", 100)
    batches, savepoints = 3, 2  # which there are only since a test has a transaction around it
    of_sqlite = 20 if connection.vendor == "sqlite" else 0  # which takes fewer values in a statement
    with django_assert_max_num_queries(batches * (4 + savepoints) + 1 + of_sqlite):
        result = upsert_tasks(rows(300))
    assert (result.created, result.updated, result.unchanged) == (300, 0, 0)
    with django_assert_max_num_queries(batches):
        assert upsert_tasks(rows(300)).unchanged == 300
    changed = [{**row, "timeout": "9m"} for row in rows(250)]
    with django_assert_max_num_queries(3 * 5 + 2 * 4 + 4 * savepoints + 1 + of_sqlite):
        result = upsert_tasks([*changed, *rows(330)[250:]])
    assert (result.created, result.updated, result.unchanged) == (30, 250, 50)
    assert ScheduledTask.objects.filter(timeout=timedelta(minutes=9)).count() == 250
    assert Change.objects.filter(deed=Deed.CREATED).count() == 330
    assert Change.objects.filter(deed=Deed.CHANGED).count() == 250
    assert ScheduledTask.objects.get(key="customer:3").params == {"a": 3}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL tells them")
def test_schedulers_are_told_once():
    told = []
    with connections[ALIAS].execute_wrapper(lambda go, sql, *rest: (told.append(sql), go(sql, *rest))[1]):
        upsert_tasks(rows(30))
        assert sum("pg_notify" in sql for sql in told) == 1
        upsert_tasks(rows(30))
        assert sum("pg_notify" in sql for sql in told) == 1


def test_wrong_rows_do_not_stop_the_others():
    given = rows(4)
    given[1] |= {"params": {"a": "x"}}
    given[2] |= {"key": "customer:0"}
    with pytest.raises(InvalidTasks) as caught:
        upsert_tasks(iter(given))
    assert [(error.field, error.code) for error in caught.value.errors] == [
        ("1.params.a", "int_parsing"),
        ("2.key", "duplicate"),
    ]
    result = caught.value.result
    assert (result.created, [error.index for error in result.errors]) == (2, [1, 2])
    assert set(ScheduledTask.objects.values_list("key", flat=True)) == {"customer:0", "customer:3"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("threads", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_several_at_once_make_each_task_once(threads):
    failed, results = [], []
    barrier = threading.Barrier(threads)

    def work(number: int) -> None:
        try:
            given = rows(60)
            turned = given[number * 3 :] + given[: number * 3]  # each in another order
            barrier.wait(30)
            for _ in range(2):
                results.append(upsert_tasks([{**row, "timeout": f"{number + 1}m"} for row in turned]))
                upsert_task("testapp.noop", key="one", schedule=MONTHLY)
        except Exception as exc:  # told by the thread that asserts
            failed.append(exc)
        finally:
            connections.close_all()

    if connection.vendor == "sqlite":
        pytest.skip("one writes after the other")
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    assert failed == []
    assert sum(result.created for result in results) == 60
    assert ScheduledTask.objects.count() == 61
    assert Change.objects.filter(deed=Deed.CREATED).count() == 61


# --- found again ------------------------------------------------------------------------------------------------


def test_a_task_is_found_by_its_key_and_changed():
    upsert_task("testapp.add", key="k", schedule=MONTHLY, params={"a": 1})
    found = get_task(key="k")
    row = found.update(timezone="Asia/Tokyo", timeout="90s", reason="moved")
    assert (row.timezone, row.timeout) == ("Asia/Tokyo", timedelta(seconds=90))
    assert row.next_run_at.astimezone(ZoneInfo("Asia/Tokyo")).hour == 9
    assert found.update(schedule=every("2h")).expression == "2h"
    assert found.pause(reason="overdue").pause_reason == "overdue"
    assert found.resume().paused_at is None
    info, errors = found.run_once({"b": 4})
    assert (info.scheduled_task_name, errors) == (row.name, None)
    with pytest.raises(InvalidTask, match="no such field"):
        found.update(key="other")
    found.delete()
    for how in ({"key": "k"}, {"key": "\x00"}, {"name_or_id": "k"}):
        with pytest.raises(TaskNotFound):
            get_task(**how)
    with pytest.raises(TypeError):
        get_task()
    with pytest.raises(TypeError):
        get_task("a", key="a")
    assert repr(found) == "<KnownTask add k>"


def test_the_tasks_of_an_owner_are_paused_resumed_changed_and_deleted():
    one, two = Group.objects.create(name="one"), Group.objects.create(name="two")
    upsert_tasks(rows(3, owner=one) + [{**row, "key": f"two:{n}", "owner": two} for n, row in enumerate(rows(2))])
    upsert_task("testapp.noop", key="nobody's")
    mine = tasks_of(one)
    assert {task.row.key for task in mine} == {"customer:0", "customer:1", "customer:2"}
    pause(get_task(key="customer:1").row, reason="mine", user=make_user())
    assert mine.pause(reason="overdue") == 3
    reasons = dict(ScheduledTask.objects.values_list("key", "pause_reason"))
    assert reasons == {
        "customer:0": "overdue",
        "customer:1": "mine",
        "customer:2": "overdue",
        "two:0": "",
        "two:1": "",
        "nobody's": "",
    }
    assert mine.resume() == 3
    assert not ScheduledTask.objects.exclude(paused_at=None).exists()
    assert mine.update(timezone="Asia/Tokyo") == 3
    assert ScheduledTask.objects.filter(timezone="Asia/Tokyo").count() == len(mine) == 3
    assert mine.delete() == 3
    assert ScheduledTask.objects.count() == 3
    upsert_task("testapp.add", key="two:0", owner=None)
    assert len(tasks_of(two)) == 1
    with pytest.raises(InvalidInput):
        tasks_of(Group())
