"""Triggering a task and asking for its status over REST."""

from __future__ import annotations

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.database import counts_statements
from tests.factories import OPERATOR, VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
BASE = "/api/scheduled-tasks/tasks"


@pytest.fixture
def bill():
    return make_task(name="billOnDemand", function="testapp.add", params={"a": 1})


def client_of(*permissions: str) -> APIClient:
    client = APIClient()
    if permissions:
        client.force_authenticate(make_user(*permissions))
    return client


@pytest.fixture
def operator() -> APIClient:
    return client_of(*OPERATOR)


def errors_of(response) -> list[tuple[str, str]]:
    """Check the one error shape, and return (code, field) of each item."""
    body = response.json()
    assert list(body) == ["info", "errors"]
    assert body["info"] is None
    assert list(body["errors"]) == ["status", "statusText", "items"]
    assert body["errors"]["status"] == response.status_code
    for item in body["errors"]["items"]:
        assert list(item) == ["origin", "code", "message", "details"]
        assert item["origin"] == "client_error"
        assert item["message"]
    return [(item["code"], item["details"].get("field", "")) for item in body["errors"]["items"]]


def test_right_after_run_once_the_json_has_exactly_the_contracts_keys(bill, engine, operator):
    response = operator.post(f"{BASE}/billOnDemand/run-once/")
    execution = Execution.objects.get()
    assert response.status_code == 202
    assert response.json() == {
        "info": {
            "trackingId": str(execution.tracking_id),
            "scheduledTaskId": str(bill.pk),
            "scheduledTaskName": "billOnDemand",
            "triggeredAt": response.json()["info"]["triggeredAt"],
            "status": "pending",
        },
        "errors": None,
    }
    assert response["Location"] == f"http://testserver{BASE}/billOnDemand/status/{execution.tracking_id}/"
    assert response["Retry-After"] == "1"


def test_later_the_status_is_completed_with_its_times(bill, engine, operator, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        location = operator.post(f"{BASE}/billOnDemand/run-once/")["Location"]
    engine.run_all()
    response = operator.get(location)
    assert response.status_code == 200
    info = response.json()["info"]
    assert info["status"] == "completed"
    assert info["triggeredAt"] <= info["startedAt"] <= info["completedAt"]
    assert info["result"] == 3
    assert "Retry-After" not in response


def test_the_row_says_who_asked_and_why(bill, engine):
    user = make_user(*OPERATOR)
    client = APIClient()
    client.force_authenticate(user)
    client.post(f"{BASE}/billondemand/run-once/", {"params": {"b": 5}, "reason": "audit"}, format="json")
    execution = Execution.objects.get()
    assert (execution.triggered_by, execution.trigger, execution.reason) == (user, "api", "audit")
    assert execution.params == {"a": 1, "b": 5}


def test_a_task_is_found_by_id_and_by_a_name_with_spaces(engine, operator):
    task = make_task(name="Rebuild search index", overlap="allow")
    for name in (str(task.pk), "rebuild%20SEARCH%20index"):
        response = operator.post(f"{BASE}/{name}/run-once/")
        assert response.status_code == 202


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
    [
        ("nope/run-once/", {}, 404, [("task_not_found", "")]),
        (
            "billOnDemand/run-once/",
            {"params": {"b": "x", "q": 1}},
            422,
            [("invalid_parameters", "b"), ("invalid_parameters", "q")],
        ),
        ("billOnDemand/run-once/", {"reson": "typo"}, 400, [("invalid_input", "reson")]),
        ("billOnDemand/run-once/", {"overlap": "maybe"}, 400, [("invalid_input", "overlap")]),
        ("billOnDemand/run-once/", {"notBefore": "2020-01-01T00:00:00Z"}, 422, [("invalid_input", "notBefore")]),
        ("billOnDemand/run-once/", [1], 400, [("invalid_input", "")]),
    ],
)
def test_bad_requests_have_the_one_error_shape(bill, operator, path, body, status, expected):
    response = operator.post(f"{BASE}/{path}", body, format="json")
    assert response.status_code == status, response.content
    assert errors_of(response) == expected
    assert not Execution.objects.exists()


def test_malformed_json_is_400(bill, operator):
    response = operator.post(f"{BASE}/billOnDemand/run-once/", "{not json", content_type="application/json")
    assert response.status_code == 400
    assert errors_of(response) == [("bad_request", "")]


def test_other_methods_and_media_types_have_the_one_error_shape(bill, operator):
    response = operator.delete(f"{BASE}/billOnDemand/run-once/")
    assert (response.status_code, errors_of(response)) == (405, [("method_not_allowed", "")])
    response = operator.post(f"{BASE}/billOnDemand/run-once/", "x", content_type="text/csv")
    assert (response.status_code, errors_of(response)) == (415, [("unsupported_media_type", "")])


def test_a_function_that_is_gone_is_409(bill, operator):
    ScheduledTask.objects.update(function="shop.gone")
    response = operator.post(f"{BASE}/billOnDemand/run-once/")
    assert (response.status_code, errors_of(response)) == (409, [("function_not_registered", "")])


def test_one_that_is_still_open_is_409_with_its_tracking_id(bill, operator):
    blocker = make_execution(bill, status=Status.PROCESSING)
    response = operator.post(f"{BASE}/billOnDemand/run-once/")
    assert (response.status_code, errors_of(response)) == (409, [("already_running", "")])
    (item,) = response.json()["errors"]["items"]
    assert item["details"] == {"trackingId": str(blocker.tracking_id)}


@pytest.mark.parametrize(
    ("permissions", "status", "code"),
    [((), 401, "not_authenticated"), (VIEWER, 403, "permission_denied")],
)
def test_who_may_not_run_it_changes_nothing(bill, permissions, status, code):
    response = client_of(*permissions).post(f"{BASE}/billOnDemand/run-once/")
    assert (response.status_code, errors_of(response)) == (status, [(code, "")])
    assert not Execution.objects.exists()


def test_a_stranger_does_not_learn_which_tasks_there_are(bill):
    for name in ("billOnDemand", "nope"):
        assert client_of().post(f"{BASE}/{name}/run-once/").status_code == 401
        assert client_of().get(f"{BASE}/{name}/status/{uuid4()}/").status_code == 401


def test_status_needs_permission(bill):
    execution = make_execution(bill)
    path = f"{BASE}/billOnDemand/status/{execution.tracking_id}/"
    assert client_of("run_scheduledtask").get(path).status_code == 403
    assert client_of(*VIEWER).get(path).status_code == 200


def test_an_unknown_tracking_id_and_another_tasks_are_404(bill, operator):
    other = make_execution(make_task(name="other"))
    for tracking_id in (uuid4(), "no-uuid", other.tracking_id):
        response = operator.get(f"{BASE}/billOnDemand/status/{tracking_id}/")
        assert (response.status_code, errors_of(response)) == (404, [("execution_not_found", "")])
    response = operator.get(f"{BASE}/nope/status/{other.tracking_id}/")
    assert (response.status_code, errors_of(response)) == (404, [("task_not_found", "")])


def test_the_traceback_is_for_those_who_may_see_logs(bill):
    execution = make_execution(
        bill, status=Status.ERRORS, error_code="failed", error_message="No.", traceback="Traceback …"
    )
    path = f"{BASE}/billOnDemand/status/{execution.tracking_id}/"
    assert "traceback" not in client_of(*VIEWER).get(path).json()["info"]["errors"][0]["details"]
    details = client_of(*VIEWER, "view_execution_logs").get(path).json()["info"]["errors"][0]["details"]
    assert details == {"traceback": "Traceback …"}


def test_a_replayed_key_answers_200_with_the_first_execution(bill, engine, operator):
    first = operator.post(f"{BASE}/billOnDemand/run-once/", headers={"Idempotency-Key": "k"})
    again = operator.post(f"{BASE}/billOnDemand/run-once/", headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert first.json()["info"]["trackingId"] == again.json()["info"]["trackingId"]


@counts_statements
def test_trigger_costs_three_statements_and_status_one(bill, engine, django_assert_num_queries):
    user = make_user(superuser=True)
    client = APIClient()
    client.force_authenticate(user)
    with django_assert_num_queries(3):
        location = client.post(f"{BASE}/billOnDemand/run-once/")["Location"]
    with django_assert_num_queries(1):
        assert client.get(location).status_code == 200
