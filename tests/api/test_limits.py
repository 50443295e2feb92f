"""What is refused: too large, not JSON, unknown keys, without permission to overrule, too often, without CSRF."""

from __future__ import annotations

import bz2
import io
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle

from django_scheduled_tasks import json_checks
from django_scheduled_tasks.api.http.parsers import FormParser, MultiPartParser
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
RUN = f"{ROOT}/tasks/nightly/run-once/"


@pytest.fixture(autouse=True)
def nightly():
    return make_task(name="nightly", function="testapp.give")


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_large_body_is_413_before_it_is_read(operator, kind):
    response = operator.post(RUN, "x" * 100_000, content_type=kind)
    assert (response.status_code, codes(response)) == (413, [("too_large", "")])


def test_a_large_body_of_unknown_length_is_413(operator):
    body = json.dumps({"params": {"value": "x" * 100_000}})
    response = operator.post(RUN, body, content_type="application/json", CONTENT_LENGTH="0")
    assert response.status_code in {202, 413}  # without a length nothing is read, or all of it is measured
    assert not Execution.objects.filter(params__has_key="value").exists()


def test_parameters_have_their_own_limit(operator, settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"PARAMS_MAX_BYTES": 100}
    response = operator.post(RUN, {"params": {"value": "x" * 200}}, format="json")
    assert (response.status_code, codes(response)) == (422, [("invalid_parameters", "params")])


@pytest.mark.parametrize("charset", ["bz2", "zlib", "hex", "rot13", "utf-16"])
def test_a_body_is_not_unpacked_by_the_charset_that_it_names(operator, charset):
    bomb = bz2.compress(json.dumps({"params": {"value": "x" * 5_000_000}}).encode())
    response = operator.post(RUN, bomb, content_type=f"application/json; charset={charset}")
    assert (response.status_code, codes(response)) == (400, [("bad_request", "")])
    response = operator.post(RUN, '{"reason": "Grüße"}'.encode(), content_type=f"application/json; charset={charset}")
    assert response.status_code == 202
    assert Execution.objects.get().reason == "Grüße"


@pytest.mark.parametrize("parser", [FormParser, MultiPartParser])
@pytest.mark.parametrize("charset", ["bz2", "zlib", "hex"])
def test_parsers_of_forms_read_utf8_whatever_the_request_says(monkeypatch, parser, charset):
    seen = []
    parsed = SimpleNamespace(data={}, files={})
    base = parser.__bases__[0]
    monkeypatch.setattr(base, "parse", lambda _self, *arguments: seen.append(arguments[2]) or parsed)
    monkeypatch.setattr(json_checks, "check_storable", lambda _value: None)
    kind = "multipart/form-data; boundary=x"
    parser().parse(io.BytesIO(b"--x--"), kind, {"encoding": charset, "kwargs": {}})
    parser().parse(io.BytesIO(b"--x--"), kind)
    assert seen == [{"encoding": "utf-8", "kwargs": {}}, {"encoding": "utf-8"}]


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[" * 50_000,
        '{"params": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
        '{"params": ' + '{"a":' * 100 + "1" + "}" * 100 + "}",
        '{"reason": "\\u0000"}',
        '{"params": {"value": "\\ud800"}}',
        '{"params": {"\\ud800": 1}}',
        '{"params": {"value": 1e999}}',
        '{"params": {"value": NaN}}',
        '{"params": {"value": 1, "value": 2}}',
        '{"params": {}, "params": {"value": 2}}',
        '{"params": {"value": ' + "9" * 5_000 + "}}",
        "\xff",
    ],
)
def test_what_no_database_holds_is_400(operator, body):
    response = operator.post(RUN, body.encode("latin1"), content_type="application/json")
    assert (response.status_code, codes(response)) == (400, [("bad_request", "")])
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"reson": "x", "prams": {}}, ["prams", "reson"]),
        ({"reason": 5}, ["reason"]),
        ({"reason": "x" * 501}, ["reason"]),
        ({"reason": "x" + " " * 500}, ["reason"]),
        ({"reason": " " * 501}, ["reason"]),
        ({"params": [1]}, ["params"]),
        ({"params": None}, ["params"]),
        ({"overlap": "maybe"}, ["overlap"]),
        ({"overlap": 1}, ["overlap"]),
        ({"notBefore": "tomorrow"}, ["notBefore"]),
        ({"notBefore": "2030-01-01T00:00:00"}, ["notBefore"]),
        ({"notBefore": "0001-01-01T00:00:00+14:00"}, ["notBefore"]),
        ({"notBefore": 1}, ["notBefore"]),
    ],
)
def test_a_wrong_shape_is_400_and_named(operator, body, fields):
    response = operator.post(RUN, body, format="json")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", field) for field in fields])
    assert not Execution.objects.exists()


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "5"])
def test_a_body_that_is_no_object_is_400(operator, body):
    response = operator.post(RUN, body, content_type="application/json")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "")])


def test_a_start_in_the_past_or_more_than_a_year_ahead_is_422(operator):
    now = datetime.now(UTC)
    for moment in (now - timedelta(minutes=1), now + timedelta(days=367)):
        response = operator.post(RUN, {"notBefore": moment.isoformat()}, format="json")
        assert (response.status_code, codes(response)) == (422, [("invalid_input", "notBefore")])
    response = operator.post(RUN, {"notBefore": (now + timedelta(days=365)).isoformat()}, format="json")
    assert response.status_code == 202
    assert "notBefore" in response.json()["info"]


def test_only_who_may_change_the_task_overrules_its_overlap_rule(operator, editor, nightly):
    make_execution(nightly, status=Status.PROCESSING)
    assert operator.post(RUN, {"overlap": "skip"}, format="json").status_code == 409  # it is the task's own
    response = operator.post(RUN, {"overlap": "allow"}, format="json")
    assert (response.status_code, codes(response)) == (403, [("permission_denied", "")])
    assert Execution.objects.count() == 1
    assert editor.post(RUN, {"overlap": "allow"}, format="json").status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(operator, key):
    response = operator.post(RUN, headers={"Idempotency-Key": key})
    assert (response.status_code, codes(response)) == (422, [("invalid_input", "Idempotency-Key")])


def test_a_key_with_another_body_is_422(engine, operator):
    first = operator.post(RUN, {"reason": "a"}, format="json", headers={"Idempotency-Key": "k"})
    response = operator.post(RUN, {"reason": "b"}, format="json", headers={"Idempotency-Key": "k"})
    assert (response.status_code, codes(response)) == (422, [("idempotency_mismatch", "")])
    (item,) = response.json()["errors"]["items"]
    assert item["details"] == {"trackingId": first.json()["info"]["trackingId"]}


def test_a_key_is_the_callers_own(engine, operator, nightly):
    nightly.overlap = "allow"
    nightly.save()
    other = client_of(*OPERATOR)
    for client in (operator, other):
        assert client.post(RUN, headers={"Idempotency-Key": "k"}).status_code == 202


class Thrice(UserRateThrottle):
    rate = "3/min"


@pytest.mark.django_db(transaction=True)  # a refusal under ATOMIC_REQUESTS breaks the transaction around it
def test_triggers_and_status_have_throttle_scopes_of_their_own(operator, viewer, settings):
    cache.clear()
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {
        "DEFAULT_THROTTLE_CLASSES": ["tests.api.test_limits.Thrice"],
        "DEFAULT_THROTTLE_RATES": {
            "user": "3/min",
            "scheduled-tasks-status": "2/min",
            "scheduled-tasks-trigger": "1/min",
        },
    }
    execution = make_execution(status=Status.COMPLETED)
    address = f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/"
    assert [viewer.get(address).status_code for _ in range(3)] == [200, 200, 429]
    response = viewer.get(address)
    assert codes(response) == [("throttled", "")]
    assert 0 < int(response["Retry-After"]) <= 60
    assert [viewer.get(f"{ROOT}/executions/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [operator.post(RUN).status_code for _ in range(2)] == [202, 429]
    cache.clear()


def test_without_rates_nothing_is_throttled(viewer):
    execution = make_execution(status=Status.COMPLETED)
    address = f"{ROOT}/tasks/{execution.task_name}/status/{execution.tracking_id}/"
    assert {viewer.get(address).status_code for _ in range(30)} == {200}


@pytest.mark.urls("tests.api.urls")
def test_csrf_holds_for_who_is_logged_in_by_session():
    user = make_user(*OPERATOR)
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user)
    response = client.post(RUN)
    assert (response.status_code, codes(response)) == (403, [("permission_denied", "")])
    assert not Execution.objects.exists()
    client.get("/page/")
    assert client.post(RUN, headers={"X-CSRFToken": client.cookies["csrftoken"].value}).status_code == 202


def test_a_wrong_token_is_401_and_says_how_to_log_in(client):
    for headers in ({}, {"Authorization": "Token nope"}, {"Authorization": "Basic " + b64encode(b"a:b").decode()}):
        response = client.post(RUN, headers=headers)
        assert response.status_code == 401
        assert codes(response) == [("not_authenticated", "")]
        assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_name_that_no_database_takes_is_nobodys(client, accept):
    headers = {"Authorization": "Basic " + b64encode(b"a\0b:c").decode(), "Accept": accept}
    response = client.get(f"{ROOT}/tasks/", headers=headers)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")


@pytest.mark.parametrize("address", ["tasks/", "tasks/nightly/", "executions/", "functions/", "health/", "tasks/nope/"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_no_cache_keeps_an_answer_for_another_reader_or_as_another_format(address, accept):
    response = client_of(*VIEWER).get(f"{ROOT}/{address}", headers={"Accept": accept})
    assert response["Cache-Control"] == "private, no-cache"
    assert "Accept" in response["Vary"].split(", ")


def test_token_and_basic_authentication_work(client, engine, nightly):
    nightly.overlap = "allow"
    nightly.save()
    user = make_user(*OPERATOR, name="anna")
    token = Token.objects.create(user=user).key
    for value in (f"Token {token}", "Basic " + b64encode(b"anna:secret").decode()):
        assert client.post(RUN, headers={"Authorization": value}).status_code == 202


def test_other_answers_than_json_are_406_or_json(viewer):
    assert viewer.get(f"{ROOT}/tasks/", headers={"Accept": "application/xml"}).status_code == 406
    assert client_of(*VIEWER).get(f"{ROOT}/tasks/", headers={"Accept": "*/*"})["Content-Type"] == "application/json"


@pytest.mark.parametrize("address", ["tasks/", "executions/"])
@pytest.mark.parametrize("text", ["a" * 60_000, "%" * 30_000, "a " * 300])
def test_a_text_to_search_for_has_500_characters_at_most(viewer, address, text):
    response = viewer.get(f"{ROOT}/{address}", {"search": text})
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "search")])
    assert viewer.get(f"{ROOT}/{address}", {"search": "%" * 500}).status_code == 200
