"""System checks."""

from __future__ import annotations

from django_scheduled_tasks import checks
from django_scheduled_tasks.parameters import Parameters
from django_scheduled_tasks.registry import RegisteredFunction, Registry


def ids(messages) -> list[str]:
    assert all(message.hint or message.id == "scheduled_tasks.E002" for message in messages)
    return [message.id for message in messages]


def test_a_project_in_order_has_nothing_to_say():
    assert ids(checks.check_settings() + checks.check_functions() + checks.check_django_q()) == []


def test_wrong_settings(settings):
    settings.SCHEDULED_TASKS = {"LEESE": 1}
    assert ids(checks.check_settings()) == ["scheduled_tasks.E001"]


def test_two_functions_of_one_name(monkeypatch):
    def function() -> None: ...

    def other() -> None: ...

    other.__name__ = "function"
    registry = Registry()
    registry.add_function(function)
    registry.add_function(other)
    monkeypatch.setattr(checks, "registry", registry)
    (message,) = checks.check_functions()
    assert message.id == "scheduled_tasks.E002"
    assert "Two functions are called" in message.msg


def test_a_parameter_that_is_not_json(monkeypatch):
    def function(a: object, /) -> None: ...

    registry = Registry()
    registry.add_function(function)
    monkeypatch.setattr(checks, "registry", registry)
    assert ids(checks.check_functions()) == ["scheduled_tasks.E002"]
    assert isinstance(RegisteredFunction(function).parameters, Parameters)


def test_django_q_that_delivers_again_too_early(settings):
    settings.Q_CLUSTER = {"timeout": 60, "retry": 60}
    assert ids(checks.check_django_q()) == ["scheduled_tasks.W001"]
    settings.Q_CLUSTER = {"timeout": 60, "retry": 61}
    assert checks.check_django_q() == []
