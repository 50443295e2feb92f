"""What is not understood is refused, by name and with the nearest name that is: it would silently do nothing."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import yaml

from django_scheduled_tasks.api.urls import router
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.api.conftest import ROOT, client_of, codes
from tests.api.test_errors import SCHEMA
from tests.api.test_permissions import CALLS, NUMBERS
from tests.factories import EDITOR, OPERATOR, OWNER, VIEWER, make_execution, make_task

pytestmark = pytest.mark.django_db
RUN = f"{ROOT}/tasks/nightly/run-once/"


@pytest.fixture(autouse=True)
def nightly() -> ScheduledTask:
    return make_task(name="nightly", function="testapp.give")


def messages(response: Any) -> list[str]:
    return [item["message"] for item in response.json()["errors"]["items"]]


@pytest.mark.parametrize("call", CALLS)
def test_a_query_parameter_that_a_call_does_not_have_is_refused_on_every_call(call, engine):
    execution = make_execution(make_task(name="mine", schedule_kind="interval", expression="1h"))
    method, address, body, *_ = CALLS[call]
    address = address.format(task="mine", execution=execution.tracking_id, **NUMBERS).partition("?")[0]
    client = client_of(*OWNER)
    response = getattr(client, method)(f"{ROOT}/{address}?colour=red", body, format=None if body is None else "json")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "colour")])
    assert response.json()["errors"]["items"][0]["details"]["rule"] == "unknown"
    if method != "get":
        assert Execution.objects.count() == 1
        assert ScheduledTask.objects.count() == 2


@pytest.mark.parametrize(
    ("address", "name", "nearest"),
    [
        ("tasks/", "pagesize", "pageSize"),
        ("tasks/", "scheduledKind", "scheduleKind"),
        ("executions/", "statu", "status"),
        ("executions/", "triggered_after", "triggeredAfter"),
        ("executions/", "page", "pageSize"),
        ("tasks/nightly/upcoming/", "counts", "count"),
    ],
)
def test_the_nearest_query_parameter_is_named(address, name, nearest):
    response = client_of(*VIEWER).get(f"{ROOT}/{address}", {name: "1"})
    assert response.status_code == 400
    assert messages(response) == [f'{name}: There is no such query parameter; did you mean "{nearest}"?']


def test_without_a_near_one_all_are_named():
    response = client_of(*VIEWER).get(f"{ROOT}/tasks/?flavour=sour")
    assert response.status_code == 400
    (message,) = messages(response)
    assert message.startswith("flavour: There is no such query parameter; known are ")
    assert "enabled" in message
    assert messages(client_of(*VIEWER).get(f"{ROOT}/functions/?x=1"))[0].startswith(
        "x: There is no such query parameter"
    )


def test_each_call_takes_the_query_parameters_of_its_schema_and_no_others():
    schema = yaml.safe_load(SCHEMA.read_text())
    described = {
        call["operationId"]: {item["name"] for item in call.get("parameters", ()) if item["in"] == "query"}
        for path in schema["paths"].values()
        for call in path.values()
    }
    taken = {}
    for _prefix, viewset, _basename in router.registry:
        start = f"{viewset.noun}_"
        for action in [name.removeprefix(start) for name in described if name.startswith(start)]:
            view = viewset(action=action, request=None)
            taken[f"{viewset.noun}_{action}"] = view.known_query() - {"format"}
    assert taken == {name: found for name, found in described.items() if not name.startswith("altogic")}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"reson": "x"}, 'reson: There is no such key; did you mean "reason"?'),
        ({"not_before": None}, 'not_before: There is no such key; did you mean "notBefore"?'),
        ({"colour": 1}, "colour: There is no such key; known are params, reason, notBefore, overlap."),
    ],
)
@pytest.mark.parametrize("kind", ["json", "multipart"])
def test_the_nearest_key_of_a_body_is_named(engine, body, message, kind):
    body = {key: value or "" for key, value in body.items()} if kind == "multipart" else body
    response = client_of(*OPERATOR).post(RUN, body, format=kind)
    assert (response.status_code, messages(response)) == (400, [message])
    assert not Execution.objects.exists()


# --- forms --------------------------------------------------------------------------------------------------------

FORM = '--x\r\nContent-Disposition: form-data; name="reason"\r\n\r\naudit\r\n--x--\r\n'
KIND = "multipart/form-data; boundary=x"


def test_a_whole_form_starts_the_task(engine):
    assert client_of(*OPERATOR).post(RUN, FORM, content_type=KIND).status_code == 202
    assert Execution.objects.get().reason == "audit"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (FORM[:-8], KIND),
        (FORM[:30], KIND),
        ("no form at all", KIND),
        (FORM, "multipart/form-data; boundary=other"),
        (FORM, "multipart/form-data"),
        (FORM.replace("--x", "--ä"), "multipart/form-data; boundary=ä"),
    ],
)
def test_a_broken_form_starts_nothing(engine, body, kind):
    response = client_of(*OPERATOR).post(RUN, body, content_type=kind)
    assert (response.status_code, codes(response)) == (400, [("bad_request", "")])
    assert not Execution.objects.exists()


def test_a_file_starts_nothing(engine):
    body = FORM.replace('name="reason"', 'name="params"; filename="params.json"')
    response = client_of(*OPERATOR).post(RUN, body, content_type=KIND)
    assert (response.status_code, messages(response)) == (400, ["No call takes files."])
    assert not Execution.objects.exists()


@pytest.mark.parametrize("kind", ["multipart", None])
def test_parameters_that_a_form_gives_in_one_piece_are_not_dropped(engine, kind):
    response = client_of(*OPERATOR).post(RUN, {"params": '{"value": 1}'}, format=kind)
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "params")])
    response = client_of(*OPERATOR).post(RUN, {"params.valu": "1"}, format=kind)
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "params.valu")])
    assert not Execution.objects.exists()
    assert client_of(*OPERATOR).post(RUN, {"params.value": "1"}, format=kind).status_code == 202


def test_a_form_of_a_task_refuses_unknown_fields_too():
    response = client_of(*EDITOR).patch(f"{ROOT}/tasks/nightly/", {"descripton": "x"})
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "descripton")])
    body = {"description": "x", "csrfmiddlewaretoken": "abc"}
    assert client_of(*EDITOR).patch(f"{ROOT}/tasks/nightly/", body).status_code == 200


# --- cursors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cursor",
    [
        b64encode(b"foo").decode(),
        b64encode(b"r=1").decode(),
        b64encode(b"o=50").decode(),
        b64encode(b"o=50&p=5").decode(),
        b64encode(b"p=2026-01-01").decode(),
        "cD0",
        "x",
        "é",
    ],
)
def test_a_cursor_of_somebody_else_is_not_the_first_page(cursor):
    make_execution()
    response = client_of(*VIEWER).get(f"{ROOT}/executions/", {"cursor": cursor})
    assert (response.status_code, codes(response)) == (404, [("not_found", "")])


def test_our_own_cursors_go_through_all_pages_and_back():
    numbers = [make_execution().pk for _ in range(5)]
    viewer, found, address = client_of(*VIEWER), [], f"{ROOT}/executions/?pageSize=2"
    while address:
        page = viewer.get(address).json()
        found += [row["id"] for row in page["results"]]
        last, address = address, page["next"]
    assert found == sorted(numbers, reverse=True)
    back = viewer.get(viewer.get(last).json()["previous"]).json()
    assert [row["id"] for row in back["results"]] == found[2:4]
