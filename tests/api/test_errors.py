"""Errors say the same on every Python, and name fields as the caller does: arguments, JSON keys, headers."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

import django_scheduled_tasks
from django_scheduled_tasks import client, exceptions
from django_scheduled_tasks.api.http.errors import CODES, json_name
from django_scheduled_tasks.exceptions import InvalidInput, InvalidParameters, ScheduledTasksError
from django_scheduled_tasks.models import AlertRule, Channel, ScheduledTask
from django_scheduled_tasks.services.adoption import adopt
from django_scheduled_tasks.services.comments import add_comment
from django_scheduled_tasks.services.envelope import MOST_ITEMS, STATUS_TEXTS, Errors
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.starting.backfill import backfill
from django_scheduled_tasks.services.starting.resume import resume_task
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.calendars.edit import create_calendar
from django_scheduled_tasks.services.tasks.calendars.ics import import_ics
from django_scheduled_tasks.services.tasks.holds import hold
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import EDITOR, OPERATOR, make_task

PACKAGE = Path(django_scheduled_tasks.__file__).parent
SCHEMA = Path(__file__).parents[2] / "schema.yml"


# --- texts of statuses --------------------------------------------------------------------------------------------


@pytest.fixture
def another_python(monkeypatch) -> None:
    """Let the interpreter have other texts, as it had from one version to the next."""
    for status in HTTPStatus:
        monkeypatch.setattr(status, "phrase", "Whatever")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "body", "status", "text"),
    [
        ("tasks/nightly/run-once/", {"notBefore": "2000-01-01T00:00:00Z"}, 422, "Unprocessable Entity"),
        ("tasks/nightly/run-once/", {"params": {"value": "x" * 90_000}}, 413, "Request Entity Too Large"),
        ("tasks/nope/run-once/", {}, 404, "Not Found"),
        ("tasks/nightly/run-once/", {"reason": 1}, 400, "Bad Request"),
        ("functions/", {}, 405, "Method Not Allowed"),
        ("health/", None, 503, "Service Unavailable"),
    ],
)
def test_the_text_of_a_status_does_not_depend_on_pythons_version(another_python, address, body, status, text):
    make_task(name="nightly", function="testapp.give")
    caller = client_of(*EDITOR)
    path = f"{ROOT}/{address}"
    response = caller.get(path) if body is None else caller.post(path, body, format="json")
    errors = response.json()["errors"]
    assert (response.status_code, errors["status"], errors["statusText"]) == (status, status, text)


def test_each_status_that_we_send_has_a_text():
    ours = {error.status for error in vars(exceptions).values() if inspect.isclass(error) and _is_ours(error)}
    described = {int(code) for path in _schema()["paths"].values() for call in path.values() for code in _codes(call)}
    assert ours | CODES.keys() | {code for code in described if code >= 400} <= STATUS_TEXTS.keys()
    for status, text in STATUS_TEXTS.items():
        assert Errors(status=status, items=()).as_dict() == {"status": status, "statusText": text, "items": []}
    assert Errors(status=418, items=()).status_text == "Client Error", "a status of somebody else's"


def _is_ours(error: type) -> bool:
    return issubclass(error, ScheduledTasksError)


def _schema() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SCHEMA.read_text())
    return found


def _codes(call: Any) -> list[str]:
    return list(call.get("responses", ())) if isinstance(call, dict) else []


# --- names of fields ----------------------------------------------------------------------------------------------


def _named_below_api() -> set[str]:
    """Return the names that code below the API gives to ``FieldError``."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "api"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "FieldError":
                found |= set(_literals(node.args[0]))
    return found


def _literals(node: ast.expr) -> Iterator[str]:
    """Yield what an expression may be or begin with, as far as it stands in the code."""
    if isinstance(node, ast.Constant):
        yield str(node.value).partition(".")[0]
    parts = {ast.IfExp: ("body", "orelse"), ast.BoolOp: ("values",), ast.JoinedStr: ("values",)}
    for name in parts.get(type(node), ()):
        inner = getattr(node, name)
        for item in (inner if isinstance(inner, list) else [inner])[: 1 if isinstance(node, ast.JoinedStr) else None]:
            yield from _literals(item)


def test_below_the_api_fields_are_called_as_arguments_are():
    functions = (run_once, backfill, cancel, edit.create_task, edit.pause, client.TaskHandle.run_once)
    functions += (hold, adopt, add_comment, resume_task, create_calendar, import_ics)
    arguments = {name for function in functions for name in inspect.signature(function).parameters}
    columns = {column.name for model in (ScheduledTask, AlertRule, Channel) for column in model._meta.get_fields()}
    named = _named_below_api()
    assert {"not_before", "idempotency_key", "start", "end", "ends_at", "params"} <= named, "so many are found"
    assert named <= arguments | columns | set(client.TaskFields.__annotations__) | {"at", "tasks"}, (
        "at: which instant is asked about; tasks: of a document"
    )


def test_each_of_them_has_a_name_in_rest():
    schema = _schema()
    bodies = {key for part in schema["components"]["schemas"].values() for key in part.get("properties", ())}
    headers = {item["name"] for path in schema["paths"].values() for call in path.values() for item in _headers(call)}
    error = InvalidInput([])
    elsewhere = {"environment"}  # of a command and a page of the admin
    elsewhere |= {"delay", "schedule", "owner", "definition"}  # of Python
    assert {json_name(error, name) for name in _named_below_api() - elsewhere} <= bodies | headers
    assert json_name(error, "params.first_day.of_month") == "params.first_day.of_month"
    assert json_name(InvalidParameters([]), "first_day") == "first_day", "parameters are called as the function does"


def _headers(call: Any) -> list[dict[str, Any]]:
    """Return the headers of a call, and what it takes in the query string."""
    found = call.get("parameters", ()) if isinstance(call, dict) else ()
    return [item for item in found if item["in"] in {"header", "query"}]


HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "body", "headers", "field"),
    [
        ("run-once/", {"notBefore": "2000-01-01T00:00:00Z"}, {}, "notBefore"),
        ("run-once/", {}, {"Idempotency-Key": "x" * 256}, "Idempotency-Key"),
        ("backfill/", {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, {}, "to"),
        ("backfill/", {"from": "2026-01-02T00:00:00Z", "to": "2999-01-01T00:00:00Z"}, {}, "to"),
        ("backfill/", {"from": "2020-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, {}, "from"),
    ],
)
def test_rest_says_the_json_key_and_the_header(address, body, headers, field):
    make_task(name="nightly", **HOURLY)
    path = f"{ROOT}/tasks/nightly/{address}"
    response = client_of(*EDITOR).post(path, body, format="json", headers=headers)
    assert (response.status_code, codes(response)) == (422, [("invalid_input", field)])
    assert response.json()["errors"]["items"][0]["message"].startswith(f"{field}: ")


@pytest.mark.django_db
def test_rest_says_the_json_key_of_a_tasks_field():
    body = {"startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}
    make_task(name="nightly", **HOURLY)
    response = client_of(*EDITOR).patch(f"{ROOT}/tasks/nightly/", body, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_task", "endsAt")])


@pytest.mark.django_db
def test_python_says_the_argument():
    make_task(name="nightly")
    past = datetime.now(UTC) - timedelta(days=1)
    for options, field in (({"not_before": past}, "not_before"), ({"idempotency_key": ""}, "idempotency_key")):
        _info, errors = client.task("nightly").run_once(**options)
        assert errors is not None
        assert [item.details["field"] for item in errors.items] == [field]
        assert str(errors).startswith(f"{field}: ")


@pytest.mark.django_db
def test_details_are_in_the_style_of_the_reader(engine):
    make_task(name="nightly")
    assert client.task("nightly").run_once().errors is None
    _info, errors = client.task("nightly").run_once()
    assert errors is not None
    assert list(errors.items[0].details) == ["tracking_id"]
    assert list(errors.as_dict()["items"][0]["details"]) == ["trackingId"]


@pytest.mark.django_db
def test_an_answer_has_at_most_twenty_errors():
    make_task(name="nightly", function="testapp.give")
    wrong = {f"key{number}": 1 for number in range(100)}
    operator = client_of(*OPERATOR)
    for body in (wrong, {"params": wrong}):
        response = operator.post(f"{ROOT}/tasks/nightly/run-once/", body, format="json")
        assert len(codes(response)) == MOST_ITEMS == 20
