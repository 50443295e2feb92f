"""Creating, changing, pausing and removing tasks; code and rows side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError
from django.db.models import DurationField
from django.test.utils import CaptureQueriesContext

import django_scheduled_tasks.registry as registry_module
import django_scheduled_tasks.services.tasks.fields as fields_module
import django_scheduled_tasks.services.tasks.sync as sync_module
import django_scheduled_tasks.services.tasks.validation as validation_module
from django_scheduled_tasks import cron, every, scheduled_task
from django_scheduled_tasks.exceptions import AlreadyPaused, InvalidInput, InvalidTask, TaskNotFound
from django_scheduled_tasks.lifecycle import Origin, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.registry import Registry
from django_scheduled_tasks.schedules.durations import LEAST
from django_scheduled_tasks.services.scheduling import left
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.scheduling.retention import prune
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.edit import create_task, delete_task, pause, resume, update_task
from django_scheduled_tasks.services.tasks.sync import differences, put_back, sync_declared_tasks
from django_scheduled_tasks.store.due import lock_due_tasks
from tests.database import connection
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
NIGHTLY = {"schedule_kind": "cron", "expression": "0 3 * * *"}
DURATIONS = [column.name for column in ScheduledTask._meta.fields if isinstance(column, DurationField)]
INSTANTS = ["starts_at", "ends_at"]
UNPRINTABLE = ("q\r\n2026-12-01 00:00:00 ERROR not ours", "\x1b[31mred", "a\u2028b", "\u202egnp.exe")
"""Texts that would look like other lines of a log, or move the cursor of a terminal."""


def test_a_new_task_counts_from_now():
    user = make_user()
    task = create_task(name="Nightly", function="testapp.noop", user=user, **NIGHTLY)
    task.refresh_from_db()
    assert task.next_run_at > read_now()
    assert (task.next_run_at.hour, task.next_run_at.minute, task.next_run_at.second) == (3, 0, 0)
    assert (task.created_by, task.updated_by, task.origin) == (user, user, Origin.ADMIN)


def test_without_a_zone_a_task_has_the_projects(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"TIME_ZONE": ""}
    assert make_task().timezone == "Europe/Berlin"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"TIME_ZONE": "Asia/Tokyo"}
    assert make_task().timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "x"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "-x"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "This"}, "name"),
        ({"name": "TAKEN"}, "name"),
        ({"function": "os.system"}, "function"),
        ({"schedule_kind": "cron", "expression": "61 * * * *"}, "expression"),
        ({**NIGHTLY, "timezone": "Mars/Olympus"}, "timezone"),
        ({**NIGHTLY, "function": "testapp.add"}, "params.a"),
        ({"function": "testapp.add", "params": {"a": "x"}}, "params.a"),
        ({"max_attempts": 0}, "max_attempts"),
        *(({name: timedelta(days=999_999)}, name) for name in DURATIONS),
        *(({name: timedelta.max}, name) for name in DURATIONS),
        *(({name: timedelta(milliseconds=-1)}, name) for name in DURATIONS),
        *(({name: timedelta(0)}, name) for name in DURATIONS),
        *(({name: timedelta(milliseconds=999)}, name) for name in DURATIONS),
        *(({name: text}, name) for name in ("queue", "concurrency_group") for text in UNPRINTABLE),
        ({"environments": ["production", "a\nERROR: b"]}, "environments"),
        ({"keep_last": 0}, "keep_last"),
        ({"keep_last": -1}, "keep_last"),
        *(({name: datetime.min.replace(tzinfo=UTC)}, name) for name in INSTANTS),
        *(({name: datetime.max.replace(tzinfo=ZoneInfo("America/New_York"))}, name) for name in INSTANTS),
        *(({name: datetime(9999, 12, 31)}, name) for name in INSTANTS),  # noqa: DTZ001  (the project's zone)
    ],
)
def test_each_wrong_field_is_named(values, field):
    make_task(name="taken")
    with pytest.raises(InvalidTask) as caught:
        create_task(**({"name": "fine", "function": "testapp.noop"} | values))
    assert [error.field for error in caught.value.errors] == [field]


def test_the_longest_duration_and_the_outermost_instants_are_taken():
    long = dict.fromkeys(DURATIONS, timedelta(days=36_525))
    task = make_task(starts_at=datetime(1970, 1, 1, tzinfo=UTC), ends_at=datetime(9000, 1, 1, tzinfo=UTC), **long)
    task.refresh_from_db()
    assert {getattr(task, name) for name in DURATIONS} == {timedelta(days=36_525)}
    assert prune().total == 0
    assert run_once(task).execution.expires_at > read_now()


def test_the_shortest_durations_are_taken():
    task = make_task(**dict.fromkeys(DURATIONS, timedelta(seconds=1)))
    task.refresh_from_db()
    assert {getattr(task, name) for name in DURATIONS} == {timedelta(seconds=1)}


def test_each_duration_of_a_task_has_a_least_value():
    assert set(LEAST) == set(DURATIONS)


def test_what_is_too_much_is_refused_when_a_task_is_changed_too():
    task = make_task()
    with pytest.raises(InvalidTask) as caught:
        update_task(task, keep_for=timedelta.max, expires_after=-timedelta(days=1), keep_last=0)
    assert {error.field: error.message for error in caught.value.errors} == {
        "keep_for": "1000000000d is more than a hundred years.",
        "expires_after": "Ensure this value is greater than or equal to 1s.",
        "keep_last": "Ensure this value is greater than or equal to 1.",
    }
    task.refresh_from_db()
    assert (task.keep_for, task.expires_after, task.keep_last) == (None, None, None)


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(InvalidTask) as caught:
        create_task(name="-", function="os.system", schedule_kind="cron", expression="* * *")
    assert {error.field for error in caught.value.errors} == {"name", "function", "expression"}


@pytest.mark.parametrize("name", ["Ab", "billOnDemand", "Rebuild search index", "9-lives_x", "Rechnung für Köln"])
def test_fine_names(name):
    assert make_task(name=name).name == name


def test_a_manual_task_may_leave_a_parameter_open():
    assert make_task(function="testapp.add").next_run_at is None


def test_editing_a_schedule_counts_from_now():
    task = make_task(**NIGHTLY)
    with frozen_at(task.next_run_at + timedelta(hours=5)):  # overdue
        changed = update_task(task, expression="0 4 * * *", user=make_user())
        assert changed.next_run_at > read_now()
        assert lock_due_tasks(10) == []


def test_another_edit_leaves_the_schedule_alone():
    task = make_task(**NIGHTLY)
    with frozen_at(task.next_run_at + timedelta(hours=5)):
        assert update_task(task, description="Every night").next_run_at == task.next_run_at


def test_switching_off_and_on_counts_from_now():
    task = make_task(**NIGHTLY)
    assert update_task(task, enabled=False).next_run_at is None
    with frozen_at(read_now() + timedelta(days=3)):
        assert update_task(task, enabled=True).next_run_at > read_now()


def test_pause_and_resume():
    task, user = make_task(**NIGHTLY), make_user()
    paused = pause(task, reason="audit", user=user)
    assert (paused.next_run_at, paused.pause_reason, paused.paused_by) == (None, "audit", user)
    assert paused.is_paused(read_now())
    with frozen_at(read_now() + timedelta(days=3)):
        resumed = resume(task, user=user)
        assert resumed.next_run_at > read_now()
        assert (resumed.paused_at, resumed.pause_reason, resumed.paused_by) == (None, "", None)


def test_a_pause_of_somebody_else_stays():
    task, user = make_task(**NIGHTLY), make_user(name="anna")
    paused = pause(task, reason="audit", user=user)
    for other in (make_user(), None):
        with pytest.raises(AlreadyPaused) as caught:
            pause(task, reason="mine", user=other)
        said = f'"{task.name}" has been paused by anna since {paused.paused_at:%Y-%m-%d %H:%M} UTC: “audit”.'
        assert (caught.value.message, caught.value.details["reason"]) == (said, "audit")
    task.refresh_from_db()
    assert (task.pause_reason, task.paused_by) == ("audit", user)
    assert pause(task, reason="audit, second part", user=user).pause_reason == "audit, second part"
    until = read_now() + timedelta(hours=1)
    pause(task, until=until, user=user)
    with frozen_at(until):  # it is over
        assert pause(task, user=None).paused_by is None
    with pytest.raises(AlreadyPaused, match="has been paused since .* UTC[.]$"):
        pause(task, user=user)


def test_resuming_what_is_not_paused_forgets_nothing_that_is_due(engine):
    task = make_task(**NIGHTLY)
    with frozen_at(task.next_run_at + timedelta(seconds=1)):
        assert resume(task).next_run_at == task.next_run_at
        assert record_due(limit=10).executions


def test_who_paused_a_task_has_not_paused_it_again_when_the_scheduler_does(engine, monkeypatch):
    monkeypatch.setattr(left, "UNKNOWN_FOR", 0.0)
    task = make_task(**NIGHTLY)
    paused = pause(task, until=task.next_run_at + timedelta(hours=1), user=make_user())
    ScheduledTask.objects.update(function="shop.gone")
    with frozen_at(paused.next_run_at):
        record_due(limit=10)
    task.refresh_from_db()
    assert "shop.gone" in task.pause_reason
    assert task.paused_by is None


def test_a_pause_may_end_by_itself(engine):
    task = make_task(**NIGHTLY)
    until = task.next_run_at + timedelta(days=2, hours=1)
    paused = pause(task, until=until)
    assert paused.next_run_at == task.next_run_at + timedelta(days=3)
    with frozen_at(paused.next_run_at):
        record_due(limit=10)
    task.refresh_from_db()
    assert (task.paused_at, task.paused_until) == (None, None)
    assert Execution.objects.get(status=Status.PENDING).scheduled_for == paused.next_run_at


def test_deleting_a_task_keeps_its_history():
    task = make_task(name="Old")
    execution = make_execution(task, status=Status.COMPLETED)
    delete_task(task)
    execution.refresh_from_db()
    assert (execution.task, execution.task_name) == (None, "Old")


@pytest.mark.parametrize("until", [datetime(1969, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_pause_until_an_instant_outside_the_calendar_of_databases_is_refused(until):
    task = make_task()
    with pytest.raises(InvalidInput, match="until"):
        pause(task, until=until)
    task.refresh_from_db()
    assert task.paused_at is None


@pytest.mark.skipif(connection.vendor == "sqlite", reason="there the transaction is the lock")
def test_deleting_a_task_locks_it_before_its_history_is_let_go():
    task = make_task()
    make_execution(task, status=Status.COMPLETED)
    with CaptureQueriesContext(connection) as queries:
        delete_task(task)
    statements = [
        query["sql"] for query in queries if query["sql"].startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
    ]
    assert "FOR UPDATE" in statements[0]
    assert ScheduledTask._meta.db_table in statements[0]
    assert "NO KEY" not in statements[0]


# --- code and rows ------------------------------------------------------------------------------------------------


@pytest.fixture
def code(monkeypatch) -> Registry:
    """An empty registry, to declare tasks in."""
    fresh = Registry()
    monkeypatch.setattr(registry_module, "registry", fresh)
    for user in (fields_module, sync_module, validation_module):
        monkeypatch.setattr(user, "registry", fresh)
    return fresh


def declare(**arguments):
    def nightly(n: int = 1) -> None:
        """Does it every night."""

    return scheduled_task(**({"name": "nightly", "schedule": cron("0 3 * * *")} | arguments))(nightly)


def test_a_declared_task_becomes_a_row_once(code):
    declare(timeout="5m")
    assert sync_declared_tasks().created == ["nightly"]
    task = ScheduledTask.objects.get()
    assert (task.origin, task.expression, task.timeout) == (Origin.CODE, "0 3 * * *", timedelta(minutes=5))
    assert task.description == "Does it every night."
    result = sync_declared_tasks()
    assert (result.created, result.updated, result.retired) == ([], [], [])


def test_a_declaration_that_cannot_be_stored_stops_no_other(code, monkeypatch):
    scheduled_task(name="broken", schedule=cron("0 3 * * *"))(lambda: None)
    declare()
    real = sync_module.create_task

    def create(**values):
        if values["name"] == "broken":
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        return real(**values)

    monkeypatch.setattr(sync_module, "create_task", create)
    result = sync_declared_tasks()
    assert result.created == ["nightly"]
    assert "too large" in result.failed["broken"]


def test_a_change_in_code_reaches_the_row(code):
    declare(timeout="5m")
    sync_declared_tasks()
    declare(schedule=every("2h"))
    assert sync_declared_tasks().updated == ["nightly"]
    task = ScheduledTask.objects.get()
    assert (task.schedule_kind, task.timeout) == ("interval", None)


def test_a_field_changed_by_staff_stays_and_can_be_put_back(code):
    declare()
    sync_declared_tasks()
    update_task(ScheduledTask.objects.get(), expression="0 5 * * *", queue="slow")
    declare(schedule=cron("0 4 * * *"))
    sync_declared_tasks()
    task = ScheduledTask.objects.get()
    assert (task.expression, task.changed_fields) == ("0 5 * * *", ["expression", "queue"])
    assert differences(task) == {"expression": ("0 5 * * *", "0 4 * * *"), "queue": ("slow", "")}
    put_back(task, ["expression"])
    task.refresh_from_db()
    assert (task.expression, task.queue, task.changed_fields) == ("0 4 * * *", "slow", ["queue"])


def test_a_task_removed_from_code_is_switched_off_and_says_so(code):
    declare()
    sync_declared_tasks()
    execution = make_execution(ScheduledTask.objects.get(), status=Status.COMPLETED)
    code.clear()
    assert sync_declared_tasks().retired == ["nightly"]
    task = ScheduledTask.objects.get()
    assert (task.enabled, task.next_run_at) == (False, None)
    assert task.retired_at is not None
    assert "no longer in the code" in task.pause_reason
    assert Execution.objects.filter(pk=execution.pk, task=task).exists()
    assert sync_declared_tasks().retired == []


def test_a_task_that_comes_back_is_switched_on_again(code):
    declare()
    sync_declared_tasks()
    code.clear()
    sync_declared_tasks()
    declare()
    sync_declared_tasks()
    task = ScheduledTask.objects.get()
    assert (task.enabled, task.retired_at, task.pause_reason) == (True, None, "")
    assert task.next_run_at is not None


def test_a_pause_of_a_person_outlives_the_task_in_code(code):
    declare()
    sync_declared_tasks()
    pause(ScheduledTask.objects.get(), reason="audit", user=make_user())
    code.clear()
    sync_declared_tasks()
    declare()
    sync_declared_tasks()
    task = ScheduledTask.objects.get()
    assert (task.enabled, task.pause_reason, task.next_run_at) == (True, "audit", None)


def test_one_wrong_declaration_does_not_stop_the_others(code, caplog):
    declare(name="-wrong-")
    scheduled_task(name="right")(lambda_like)
    result = sync_declared_tasks()
    assert (result.created, list(result.failed)) == (["right"], ["-wrong-"])
    assert "-wrong-" in caplog.text


def lambda_like() -> None: ...


def test_a_task_made_in_the_admin_that_the_code_declares_later_belongs_to_the_code(code):
    declare()
    create_task(name="Nightly", function=code.declarations()[0].function.name)
    sync_declared_tasks()
    task = ScheduledTask.objects.get()
    assert (task.origin, task.name, task.expression) == (Origin.CODE, "nightly", "0 3 * * *")


def test_another_task_that_gets_the_name_meanwhile_is_no_fault_of_the_database(monkeypatch):
    """Between the look for the name and the writing somebody else may take it."""
    make_task(name="taken")
    other = make_task(name="other")
    monkeypatch.setattr(edit, "validate", lambda _task: None)
    for write in (lambda: create_task(name="TAKEN", function="testapp.noop"), lambda: update_task(other, name="taken")):
        with pytest.raises(InvalidTask) as caught:
            write()
        assert [(error.field, error.code) for error in caught.value.errors] == [("name", "unique")]
    with pytest.raises(IntegrityError):  # any other constraint is one that we have overlooked
        create_task(name="third", function="testapp.noop", max_attempts=0)


def test_a_task_that_is_deleted_meanwhile_is_not_found():
    task = make_task()
    ScheduledTask.objects.all().delete()
    for write in (lambda: update_task(task, description="x"), lambda: pause(task), lambda: resume(task)):
        with pytest.raises(TaskNotFound):
            write()


def test_a_log_level_is_one_of_those_that_there_are():
    assert make_task(log_level="none").log_level == "NONE"
    with pytest.raises(InvalidTask) as caught:
        make_task(log_level="loud")
    assert [(error.field, error.code) for error in caught.value.errors] == [("log_level", "unknown")]
