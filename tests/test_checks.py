"""System checks."""

from __future__ import annotations

import os
import re

import pytest
from django.db import OperationalError

from django_scheduled_tasks import cron
from django_scheduled_tasks.checks import code, rows
from django_scheduled_tasks.declarations import RegisteredFunction
from django_scheduled_tasks.models import PresenceKind, ScheduledTask
from django_scheduled_tasks.parameters import Parameters
from django_scheduled_tasks.registry import Registry, scheduled_task
from django_scheduled_tasks.services.scheduling import presence
from tests.database import ALIAS
from tests.factories import make_task


def ids(messages) -> list[str]:
    assert all(message.hint or message.id == "scheduled_tasks.E002" for message in messages)
    return [message.id for message in messages]


def test_a_project_in_order_has_nothing_to_say():
    static = (getattr(code, name) for name in dir(code) if name.startswith("check_"))
    assert [message for check in static for message in check()] == []


def test_wrong_settings(settings):
    settings.SCHEDULED_TASKS = {"LEESE": 1}
    assert ids(code.check_settings()) == ["scheduled_tasks.E001"]


def test_two_functions_of_one_name(monkeypatch):
    def function() -> None: ...

    def other() -> None: ...

    other.__name__ = "function"
    registry = Registry()
    registry.add_function(function)
    registry.add_function(other)
    monkeypatch.setattr(code, "registry", registry)
    (message,) = code.check_functions()
    assert message.id == "scheduled_tasks.E002"
    assert "Two functions are called" in message.msg


def test_a_parameter_that_is_not_json(monkeypatch):
    def function(a: object, /) -> None: ...

    registry = Registry()
    registry.add_function(function)
    monkeypatch.setattr(code, "registry", registry)
    assert ids(code.check_functions()) == ["scheduled_tasks.E002"]
    assert isinstance(RegisteredFunction(function).parameters, Parameters)


def test_django_q_that_delivers_again_too_early(settings):
    settings.Q_CLUSTER = {"timeout": 60, "retry": 60}
    assert ids(code.check_django_q()) == ["scheduled_tasks.W001"]
    settings.Q_CLUSTER = {"timeout": 60, "retry": 61}
    assert code.check_django_q() == []


def declaring(monkeypatch, **policies):
    """Let the code declare one task with these policies, and nothing else."""
    registry = Registry()
    monkeypatch.setattr("django_scheduled_tasks.registry.registry", registry)
    monkeypatch.setattr(code, "registry", registry)

    @scheduled_task(name="nightly", schedule=policies.pop("schedule", None), **policies)
    def function(rows: int) -> None: ...


def test_a_time_limit_above_what_django_q_delivers_again_after(monkeypatch, settings):
    declaring(monkeypatch, timeout="2m", params={"rows": 1})
    settings.Q_CLUSTER = {"timeout": 60, "retry": 90}
    assert ids(code.check_django_q()) == ["scheduled_tasks.W001"]
    settings.Q_CLUSTER = {"timeout": 60, "retry": 200}  # the message carries the task's own limit
    assert code.check_django_q() == []


def test_a_declared_task_without_a_parameter_that_it_needs(monkeypatch):
    declaring(monkeypatch, schedule=cron("0 3 * * *"))
    (message,) = code.check_declarations()
    assert message.id == "scheduled_tasks.E004"
    assert message.msg == "The scheduled task nightly: rows: this function needs it."


def test_a_declared_task_that_is_only_run_by_hand_may_lack_parameters_but_not_have_wrong_ones(monkeypatch):
    declaring(monkeypatch)
    assert code.check_declarations() == []
    declaring(monkeypatch, params={"rows": "many"})
    assert ids(code.check_declarations()) == ["scheduled_tasks.E004"]


def test_messages_in_another_database_than_executions(settings):
    settings.Q_CLUSTER = {"orm": "queues"}
    assert ids(code.check_broker()) == ["scheduled_tasks.W002"]
    settings.Q_CLUSTER = {"orm": ALIAS}
    assert code.check_broker() == []


@pytest.mark.django_db
def test_deploy_says_who_has_not_been_seen():
    assert ids(rows.check_presence()) == ["scheduled_tasks.I011"]
    presence.seen(PresenceKind.SCHEDULER)
    (message,) = rows.check_presence()
    assert (message.id, message.msg) == ("scheduled_tasks.W010", "No worker has been seen yet.")
    presence.seen(PresenceKind.WORKER)
    assert rows.check_presence() == []
    presence.ends(PresenceKind.SCHEDULER, pid=os.getpid())
    (message,) = rows.check_presence()
    assert re.fullmatch(r"No scheduler has been seen since 20\d\d-.* UTC.", message.msg)


def test_tables_in_each_tenants_schema(settings, monkeypatch):
    assert code.check_tenants() == []
    settings.TENANT_APPS = ["django_scheduled_tasks.apps.ScheduledTasksConfig"]
    assert code.check_tenants() == []
    installed = code.apps.is_installed
    monkeypatch.setattr(code.apps, "is_installed", lambda name: name == "django_tenants" or installed(name))
    assert ids(code.check_tenants()) == ["scheduled_tasks.E005"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"function": "testapp.gone"}, "its function testapp.gone is not in the code"),
        ({"schedule_kind": "cron", "expression": "0 0 30 2 *"}, "its schedule is not valid: "),
        ({"schedule_kind": "cron", "expression": "0 0 * * *", "timezone": "Mars/Olympus"}, "its schedule is not valid"),
        ({"params": {"wrong": 1}}, "its parameters are not valid: wrong: "),
    ],
)
def test_deploy_says_which_tasks_cannot_run(values, said):
    task = make_task()
    assert rows.check_tasks() == []
    ScheduledTask.objects.filter(pk=task.pk).update(**values)
    (message,) = rows.check_tasks()
    assert message.id == "scheduled_tasks.W011"
    assert said in message.msg


def test_a_second_copy_of_htmx(monkeypatch):
    assert rows.check_htmx() == []
    monkeypatch.setattr(
        rows.finders, "find", lambda name, find_all: ["/shop/js/htmx.js"] if "js/htmx.js" in name else []
    )
    assert ids(rows.check_htmx()) == ["scheduled_tasks.W012"]


@pytest.mark.django_db
def test_a_database_that_cannot_be_asked_is_said_and_not_an_error(monkeypatch):
    def refuse(*_arguments: object) -> bool:
        raise OperationalError("no such table")

    monkeypatch.setattr(rows, "was_seen", refuse)
    assert ids(rows.check_presence()) == ["scheduled_tasks.I010"]
