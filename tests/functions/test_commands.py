"""Management commands that run as tasks: their options are the parameters, their output is the log."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

import django_scheduled_tasks.registry as module
from django_scheduled_tasks import cron, management_command, task
from django_scheduled_tasks.exceptions import InvalidParameters
from django_scheduled_tasks.models import ExecutionLog
from django_scheduled_tasks.registry import Registry, registry
from tests.factories import make_task


@pytest.fixture
def tidy_up(monkeypatch):
    for name in ("_functions", "_declarations", "_by_name", "_former"):
        monkeypatch.setattr(registry, name, type(getattr(registry, name))(getattr(registry, name)))
    management_command("tidy_up")
    return registry.get("testapp.tidy_up")


@pytest.fixture
def empty(monkeypatch) -> Registry:
    fresh = Registry()
    monkeypatch.setattr(module, "registry", fresh)
    return fresh


def test_the_options_are_the_parameters_with_types_choices_defaults_and_help(tidy_up):
    schema = tidy_up.parameters.json_schema
    shown = {name: {key: part[key] for key in part if key != "title"} for name, part in schema["properties"].items()}
    assert shown == {
        "place": {"type": "string"},
        "more": {"anyOf": [{"items": {"type": "integer"}, "type": "array"}, {"type": "null"}], "default": None},
        "since": {"type": "string", "description": "What is older goes (DAY)."},
        "level": {"enum": [1, 2, 3], "type": "integer", "default": 2},
        "share": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "dry_run": {"type": "boolean", "default": False},
        "logs": {"type": "boolean", "default": True},
        "only": {"items": {"type": "string"}, "type": "array", "default": []},
        "paint": {"type": "boolean", "default": False},
        "mode": {"enum": ["fast", "slow"], "type": "string", "default": "slow"},
        "deep": {"type": "integer", "default": 0},
        "end": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    }
    assert schema["required"] == ["place", "since"]
    assert tidy_up.description == "Tidies up."


@pytest.mark.django_db(transaction=True)
def test_it_runs_with_what_is_given_asks_nothing_and_its_output_is_the_log(tidy_up, engine):
    params = {"place": "attic", "more": [3, -4], "since": "2026-01-31", "only": ["a", "-b"], "dry_run": True, "deep": 2}
    make_task(name="tidy", function="testapp.tidy_up", params=params)
    info, errors = task("tidy").run_once()
    assert errors is None
    engine.run_all()
    assert task("tidy").get_task_status(info.tracking_id)[0].status == "completed"
    text = " ".join(line.message for line in ExecutionLog.objects.order_by("number"))
    assert "'place': 'attic', 'more': [3, -4], 'since': datetime.date(2026, 1, 31), 'level': 2" in text
    assert "'dry_run': True, 'logs': True, 'only': ['a', '-b'], 'paint': False, 'mode': 'slow', 'deep': 2" in text
    assert "'interactive': False" in text
    assert "mind the gap" in text


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"place": "x"}, "since"),
        ({"place": "x", "since": "soon"}, "since"),
        ({"place": "x", "since": "2026-01-01", "level": 4}, "level"),
        ({"place": "x", "since": "2026-01-01", "settings": "evil"}, "settings"),
        ({"place": "x", "since": "2026-01-01", "more": ["--settings=evil"]}, "more.0"),
    ],
)
def test_what_the_parser_would_refuse_is_refused_when_the_task_is_saved(tidy_up, params, field):
    with pytest.raises(InvalidParameters) as caught:
        tidy_up.parameters.clean(params)
    assert field in [error.field.removesuffix(".list[int]") for error in caught.value.errors] or field in str(
        [error.field for error in caught.value.errors]
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"place": "nowhere"}, "There is no such place."),
        ({"place": "--settings=evil"}, "looks like an option"),
        ({"place": "attic", "end": 3}, "tidy_up ended with 3."),
    ],
)
def test_a_command_that_fails_is_a_failed_execution(tidy_up, engine, params, message):
    make_task(name="tidy", function="testapp.tidy_up", params={"since": "2026-01-31", **params})
    info, _errors = task("tidy").run_once()
    engine.run_all()
    found = task("tidy").get_task_status(info.tracking_id)[0]
    assert found.status == "errors"
    assert message in str(found.errors)


@pytest.mark.django_db(transaction=True)
def test_a_command_that_exits_with_nothing_wrong_has_succeeded(tidy_up, engine):
    make_task(name="tidy", function="testapp.tidy_up", params={"place": "a", "since": "2026-01-31", "end": 0})
    info, _errors = task("tidy").run_once()
    engine.run_all()
    assert task("tidy").get_task_status(info.tracking_id)[0].status == "completed"


def test_with_a_schedule_the_task_is_declared_and_only_some_parameters_are_offered(empty):
    management_command("clearsessions", schedule=cron("0 4 * * *"))
    management_command("dumpdata", name="backup", only=("args", "indent"), params={"indent": 2})
    assert [one.name for one in empty.declarations()] == ["clearsessions", "backup"]
    assert sorted(empty.functions()) == ["django.dumpdata", "sessions.clearsessions"]
    assert sorted(empty.get("django.dumpdata").parameters.json_schema["properties"]) == ["args", "indent"]


@pytest.mark.parametrize(
    ("name", "only", "message"),
    [
        ("clear_sessions", None, "there is no such command"),
        ("runserver", None, "does not end by itself"),
        ("tidy_up", ("place",), "the command needs since"),
        ("tidy_up", ("place", "since", "speed"), "has no speed. Known are: place, more, since, level"),
    ],
)
def test_what_cannot_be_registered_is_said_at_start(empty, name, only, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        management_command(name, only=only)
