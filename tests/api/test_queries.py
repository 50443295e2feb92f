"""Query parameters: each says one thing, on every call."""

from __future__ import annotations

import pytest

from tests.api.conftest import ROOT, client_of, codes
from tests.api.test_permissions import CALLS, NUMBERS
from tests.factories import OWNER, make_execution, make_task

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("call", CALLS)
def test_a_parameter_given_more_than_once_is_refused_by_name_on_every_call(call, engine):
    execution = make_execution(make_task(name="mine", schedule_kind="interval", expression="1h"))
    method, address, body, *_ = CALLS[call]
    address = address.format(task="mine", execution=execution.tracking_id, **NUMBERS).partition("?")[0]
    for query, fields in (("page=true&page=", ["page"]), ("a=1&b=2&a=1&b=3", ["a", "b"])):
        kind = "json" if body is not None else None
        response = getattr(client_of(*OWNER), method)(f"{ROOT}/{address}?{query}", body, format=kind)
        assert (response.status_code, codes(response)) == (400, [("invalid_input", field) for field in fields])
    (first, _second) = response.json()["errors"]["items"]
    assert first["details"] == {"field": "a", "rule": "repeated"}
    assert client_of().get(f"{ROOT}/{address}?a=1&a=2").status_code in {401, 405}


@pytest.mark.urls("tests.api.urls")
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_calls_of_altogic_too(method):
    execution = make_execution(make_task(name="mine"), status="completed")
    path = "/_api/rest/v1/task" + (f"/{execution.tracking_id}" if method == "get" else "")
    body = {"taskNameOrId": "mine"} if method == "post" else None
    response = getattr(client_of(*OWNER), method)(f"{path}?a=1&a=2", body, format="json" if body else None)
    assert response.status_code == 400
    assert [item["details"]["field"] for item in response.json()["errors"]] == ["a"]


@pytest.mark.parametrize(
    "address",
    [
        "tasks/?page=",
        "tasks/?pageSize=",
        "executions/?pageSize=",
        "executions/?cursor=",
        "tasks/mine/upcoming/?count=",
        "tasks/mine/status/{id}/?wait=",
        "executions/{id}/logs/?after=",
        "executions/{id}/logs/?limit=",
    ],
)
def test_empty_numbers_and_cursors_are_refused_by_name(address):
    execution = make_execution(make_task(name="mine"))
    response = client_of(*OWNER).get(f"{ROOT}/{address.format(id=execution.tracking_id)}")
    name = address.partition("?")[2].rstrip("=")
    assert (response.status_code, codes(response)) == (400, [("invalid_input", name)])


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.0", "last", "true", "²"])
def test_a_page_is_a_whole_number_from_1(page):
    response = client_of(*OWNER).get(f"{ROOT}/tasks/", {"page": page})
    assert (response.status_code, codes(response)) == (400, [("invalid_input", "page")])


@pytest.mark.parametrize("page", ["2", "9" * 20, "9" * 9_000])
def test_a_page_that_is_not_there_is_404(page):
    response = client_of(*OWNER).get(f"{ROOT}/tasks/", {"page": page})
    assert (response.status_code, codes(response)) == (404, [("not_found", "")])
