"""The form for a function's parameters: what it keeps, what it refuses."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from django_scheduled_tasks.admin.tasks.form import parameters
from django_scheduled_tasks.admin.tasks.form.parameters import ParametersForm
from django_scheduled_tasks.declarations import RegisteredFunction
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.parameters import MASK
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, OPERATOR, make_execution, make_task, make_user

TYPED = {"day": "2026-03-20", "address": {"street": "Elm", "zip_code": 1, "pin": "1234"}}


def rotate(
    rotate_keys: bool,
    old_keys: bool = True,
    any_key: bool | None = None,
    key_ring: Literal["small", "large"] = "small",
    pin_code: int = 1,
    user: str = "",
) -> None:
    """Has parameters whose names alone make them secret."""


ROTATE = {"rotate_keys": True, "old_keys": False, "any_key": True, "key_ring": "large", "pin_code": 4096}


def untouched(form: ParametersForm) -> dict[str, Any]:
    """Return what a browser sends of *form* if nobody touches it."""
    found = {field.html_name: field.value() for field in form}
    return {name: "on" if value is True else value for name, value in found.items() if value not in (None, False)}


@pytest.fixture
def rotating(monkeypatch):
    monkeypatch.setattr(parameters, "_registered", lambda _name: RegisteredFunction(rotate))


def sent(stored: dict[str, Any], **changes: str) -> dict[str, Any]:
    """Return the values of the form for *stored* after only *changes* to it."""
    data = untouched(ParametersForm("rotate", stored)) | {f"param-{name}": value for name, value in changes.items()}
    form = ParametersForm("rotate", stored, data=data)
    assert form.is_valid(), form.errors
    return form.values()


def test_values_that_are_secret_by_name_stay_whatever_their_type(rotating):
    assert sent(ROTATE) == ROTATE
    assert sent(ROTATE, **{"p-user": "anna"}) == ROTATE | {"user": "anna"}
    unset = {name: False if value is True else value for name, value in ROTATE.items()}
    assert sent(unset) == unset


def test_a_boolean_that_is_secret_by_name_is_a_choice_and_can_be_changed(rotating):
    html = ParametersForm("rotate", ROTATE).as_html()
    assert 'type="password"' in html
    assert 'type="password" name="param-p-rotate_keys"' not in html
    assert '<select name="param-p-rotate_keys"' in html
    changes = {"p-rotate_keys": "false", "p-old_keys": "true", "p-any_key": "false", "p-key_ring": "small"}
    expected = {"rotate_keys": False, "old_keys": True, "any_key": False, "key_ring": "small", "pin_code": 4096}
    assert sent(ROTATE, **changes) == expected


def test_what_is_no_secret_yet_is_drawn_by_its_type(rotating):
    assert 'type="checkbox" name="param-p-rotate_keys"' in ParametersForm("rotate", {}).as_html()


@pytest.mark.parametrize("value", [{"pin_code": 4096}, {"keys": [1, {"a": True}]}, [{"token": 1.5}]])
def test_masked_values_that_are_no_texts_come_back_from_the_field_and_from_json(value):
    stored = {"value": value}
    for switch in ({}, {"param-use_json": "on"}):
        drawn = untouched(ParametersForm("testapp.give", stored)) | switch
        assert MASK in drawn["param-as_json"]
        form = ParametersForm("testapp.give", stored, data=drawn)
        assert form.is_valid()
        assert form.values() == stored


@pytest.mark.django_db
def test_saving_another_field_keeps_a_secret_inside_an_object(client):
    client.force_login(make_user(*EDITOR))
    task = make_task(name="Nightly", function="testapp.typed", params=TYPED)
    page = client.get(f"{TASKS}{task.pk}/change/")
    # The token and the version of the form are made up of digits, too.
    assert "1234" not in re.sub(r'<input[^>]*name="(csrfmiddlewaretoken|dst_version)"[^>]*>', "", page.content.decode())
    shown = untouched(ParametersForm("testapp.typed", task.params))
    form = FORM | {"function": "testapp.typed", "description": "new"} | shown
    response = client.post(f"{TASKS}{task.pk}/change/", form)
    assert response.status_code == 302, response.context["adminform"].errors
    task.refresh_from_db()
    assert (task.description, task.params) == ("new", TYPED)


@pytest.mark.django_db
@pytest.mark.parametrize("is_repeat", [False, True])
def test_run_once_with_the_form_as_it_is_shown_runs_with_the_secret(client, engine, is_repeat):
    client.force_login(make_user(*OPERATOR))
    task = make_task(function="testapp.typed", params=TYPED)
    again = make_execution(task, status="completed", params=TYPED | {"size": "m"}) if is_repeat else None
    ScheduledTask.objects.update(params=TYPED | {"size": "s"})
    path = f"{TASKS}{task.pk}/run-once/"
    query = f"?again={again.pk}" if again else ""
    page = client.get(path + query)
    shown = untouched(page.context["parameters"])
    assert MASK in shown["param-p-address"]
    body = shown | {"dst_asked": "1"} | ({"again": again.pk} if again else {})
    response = client.post(path, body)
    assert response.status_code == 302, response.content.decode()
    execution = Execution.objects.latest("pk")
    assert execution.params == TYPED | {"size": "m" if is_repeat else "s"}


BAD_JSON = [
    "NaN",
    "-1e999",
    '"\\ud800"',
    '{"a": "\\u0000"}',
    "[" * 900 + "]" * 900,
    "[" * 40_000,
    "[" * 40_000 + "]" * 40_000,
]


@pytest.mark.django_db
@pytest.mark.parametrize("text", BAD_JSON)
@pytest.mark.parametrize("is_whole", [False, True])
def test_json_that_no_database_holds_is_refused_on_the_page(client, engine, text, is_whole):
    client.force_login(make_user(*EDITOR))
    task = make_task(name="Nightly", function="testapp.give")
    whole = {"param-use_json": "on", "param-as_json": f'{{"value": {text}}}'}
    body = whole if is_whole else {"param-as_json": "{}", "param-p-value": text}
    page = client.post(f"{TASKS}{task.pk}/run-once/", body | {"dst_asked": "1"})
    assert page.status_code == 200
    assert page.context["parameters"].errors
    page = client.post(f"{TASKS}{task.pk}/change/", FORM | {"function": "testapp.give"} | body)
    assert page.status_code == 200
    assert page.context["adminform"].form.errors
    task.refresh_from_db()
    assert (task.params, Execution.objects.count()) == ({}, 0)


PIN = SecretStr("4711")


def with_defaults(password: str = "hunter2", pin: SecretStr = PIN, user: str = "anna") -> None:
    """Has secret defaults."""


def test_a_secret_default_is_not_shown(monkeypatch):
    monkeypatch.setattr(parameters, "_registered", lambda _name: RegisteredFunction(with_defaults))
    text = ParametersForm("shop.with_defaults", {}).as_html()
    assert "hunter2" not in text
    assert "4711" not in text
    assert "Default: anna" in text
